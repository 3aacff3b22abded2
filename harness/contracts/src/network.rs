//! What a device owes to the network that it has joined.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use clock::LabTime;
use trace::{Event, Source};

use crate::read::{device, is_boot, number, since_boot, text};
use crate::{Contract, Found, Moment, Sight, Watch};

/// TCP connections of one device to one service that may be open at once: a new one may begin while
/// the old one is being closed.
const MOST_TO_A_SERVICE: usize = 2;
/// Questions for one name within [`A_WHILE`].
const MOST_QUESTIONS: usize = 5;
const A_WHILE: Duration = Duration::from_secs(1);

const READS: &[(Source, &str)] = since_boot![
    (Source::Air, "leased"),
    (Source::Air, "left"),
    (Source::Air, "name_asked"),
    (Source::Air, "connection_opened"),
    (Source::Air, "connection_closed"),
];

pub const CONTRACTS: &[Contract] = &[
    Contract {
        id: "connects-from-its-address",
        needs: &[Sight::Air],
        says: "a device connects from the address that it was leased in the network that it is in",
        source: "RFC 2131 §4.4.5; RFC 1122 §3.3.4.2",
        reads: READS,
        watch: |_| Some(Box::<FromAddress>::default()),
    },
    Contract {
        id: "asks-the-name-server-of-its-network",
        needs: &[Sight::Air],
        says: "a device asks for names at the name server that it was told in the network that it is in",
        source: "RFC 2132 §3.8; RFC 1123 §6.1.3.3",
        reads: READS,
        watch: |_| Some(Box::<NameServers>::default()),
    },
    Contract {
        id: "one-connection-to-a-service",
        needs: &[Sight::Air],
        says: "a device has no more than two TCP connections to one service open at once",
        source: "house: what is opened is closed; MQTT 3.1.1 [MQTT-3.1.4-2]",
        reads: since_boot![
            (Source::Air, "left"),
            (Source::Air, "connection_opened"),
            (Source::Air, "connection_closed"),
            (Source::Engine, "fault"),
        ],
        watch: |_| Some(Box::<OpenOnes>::default()),
    },
    Contract {
        id: "source-ports-move-on",
        needs: &[Sight::Air],
        says: "a connection has another source port than the one before it to the same service",
        source: "RFC 6056 §2; RFC 9293 §3.6.1",
        reads: READS,
        watch: |_| Some(Box::<SourcePorts>::default()),
    },
    Contract {
        id: "name-asked-slowly",
        needs: &[Sight::Air, Sight::Clock],
        says: "a device asks for one name no more than five times in a second",
        source: "RFC 1123 §6.1.3.3; RFC 1536 §1",
        reads: READS,
        watch: |_| Some(Box::<Questions>::default()),
    },
];

/// The address that each device was leased, while it is in that network.
#[derive(Default)]
struct FromAddress(BTreeMap<String, (String, u64)>);

impl Watch for FromAddress {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        if name.is_empty() {
            return;
        }
        match &*event.kind {
            "leased" => {
                let address = text(event, "/address").unwrap_or_default().to_owned();
                self.0.insert(name.to_owned(), (address, event.seq));
            }
            "connection_opened" => {
                let client = text(event, "/client").unwrap_or_default();
                let from = client
                    .rsplit_once(':')
                    .map_or(client, |(address, _)| address);
                match self.0.get(name) {
                    Some((leased, seq)) => found.check(
                        leased == from,
                        || format!("was leased {leased} and connects from {from}"),
                        [*seq, event.seq],
                    ),
                    None => found.broken(
                        format!("connects from {from}, and was leased no address"),
                        [event.seq],
                    ),
                }
            }
            "left" => {
                self.0.remove(name);
            }
            _ if is_boot(event) => {
                self.0.remove(name);
            }
            _ => {}
        }
    }
}

/// The name server that each device was told, while it is in that network.
#[derive(Default)]
struct NameServers(BTreeMap<String, (String, u64)>);

