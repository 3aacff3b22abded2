//! How long a client waits for the broker.

use std::collections::BTreeMap;
use std::time::Duration;

use clock::LabTime;
use trace::{Event, Source};

use super::{connection, is_from_client};
use crate::faults::Faults;
use crate::read::{flag, is_boot, text};
use crate::{Found, Moment, Watch};

/// What the way to the end of a connection takes.
const WAY: Duration = Duration::from_secs(3);
/// Faults in which the network is sound and the broker answers nothing.
const SILENCE: [&str; 2] = ["connect_answer", "handshake_stalled"];

/// Connections on which the client waits for an answer.
pub struct Patience {
    told: Duration,
    /// Since when and since which event.
    waiting: BTreeMap<u64, (LabTime, u64)>,
    /// Faults that are on, other than the silence of the broker.
    faults: Faults,
}

impl Patience {
    pub fn new(told: Duration) -> Self {
        Self {
            told,
            waiting: BTreeMap::new(),
            faults: Faults::default(),
        }
    }

    fn fault(&mut self, event: &Event) {
        let name = text(event, "/name").unwrap_or_default();
        if SILENCE.iter().any(|silence| name.starts_with(silence)) {
            return;
        }
        self.waiting.clear();
        self.faults.note(name, flag(event, "/on"));
    }

    /// How long it may take from the beginning of the wait until the end of the connection is seen.
    fn longest(&self) -> Duration {
        self.told * 3 / 2 + WAY
    }

    fn begins(&mut self, event: &Event) {
        if self.faults.is_calm() {
            self.waiting
                .insert(connection(event), (event.at(), event.seq));
        }
    }

    fn ends(&mut self, event: &Event, found: &mut Found) {
        let Some((since, seq)) = self.waiting.remove(&connection(event)) else {
            return;
        };
        let (waited, told) = (event.at() - since, self.told);
        found.check(
            waited >= told * 8 / 10 && waited <= self.longest(),
            || format!("gave up after {waited:.1?}; it was told {told:.1?}"),
            [seq, event.seq],
        );
    }
}

impl Watch for Patience {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if event.source == Source::Engine {
            self.fault(event);
            return;
        }
        if is_boot(event) || event.kind == "left" {
            self.waiting.clear();
            return;
        }
        match (&*event.kind, text(event, "/end")) {
            ("connection_opened", _) if flag(event, "/tls") => self.begins(event),
            ("handshake", _) if text(event, "/cause") == Some("stalled") => {}
            ("connect", _) if is_from_client(event) => self.begins(event),
            // A broker that is silent on purpose hears of nothing but the end.
            ("connection_closed", Some("handshake")) => self.ends(event, found),
            ("connection_closed", Some("fault"))
                if text(event, "/detail").is_some_and(|why| why.contains("never answered")) =>
            {
                self.ends(event, found);
            }
            ("handshake" | "connack" | "connection_closed", _) => {
                self.waiting.remove(&connection(event));
            }
            _ => {}
        }
    }
    fn due(&self) -> Option<LabTime> {
        let since = self.waiting.values().map(|(since, _)| *since);
        since.min().map(|since| since + self.longest())
    }

    fn passed(&mut self, now: LabTime, _: Moment, found: &mut Found) {
        let (longest, told) = (self.longest(), self.told);
        self.waiting.retain(|_, (since, seq)| {
            let waits = *since + longest >= now;
            if !waits {
                found.broken(
                    format!("waits for more than {longest:.1?}; it was told {told:.1?}"),
                    [*seq],
                );
            }
            waits
        });
    }
}
