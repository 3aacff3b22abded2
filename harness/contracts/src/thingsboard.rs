//! What a device owes ThingsBoard.

use std::collections::BTreeMap;

use serde_json::Value;
use trace::{Event, Source};

use crate::mqtt::{connection, is_from_client};
use crate::read::{flag, text};
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

pub const CONTRACTS: &[Contract] = &[Contract {
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
}];

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
