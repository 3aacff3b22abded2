//! What comes before what.

use std::collections::BTreeMap;
use std::time::Duration;

use clock::LabTime;
use trace::{Event, Source};

use super::{connection, is_from_client};
use crate::read::{device, is_boot, text};
use crate::{Found, Moment, Watch};

/// From DISCONNECT to the end of the connection.
const CLOSED_WITHIN: Duration = Duration::from_secs(5);

/// Connections whose CONNECT has come, by which event.
#[derive(Default)]
pub struct ConnectFirst(BTreeMap<u64, u64>);

impl Watch for ConnectFirst {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let connection = connection(event);
        if event.kind == "connection_closed" {
            self.0.remove(&connection);
        }
        if !is_from_client(event) {
            return;
        }
        match (&*event.kind, self.0.get(&connection)) {
            ("connect", None) => {
                self.0.insert(connection, event.seq);
                found.held();
            }
            ("connect", Some(first)) => found.broken("a second CONNECT", [*first, event.seq]),
            (kind, None) => found.broken(format!("{kind} before CONNECT"), [event.seq]),
            (_, Some(_)) => {}
        }
    }
}

/// Connections whose CONNECT has come and is not answered yet.
#[derive(Default)]
pub struct AfterConnack(BTreeMap<u64, u64>);

impl Watch for AfterConnack {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let connection = connection(event);
        match &*event.kind {
            "connect" => {
                self.0.insert(connection, event.seq);
            }
            "connack" if self.0.remove(&connection).is_some() => found.held(),
            "connection_closed" => {
                self.0.remove(&connection);
            }
            kind @ ("publish" | "subscribe" | "unsubscribe") if is_from_client(event) => {
                if let Some(connect) = self.0.get(&connection) {
                    found.broken(format!("{kind} before CONNACK"), [*connect, event.seq]);
                }
            }
            _ => {}
        }
    }
}

/// Connections that the client has ended, or the broker refused, by which event.
#[derive(Default)]
pub struct AfterEnd(BTreeMap<u64, u64>);

impl Watch for AfterEnd {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let connection = connection(event);
        match &*event.kind {
            "connection_closed" if self.0.remove(&connection).is_some() => found.held(),
            "connect_refused" => {
                self.0.insert(connection, event.seq);
            }
            kind if is_from_client(event) => {
                if let Some(end) = self.0.get(&connection) {
                    found.broken(format!("{kind} after the end"), [*end, event.seq]);
                } else if kind == "disconnect" {
                    self.0.insert(connection, event.seq);
                }
            }
            _ => {}
        }
    }
}

/// Devices that have said goodbye and whose connection is open: since when, and since which event.
#[derive(Default)]
pub struct Farewell(BTreeMap<String, (LabTime, u64)>);

impl Watch for Farewell {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        if event.source == Source::Mqtt {
            if is_from_client(event) && !name.is_empty() {
                self.0.insert(name.to_owned(), (event.at(), event.seq));
            }
            return;
        }
        if is_boot(event) || event.kind == "left" {
            self.0.remove(name);
            return;
        }
        if text(event, "/protocol") != Some("tcp") {
            return;
        }
        if let Some((_, seq)) = self.0.remove(name) {
            found.check(
                text(event, "/how") != Some("reset_by_client"),
                || "reset its connection".into(),
                [seq, event.seq],
            );
        }
    }

    fn due(&self) -> Option<LabTime> {
        self.0.values().map(|(at, _)| *at + CLOSED_WITHIN).min()
    }

    fn passed(&mut self, now: LabTime, moment: Moment, found: &mut Found) {
        self.0.retain(|_, (at, seq)| {
            let waits = *at + CLOSED_WITHIN >= now;
            if !waits && moment.calm_from(*at) {
                found.broken("has not closed its connection", [*seq]);
            }
            waits
        });
    }
}
