//! What has been acknowledged is done.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clock::LabTime;
use trace::{Event, Source};

use super::is_from_client;
use crate::faults::Faults;
use crate::read::{device, flag, is_boot, number, text};
use crate::{Found, Moment, Watch};

/// After so long on a connection that is sound an acknowledgement has arrived.
const ARRIVED: Duration = Duration::from_secs(5);

/// A station takes so long to notice that its access point has fallen silent (ESP-IDF: six seconds); nothing
/// arrives meanwhile.
const NOTICED: Duration = Duration::from_millis(6_500);

/// Messages by client and identifier, each with the acknowledgement's event.
#[derive(Default)]
pub struct Done {
    /// Acknowledged, and since when.
    underway: BTreeMap<(String, u64), (LabTime, u64)>,
    /// The client has its acknowledgement, and since when it was on its way.
    settled: BTreeMap<(String, u64), (LabTime, u64)>,
    faults: Faults,
    /// Devices that have left their network: nothing that is sent to them arrives.
    away: BTreeSet<String>,
}

impl Done {
    fn fault(&mut self, event: &Event) {
        // Whatever is on its way now may be lost.
        self.underway.clear();
        let name = text(event, "/name").unwrap_or_default();
        self.faults.note(name, flag(event, "/on"));
    }
}

impl Watch for Done {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if event.source == Source::Engine {
            self.fault(event);
            return;
        }
        if is_boot(event) {
            // Whose the clients are, a power cut does not tell.
            self.underway.clear();
            self.settled.clear();
            return;
        }
        if event.source == Source::Air {
            let name = device(event);
            if event.kind == "leased" {
                self.away.remove(name);
            } else if !name.is_empty() {
                self.underway.clear();
                let left = event.at();
                self.settled.retain(|_, (at, _)| *at + NOTICED < left);
                self.away.insert(name.to_owned());
            }
            return;
        }
        let Some(client) = text(event, "/client") else {
            return;
        };
        if event.kind == "connection_closed" {
            self.underway.retain(|(owner, _), _| owner != client);
            return;
        }
        let key = (client.to_owned(), number(event, "/id").unwrap_or_default());
        match (&*event.kind, is_from_client(event)) {
            ("puback" | "pubcomp", false)
                if self.faults.is_calm() && !self.away.contains(device(event)) =>
            {
                self.underway.insert(key, (event.at(), event.seq));
            }
            ("publish", true) if number(event, "/qos") > Some(0) => {
                self.underway.remove(&key);
                let done = self.settled.remove(&key);
                match done.filter(|_| flag(event, "/duplicate")) {
                    Some((_, seq)) => found.broken(
                        format!(
                            "identifier {} comes again, and was acknowledged long ago",
                            key.1
                        ),
                        [seq, event.seq],
                    ),
                    None => found.held(),
                }
            }
            _ => {}
        }
    }

    fn due(&self) -> Option<LabTime> {
        self.underway.values().map(|(at, _)| *at + ARRIVED).min()
    }

    fn passed(&mut self, now: LabTime, _: Moment, _: &mut Found) {
        let settled = &mut self.settled;
        self.underway.retain(|key, (at, seq)| {
            let waits = *at + ARRIVED >= now;
            if !waits {
                settled.insert(key.clone(), (*at, *seq));
            }
            waits
        });
    }
}