impl Watch for NameServers {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        match &*event.kind {
            "leased" => {
                if let Some(server) = text(event, "/name_server") {
                    let told = (server.to_owned(), event.seq);
                    self.0.insert(name.to_owned(), told);
                }
            }
            "name_asked" => {
                let asked = text(event, "/server");
                if let (Some(asked), Some((told, seq))) = (asked, self.0.get(name)) {
                    found.check(
                        asked == told,
                        || format!("was told the name server {told} and asks {asked}"),
                        [*seq, event.seq],
                    );
                }
            }
            _ if is_boot(event) || event.kind == "left" => {
                self.0.remove(name);
            }
            _ => {}
        }
    }
}

/// Faults with which the end of a connection does not reach the other side.
const CUT_OFF: [&str; 4] = ["internet_off", "broker_down", "broker_moved", "frames"];

/// TCP connections that are open, by device and service: the clients' ports.
#[derive(Default)]
struct OpenOnes(BTreeMap<(String, String), VecDeque<(String, u64)>>);

/// A device and the service at the other end.
fn service(event: &Event) -> (String, String) {
    let host = text(event, "/host").unwrap_or_default();
    let port = number(event, "/port").unwrap_or_default();
    (device(event).to_owned(), format!("{host}:{port}"))
}

impl Watch for OpenOnes {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let is_tcp = text(event, "/protocol") == Some("tcp") && !device(event).is_empty();
        let client = text(event, "/client").unwrap_or_default();
        match &*event.kind {
            "connection_opened" if is_tcp => {
                let to = service(event);
                let open = self.0.entry(to.clone()).or_default();
                open.push_back((client.to_owned(), event.seq));
                found.check(
                    open.len() <= MOST_TO_A_SERVICE,
                    || format!("{} connections to {} are open", open.len(), to.1),
                    open.iter().map(|(_, seq)| *seq),
                );
                // What was told once is enough.
                while open.len() > MOST_TO_A_SERVICE {
                    open.pop_front();
                }
            }
            "connection_closed" if is_tcp => {
                if let Some(open) = self.0.get_mut(&service(event)) {
                    open.retain(|(other, _)| other != client);
                }
            }
            // What was closed behind one of these came nowhere, or will come nowhere.
            "fault" if text(event, "/name").is_some_and(|name| CUT_OFF.contains(&name)) => {
                self.0.clear();
            }
            // What a network that is gone carried, nobody can close.
            "left" => self.0.retain(|(owner, _), _| owner != device(event)),
            _ if is_boot(event) => self.0.retain(|(owner, _), _| owner != device(event)),
            _ => {}
        }
    }
}

/// The source port of the last connection of each device to a service.
#[derive(Default)]
struct SourcePorts(BTreeMap<(String, String), (String, u64)>);

impl Watch for SourcePorts {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if is_boot(event) {
            self.0.retain(|(owner, _), _| owner != device(event));
            return;
        }
        let is_tcp = text(event, "/protocol") == Some("tcp") && !device(event).is_empty();
        if event.kind != "connection_opened" || !is_tcp {
            return;
        }
        let client = text(event, "/client").unwrap_or_default().to_owned();
        let before = self.0.insert(service(event), (client.clone(), event.seq));
        if let Some((last, seq)) = before {
            found.check(
                last != client,
                || format!("connects from {client} again"),
                [seq, event.seq],
            );
        }
    }
}

/// When each device has asked for each name, within the last second.
#[derive(Default)]
struct Questions(BTreeMap<(String, String), VecDeque<(LabTime, u64)>>);

impl Watch for Questions {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if is_boot(event) {
            self.0.retain(|(owner, _), _| owner != device(event));
            return;
        }
        if event.kind != "name_asked" || device(event).is_empty() {
            return;
        }
        let name = text(event, "/name").unwrap_or_default();
        let key = (device(event).to_owned(), name.to_owned());
        let asked = self.0.entry(key).or_default();
        while asked
            .front()
            .is_some_and(|(at, _)| *at + A_WHILE < event.at())
        {
            asked.pop_front();
        }
        asked.push_back((event.at(), event.seq));
        found.check(
            asked.len() <= MOST_QUESTIONS,
            || format!("asked for {name} {} times in a second", asked.len()),
            asked.iter().map(|(_, seq)| *seq),
        );
        if asked.len() > MOST_QUESTIONS {
            asked.clear();
        }
    }
}
