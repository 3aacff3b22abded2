//! How a client leaves, and what it does again when it is back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clock::LabTime;
use serde_json::Value;
use trace::{Event, Source};

use super::{connection, is_from_client};
use crate::faults::{Faults, is_momentary};
use crate::read::{device, flag, is_boot, text};
use crate::{Found, Moment, Watch};

/// Until the power, the network or a fault explains the end of a connection.
const EXPLAINED_WITHIN: Duration = Duration::from_secs(3);
/// From CONNACK to the last subscription.
const SOON: Duration = Duration::from_secs(5);
/// Filters of one client that are remembered.
const MOST: usize = 64;

/// A fault that does nothing to the packets themselves: they come in pieces, and whole.
const HARMLESS: &str = "single_bytes";

/// Sessions that stand, and those that were left without a word.
#[derive(Default)]
pub struct Farewells {
    /// By connection: whose, since when, and by which event.
    open: BTreeMap<u64, (String, LabTime, u64)>,
    left: Vec<(LabTime, String, [u64; 2])>,
    faults: Faults,
    /// When a fault began, ended or happened last.
    fault: Option<LabTime>,
    /// When each device has lost its network, or got it back.
    moved: BTreeMap<String, LabTime>,
}

/// So long after a fault, or after another network, a client may still find its connection dead.
const AFTERMATH: Duration = Duration::from_secs(30);

impl Farewells {
    fn may_be_dead(&self, device: &str, now: LabTime) -> bool {
        let recent = |at: &LabTime| *at + AFTERMATH >= now;
        !self.faults.is_calm()
            || self.fault.as_ref().is_some_and(recent)
            || self.moved.get(device).is_some_and(recent)
    }
}

impl Watch for Farewells {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if event.source == Source::Engine {
            let name = text(event, "/name").unwrap_or_default();
            if name == HARMLESS {
                return;
            }
            self.left.clear();
            self.faults.note(name, flag(event, "/on"));
            // What a session that was ended on purpose comes to is no riddle.
            if !is_momentary(name) {
                self.fault = Some(event.at());
                // The client may have given up a session that stood through it, and be heard of that much later.
                self.open.clear();
            }
            return;
        }
        let name = device(event);
        if is_boot(event) || event.kind == "switching" {
            self.open.retain(|_, (owner, ..)| owner != name);
            self.left.retain(|(_, owner, _)| owner != name);
            return;
        }
        if event.source == Source::Air {
            if !name.is_empty() {
                self.left.retain(|(_, owner, _)| owner != name);
                // A renewed lease is no other network.
                if event.kind == "left" {
                    self.moved.insert(name.to_owned(), event.at());
                    self.open.retain(|_, (owner, ..)| owner != name);
                }
            }
            return;
        }
        match &*event.kind {
            "session_opened" => {
                let session = (name.to_owned(), event.at(), event.seq);
                self.open.insert(connection(event), session);
            }
            "disconnect" if is_from_client(event) => {
                if self.open.remove(&connection(event)).is_some() {
                    found.held();
                }
            }
            _ if event.kind != "connection_closed" => {}
            _ => {
                let Some((owner, _, seq)) = self.open.remove(&connection(event)) else {
                    return;
                };
                if text(event, "/end") == Some("lost") && !self.may_be_dead(&owner, event.at()) {
                    self.left.push((event.at(), owner, [seq, event.seq]));
                }
            }
        }
    }

    fn due(&self) -> Option<LabTime> {
        self.left.first().map(|(at, ..)| *at + EXPLAINED_WITHIN)
    }

    fn passed(&mut self, now: LabTime, _: Moment, found: &mut Found) {
        self.left.retain(|(at, _, events)| {
            let waits = *at + EXPLAINED_WITHIN >= now;
            if !waits {
                found.broken("has left a session that stood, without DISCONNECT", *events);
            }
            waits
        });
    }
}

/// What each client has subscribed to, and what of it is owed in its present session.
#[derive(Default)]
pub struct SubscribesAgain {
    clients: BTreeMap<String, Client>,
    /// A session that was opened after a fault is as good as any.
    faults: Faults,
}

#[derive(Default)]
struct Client {
    /// Filters of this session.
    filters: BTreeSet<String>,
    /// Those of the session before that have not come yet, and since when.
    owed: BTreeSet<String>,
    since: LabTime,
    connection: u64,
    seq: u64,
}

/// The filters of SUBSCRIBE or UNSUBSCRIBE.
fn filters(event: &Event) -> impl Iterator<Item = &str> {
    let filters = event.data.pointer("/filters").and_then(Value::as_array);
    filters.into_iter().flatten().filter_map(name)
}

fn name(filter: &Value) -> Option<&str> {
    filter.as_str().or(filter["filter"].as_str())
}

impl Watch for SubscribesAgain {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if event.source == Source::Engine {
            let fault = text(event, "/name").unwrap_or_default();
            self.faults.note(fault, flag(event, "/on"));
            for client in self.clients.values_mut() {
                client.filters.append(&mut client.owed);
            }
            return;
        }
        if is_boot(event) {
            // Whose the clients are, a power cut does not tell.
            self.clients.clear();
            return;
        }
        let Some(name) = text(event, "/client") else {
            return;
        };
        if event.kind == "session_opened" {
            let client = self.clients.entry(name.to_owned()).or_default();
            let before = std::mem::take(&mut client.filters);
            // What was owed there and did not come is not owed twice.
            client.owed = before;
            client.since = event.at();
            client.connection = connection(event);
            client.seq = event.seq;
            if flag(event, "/session_present") || !self.faults.is_calm() {
                client.filters = std::mem::take(&mut client.owed);
            }
            return;
        }
        let Some(client) = self.clients.get_mut(name) else {
            return;
        };
        if client.connection != connection(event) {
            return;
        }
        match (&*event.kind, is_from_client(event)) {
            ("subscribe", true) => {
                for filter in filters(event) {
                    if client.owed.remove(filter) {
                        found.held();
                    }
                    if client.filters.len() < MOST {
                        client.filters.insert(filter.to_owned());
                    }
                }
            }
            ("unsubscribe", true) => {
                for filter in filters(event) {
                    client.owed.remove(filter);
                    client.filters.remove(filter);
                }
            }
            ("connection_closed" | "disconnect", _) => {
                client.filters.append(&mut client.owed);
            }
            _ => {}
        }
    }

    fn due(&self) -> Option<LabTime> {
        let owing = self
            .clients
            .values()
            .filter(|client| !client.owed.is_empty());
        owing.map(|client| client.since + SOON).min()
    }

    fn passed(&mut self, now: LabTime, _: Moment, found: &mut Found) {
        for client in self.clients.values_mut() {
            if client.since + SOON >= now {
                continue;
            }
            for filter in std::mem::take(&mut client.owed) {
                found.broken(
                    format!("has not subscribed again to {filter}"),
                    [client.seq],
                );
            }
        }
    }
}
