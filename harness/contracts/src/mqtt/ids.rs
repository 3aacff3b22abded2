//! Packet identifiers and DUP.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clock::LabTime;
use trace::Event;

use super::{connection, is_from_client};
use crate::read::{flag, number, text};
use crate::{Found, Moment, Watch};

/// How long after its acknowledgement a message that was sent again may arrive.
const CROSSES_FOR: Duration = Duration::from_secs(60);

/// What takes an identifier of the client's, if this event does: the identifier.
fn taken(event: &Event) -> Option<u64> {
    if !is_from_client(event) {
        return None;
    }
    match &*event.kind {
        "subscribe" | "unsubscribe" => number(event, "/id"),
        "publish" if number(event, "/qos") > Some(0) => number(event, "/id"),
        _ => None,
    }
}

/// What gives one back: the identifier.
fn given_back(event: &Event) -> Option<u64> {
    if is_from_client(event) {
        return None;
    }
    match &*event.kind {
        "suback" | "unsuback" | "puback" | "pubcomp" => number(event, "/id"),
        // MQTT 5 §4.3.3: an error ends the exchange.
        "pubrec" if number(event, "/code") >= Some(0x80) => number(event, "/id"),
        _ => None,
    }
}

/// Identifiers in flight, by connection, each with the event that took it.
#[derive(Default)]
pub struct Free(BTreeMap<u64, BTreeMap<u64, u64>>);

impl Watch for Free {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let connection = connection(event);
        if event.kind == "connection_closed" {
            self.0.remove(&connection);
            return;
        }
        if let Some(id) = given_back(event)
            && let Some(flying) = self.0.get_mut(&connection)
        {
            flying.remove(&id);
        }
        let Some(id) = taken(event) else { return };
        let flying = self.0.entry(connection).or_default();
        match flying.get(&id) {
            _ if id == 0 => found.broken("identifier 0", [event.seq]),
            Some(_) if flag(event, "/duplicate") => {}
            Some(first) => found.broken(
                format!("identifier {id} is still in flight"),
                [*first, event.seq],
            ),
            None => found.held(),
        }
        flying.insert(id, event.seq);
    }
}

/// The identifier that each connection took last, and by which event.
#[derive(Default)]
pub struct MoveOn(BTreeMap<u64, (u64, u64)>);

impl Watch for MoveOn {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let connection = connection(event);
        if event.kind == "connection_closed" {
            self.0.remove(&connection);
            return;
        }
        let Some(id) = taken(event) else { return };
        if flag(event, "/duplicate") {
            return;
        }
        if let Some((last, seq)) = self.0.insert(connection, (id, event.seq)) {
            found.check(
                last != id,
                || format!("identifier {id} twice in a row"),
                [seq, event.seq],
            );
        }
    }
}

/// DUP, and what it is set on.
#[derive(Default)]
pub struct Again {
    /// What each client has published and is not acknowledged, by identifier; it outlives
    /// connections.
    published: BTreeMap<(String, u64), u64>,
    /// What was acknowledged last to each client, and when: what it has sent again may still have been on
    /// its way to the broker then.
    answered: BTreeMap<(String, u64), LabTime>,
    /// Clients of which a connection was cut: what they sent last may not have arrived, and is rightly
    /// sent again.
    cut_off: BTreeSet<String>,
    /// Clients with a connection that has not ended, as the broker sees it.
    connected: BTreeSet<String>,
}

impl Watch for Again {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if event.kind == "connect"
            && let Some(client) = text(event, "/client_id")
            && self.connected.contains(client)
        {
            // Its earlier connection is dead, and only the client knows yet.
            self.cut_off.insert(client.to_owned());
        }
        let Some(client) = text(event, "/client") else {
            return;
        };
        let client = client.to_owned();
        if event.kind == "connection_closed" {
            self.connected.remove(&client);
            if text(event, "/end") != Some("disconnected") {
                self.cut_off.insert(client);
            }
            return;
        }
        self.connected.insert(client.clone());
        if let Some(id) = given_back(event) {
            if self.published.remove(&(client.clone(), id)).is_some() {
                self.answered
                    .retain(|_, at| *at + CROSSES_FOR >= event.at());
                self.answered.insert((client, id), event.at());
            }
            return;
        }
        if event.kind != "publish" || !is_from_client(event) {
            return;
        }
        let again = flag(event, "/duplicate");
        let id = number(event, "/id").unwrap_or_default();
        if number(event, "/qos") == Some(0) {
            found.check(!again, || "DUP at QoS 0".into(), [event.seq]);
            return;
        }
        let crosses = self
            .answered
            .get(&(client.clone(), id))
            .is_some_and(|at| *at + CROSSES_FOR >= event.at());
        let may_be_lost = crosses || self.cut_off.contains(&client);
        let first = self.published.insert((client, id), event.seq);
        match (first, again) {
            (None, true) if may_be_lost => {}
            (None, true) => found.broken(
                format!("DUP on identifier {id}, which was not sent before"),
                [event.seq],
            ),
            (_, _) => found.held(),
        }
    }
}
