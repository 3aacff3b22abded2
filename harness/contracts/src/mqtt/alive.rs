//! What a client owes in time.

use std::collections::BTreeMap;
use std::time::Duration;

use clock::LabTime;
use trace::Event;

use super::{connection, is_from_client};
use crate::read::{device, is_boot, number};
use crate::{Found, Moment, Watch};

/// No network timeout of an SDK of the field is longer.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(10);

/// PINGREQs of one keep-alive at the most; SDKs of the field send one or two.
const PINGS: u32 = 8;

/// What was delivered at QoS 1 and is not acknowledged, by connection and identifier.
#[derive(Default)]
pub struct Acknowledges(BTreeMap<(u64, u64), (LabTime, u64)>);

impl Watch for Acknowledges {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let connection = connection(event);
        let id = number(event, "/id").unwrap_or_default();
        match (&*event.kind, is_from_client(event)) {
            ("connection_closed", _) => self.0.retain(|(other, _), _| *other != connection),
            ("publish", false) if number(event, "/qos") == Some(1) => {
                self.0.insert((connection, id), (event.at(), event.seq));
            }
            ("puback", true) => match self.0.remove(&(connection, id)) {
                Some(_) => found.held(),
                None => found.broken(
                    format!("PUBACK for identifier {id}, which was not delivered"),
                    [event.seq],
                ),
            },
            _ => {}
        }
    }

    fn due(&self) -> Option<LabTime> {
        self.0
            .values()
            .map(|(at, _)| *at + ACKNOWLEDGED_WITHIN)
            .min()
    }

    fn passed(&mut self, now: LabTime, moment: Moment, found: &mut Found) {
        self.0.retain(|(_, id), (at, seq)| {
            let waits = *at + ACKNOWLEDGED_WITHIN >= now;
            if !waits && moment.calm_from(*at) {
                found.broken(format!("no PUBACK for identifier {id}"), [*seq]);
            }
            waits
        });
    }
}

/// The packet by which the client has to go on with a message of QoS 2, by connection and identifier, and since
/// when and by which event.
#[derive(Default)]
pub struct GoesOn(BTreeMap<(u64, &'static str, u64), (LabTime, u64)>);

impl Watch for GoesOn {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let connection = connection(event);
        let id = number(event, "/id").unwrap_or_default();
        let is_refused = number(event, "/code").is_some_and(|code| code >= 0x80);
        let next = match (&*event.kind, is_from_client(event)) {
            ("connection_closed", _) => {
                self.0.retain(|(other, ..), _| *other != connection);
                return;
            }
            ("publish", false) if number(event, "/qos") == Some(2) => "pubrec",
            ("pubrec", false) if !is_refused => "pubrel",
            ("pubrel", false) => "pubcomp",
            (kind, true) => {
                let awaited = ["pubrec", "pubrel", "pubcomp"]
                    .into_iter()
                    .find(|one| *one == kind);
                let was = awaited.and_then(|kind| self.0.remove(&(connection, kind, id)));
                if was.is_some() {
                    found.held();
                }
                return;
            }
            _ => return,
        };
        self.0
            .insert((connection, next, id), (event.at(), event.seq));
    }

    fn due(&self) -> Option<LabTime> {
        let since = self.0.values().map(|(at, _)| *at);
        since.min().map(|at| at + ACKNOWLEDGED_WITHIN)
    }

    fn passed(&mut self, now: LabTime, moment: Moment, found: &mut Found) {
        self.0.retain(|(_, next, id), (at, seq)| {
            let waits = *at + ACKNOWLEDGED_WITHIN >= now;
            if !waits && moment.calm_from(*at) {
                let next = next.to_uppercase();
                found.broken(format!("no {next} for identifier {id}"), [*seq]);
            }
            waits
        });
    }
}

/// When each connection's client sent its last packet, and how long it may keep silent.
#[derive(Default)]
pub struct KeepsAlive(BTreeMap<u64, Silence>);

struct Silence {
    /// Whose connection it is.
    device: String,
    since: LabTime,
    seq: u64,
    allowed: Duration,
}

impl Watch for KeepsAlive {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if is_boot(event) {
            // Without power it is rightly silent.
            self.0.retain(|_, silence| silence.device != device(event));
            return;
        }
        if event.kind == "left" {
            // The broker may not have noticed yet that nobody is there.
            self.0.retain(|_, silence| silence.device != device(event));
            return;
        }
        let connection = connection(event);
        if event.kind == "connection_closed" {
            self.0.remove(&connection);
            return;
        }
        if event.kind == "session_opened" {
            // The broker learns from CONNECT whose it is.
            if let Some(silence) = self.0.get_mut(&connection) {
                silence.device = device(event).to_owned();
            }
            return;
        }
        if !is_from_client(event) {
            return;
        }
        if event.kind == "connect" {
            let keep_alive = number(event, "/keep_alive_s").unwrap_or_default();
            if keep_alive > 0 {
                let silence = Silence {
                    device: device(event).to_owned(),
                    since: event.at(),
                    seq: event.seq,
                    // The lab's clock and the device's are not one, and the network takes its time.
                    allowed: Duration::from_secs(keep_alive) * 11 / 10 + Duration::from_secs(1),
                };
                self.0.insert(connection, silence);
            }
        } else if let Some(silence) = self.0.get_mut(&connection) {
            silence.since = event.at();
            silence.seq = event.seq;
            if event.kind == "pingreq" {
                found.held();
            }
        }
    }

    fn due(&self) -> Option<LabTime> {
        let silences = self.0.values();
        silences
            .map(|silence| silence.since + silence.allowed)
            .min()
    }

    fn passed(&mut self, now: LabTime, moment: Moment, found: &mut Found) {
        self.0.retain(|_, silence| {
            let waits = silence.since + silence.allowed >= now;
            if !waits && moment.calm_from(silence.since) {
                let allowed = silence.allowed;
                found.broken(format!("silent for more than {allowed:.0?}"), [silence.seq]);
            }
            waits
        });
    }
}

/// The keep-alive of each connection, and its last PINGREQ.
#[derive(Default)]
pub struct PingsAreFew(BTreeMap<u64, (Duration, Option<(LabTime, u64)>)>);

impl Watch for PingsAreFew {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let connection = connection(event);
        match (&*event.kind, is_from_client(event)) {
            ("connection_closed", _) => {
                self.0.remove(&connection);
            }
            ("connect", true) => {
                let keep_alive = number(event, "/keep_alive_s").unwrap_or_default();
                self.0
                    .insert(connection, (Duration::from_secs(keep_alive), None));
            }
            ("pingreq", true) => {
                let Some((keep_alive, last)) = self.0.get_mut(&connection) else {
                    return;
                };
                let before = last.replace((event.at(), event.seq));
                let Some((at, seq)) = before else { return };
                let (apart, keep_alive) = (event.at() - at, *keep_alive);
                found.check(
                    apart >= keep_alive / PINGS,
                    || {
                        format!(
                            "pings again after {apart:.1?}, with a keep-alive of {keep_alive:.0?}"
                        )
                    },
                    [seq, event.seq],
                );
            }
            _ => {}
        }
    }
}
