//! What outlives a connection in a session that is kept.

use std::collections::BTreeMap;
use std::time::Duration;

use clock::LabTime;
use trace::Event;

use super::is_from_client;
use crate::read::{flag, is_boot, number, text};
use crate::{Found, Moment, Watch};

/// From CONNACK on; a client sends again before it does anything else.
const SOON: Duration = Duration::from_secs(10);
/// Messages of one client that are followed.
const MOST: usize = 256;

/// From a message to the same one again on one connection, at the least: esp-mqtt's
/// `message_retransmit_timeout`.
const PAUSE: Duration = Duration::from_secs(1);

/// When each message was sent last, by connection and identifier.
#[derive(Default)]
pub struct Pauses(BTreeMap<(u64, u64), (LabTime, u64)>);

impl Watch for Pauses {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let connection = super::connection(event);
        let id = number(event, "/id").unwrap_or_default();
        match (&*event.kind, is_from_client(event)) {
            ("connection_closed", _) => self.0.retain(|(other, _), _| *other != connection),
            ("puback" | "pubrec", false) => {
                self.0.remove(&(connection, id));
            }
            ("publish", true) if number(event, "/qos") > Some(0) => {
                let now = (event.at(), event.seq);
                let last = self.0.insert((connection, id), now);
                let Some((at, seq)) = last.filter(|_| flag(event, "/duplicate")) else {
                    return;
                };
                let waited = event.at() - at;
                found.check(
                    waited >= PAUSE,
                    || format!("identifier {id} comes again after {waited:.1?}"),
                    [seq, event.seq],
                );
            }
            _ => {}
        }
    }
}

/// Clients that want their sessions kept, and what the broker has not acknowledged to them.
#[derive(Default)]
pub struct ComesAgain(BTreeMap<String, Kept>);

#[derive(Default)]
struct Kept {
    /// In the order in which they were sent first.
    unacknowledged: Vec<Message>,
    /// Identifiers that are to come again on this connection, and since when.
    owed: Vec<u64>,
    since: LabTime,
}

#[derive(PartialEq)]
struct Message {
    id: u64,
    topic: String,
    seq: u64,
}

impl Kept {
    fn sent(&mut self, event: &Event, found: &mut Found) {
        let id = number(event, "/id").unwrap_or_default();
        let topic = text(event, "/topic").unwrap_or_default().to_owned();
        let first = self
            .unacknowledged
            .iter()
            .find(|message| message.id == id)
            .map(|message| (message.topic == topic, message.seq));
        match first {
            Some((is_same, seq)) if self.owed.contains(&id) => {
                let is_next = self.owed.first() == Some(&id);
                self.owed.retain(|owed| *owed != id);
                let again = flag(event, "/duplicate");
                let why = match (is_same, again, is_next) {
                    (false, ..) => "has another topic",
                    (_, false, _) => "has no DUP",
                    _ => "comes before older ones",
                };
                found.check(
                    is_same && again && is_next,
                    || {
                        format!(
                            "identifier {id} was not acknowledged, and what is sent by it now {why}"
                        )
                    },
                    [seq, event.seq],
                );
            }
            Some(_) => {}
            None if self.unacknowledged.len() < MOST => self.unacknowledged.push(Message {
                id,
                topic,
                seq: event.seq,
            }),
            None => {}
        }
    }
}

impl Watch for ComesAgain {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if is_boot(event) {
            self.0.clear();
            return;
        }
        // CONNECT comes before the session, by which packets are told from then on.
        let client = text(event, "/client").or_else(|| text(event, "/client_id"));
        let Some(client) = client else {
            return;
        };
        if event.kind == "connect" {
            if flag(event, "/clean_session") {
                self.0.remove(client);
            } else {
                self.0.entry(client.to_owned()).or_default();
            }
            return;
        }
        let Some(kept) = self.0.get_mut(client) else {
            return;
        };
        match (&*event.kind, is_from_client(event)) {
            ("session_opened", _) => {
                kept.owed = kept
                    .unacknowledged
                    .iter()
                    .map(|message| message.id)
                    .collect();
                kept.since = event.at();
            }
            ("connection_closed", _) => kept.owed.clear(),
            ("publish", true) if number(event, "/qos") > Some(0) => kept.sent(event, found),
            ("puback" | "pubcomp", false) => {
                let id = number(event, "/id").unwrap_or_default();
                kept.unacknowledged.retain(|message| message.id != id);
                kept.owed.retain(|owed| *owed != id);
            }
            _ => {}
        }
    }

    fn due(&self) -> Option<LabTime> {
        let waiting = self.0.values().filter(|kept| !kept.owed.is_empty());
        waiting.map(|kept| kept.since + SOON).min()
    }

    fn passed(&mut self, now: LabTime, moment: Moment, found: &mut Found) {
        for kept in self.0.values_mut() {
            if kept.since + SOON >= now {
                continue;
            }
            for id in std::mem::take(&mut kept.owed) {
                let first = kept.unacknowledged.iter().find(|message| message.id == id);
                if moment.calm_from(kept.since) {
                    found.broken(
                        format!("identifier {id} was not acknowledged, and has not come again"),
                        first.map(|message| message.seq),
                    );
                }
            }
        }
    }
}
