//! What a device owes ThingsBoard.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use trace::{Event, Source};

use crate::mqtt::{connection, is_from_client};
use crate::read::{device, flag, text};
use crate::{Contract, Found, Moment, Sight, Watch};

/// What a request is published to begins so, and where its answer comes.
const ANSWERS: [(&str, &str); 4] = [
    ("/provision/request", "/provision/response"),
    (
        "v1/devices/me/attributes/request/",
        "v1/devices/me/attributes/response/",
    ),
    ("v1/devices/me/rpc/request/", "v1/devices/me/rpc/response/"),
    ("v2/fw/request/", "v2/fw/response/"),
];

/// Where a device publishes what it numbers itself.
const NUMBERED: [&str; 2] = [
    "v1/devices/me/attributes/request/",
    "v1/devices/me/rpc/request/",
];
/// Requests of one connection that are remembered.
const MOST: usize = 1024;
/// Where it answers what the cloud numbers.
const CALL_ANSWERED: &str = "v1/devices/me/rpc/response/";

pub const CONTRACTS: &[Contract] = &[
    Contract {
        id: "thingsboard-subscribes-first",
        needs: &[Sight::Broker],
        says: "a device subscribes to the answer before it publishes the request",
        source: "ThingsBoard MQTT device API: subscribe to the response topic, then publish the request",
        reads: &[
            (Source::Mqtt, "session_opened"),
            (Source::Mqtt, "subscribe"),
            (Source::Mqtt, "unsubscribe"),
            (Source::Mqtt, "publish"),
        ],
        watch: |_| Some(Box::<Subscribes>::default()),
    },
    Contract {
        id: "thingsboard-numbers-its-requests",
        needs: &[Sight::Broker],
        says: "a device gives each of its calls and requests in a session a number of its own",
        source: "ThingsBoard MQTT device API: $request_id is an integer request identifier",
        reads: &[
            (Source::Mqtt, "session_opened"),
            (Source::Mqtt, "connection_closed"),
            (Source::Mqtt, "publish"),
        ],
        watch: |_| Some(Box::<Numbers>::default()),
    },
    Contract {
        id: "thingsboard-answers-a-call-once",
        needs: &[Sight::Broker],
        says: "a device answers calls that the cloud has made, by their numbers, and each of them once",
        source: "ThingsBoard MQTT device API: server-side RPC, the response goes to …/rpc/response/$request_id",
        reads: &[(Source::Mqtt, "publish"), (Source::Cloud, "rpc_answered")],
        watch: |_| Some(Box::<Answers>::default()),
    },
];

/// What each connection has subscribed to; one with a session of before is left alone.
#[derive(Default)]
struct Subscribes(BTreeMap<u64, Vec<String>>);

impl Watch for Subscribes {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let connection = connection(event);
        match &*event.kind {
            "session_opened" if flag(event, "/session_present") => {
                self.0.remove(&connection);
            }
            "session_opened" => {
                self.0.insert(connection, Vec::new());
            }
            _ if !is_from_client(event) => {}
            "publish" if flag(event, "/duplicate") => {}
            "publish" => {
                let topic = text(event, "/topic").unwrap_or_default();
                let answer = ANSWERS
                    .iter()
                    .find(|(request, _)| topic.starts_with(request));
                let (Some((_, answer)), Some(filters)) = (answer, self.0.get(&connection)) else {
                    return;
                };
                found.check(
                    filters.iter().any(|filter| reaches(filter, answer)),
                    || format!("published to {topic}, and has not subscribed to {answer}"),
                    [event.seq],
                );
            }
            kind => {
                let Some(filters) = self.0.get_mut(&connection) else {
                    return;
                };
                let told = event.data.pointer("/filters").and_then(Value::as_array);
                for filter in told.into_iter().flatten() {
                    let filter = filter["filter"].as_str().or(filter.as_str());
                    let filter = filter.unwrap_or_default();
                    match kind {
                        "subscribe" => filters.push(filter.to_owned()),
                        _ => filters.retain(|known| known != filter),
                    }
                }
            }
        }
    }
}

/// Whether a filter takes in topics that begin with `answer`.
fn reaches(filter: &str, answer: &str) -> bool {
    let mut answer = answer.trim_end_matches('/').split('/');
    let mut filter = filter.split('/');
    loop {
        match (filter.next(), answer.next()) {
            (Some("#"), _) | (_, None) => return true,
            (Some(level), Some(wanted)) if level == "+" || level == wanted => {}
            _ => return false,
        }
    }
}

/// The topics with numbers that were published to on each connection, and by which events.
#[derive(Default)]
struct Numbers(BTreeMap<u64, BTreeMap<String, u64>>);

impl Watch for Numbers {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let connection = connection(event);
        match &*event.kind {
            "session_opened" => {
                self.0.insert(connection, BTreeMap::new());
                return;
            }
            "connection_closed" => {
                self.0.remove(&connection);
                return;
            }
            _ => {}
        }
        let topic = text(event, "/topic").unwrap_or_default();
        let is_numbered = NUMBERED.iter().any(|begin| topic.starts_with(begin));
        if !is_numbered || !is_from_client(event) || flag(event, "/duplicate") {
            return;
        }
        let Some(seen) = self.0.get_mut(&connection) else {
            return;
        };
        match seen.get(topic) {
            Some(seq) => found.broken(format!("published to {topic} again"), [*seq, event.seq]),
            None => found.held(),
        }
        if seen.len() < MOST {
            seen.insert(topic.to_owned(), event.seq);
        }
    }
}

/// Devices that have just sent an answer again, of which the acknowledgement was lost.
#[derive(Default)]
struct Answers(BTreeSet<String>);

impl Watch for Answers {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event).to_owned();
        if event.kind == "rpc_answered" {
            if !self.0.remove(&name) {
                found.check(
                    flag(event, "/expected"),
                    || {
                        format!(
                            "answered the call {}, which is none that waits",
                            event.data["request"]
                        )
                    },
                    [event.seq],
                );
            }
            return;
        }
        let topic = text(event, "/topic").unwrap_or_default();
        if topic.starts_with(CALL_ANSWERED) && is_from_client(event) && flag(event, "/duplicate") {
            self.0.insert(name);
        }
    }
}
