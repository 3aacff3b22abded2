//! How often a device that gets nowhere tries again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use clock::LabTime;
use trace::{Event, Source};

use crate::faults::is_momentary;
use crate::read::{
    MQTT_DISCONNECTED, device, flag, is_boot, left_by_itself, number, since_boot, text,
};
use crate::{Contract, Found, Moment, Sight, Watch};

/// Failed joins of one minute at the most, once the first minute is over.
const MOST_JOINS: usize = 9;
const MINUTE: Duration = Duration::from_secs(60);
/// From the loss of a network in which a station had an address to its first try to come back.
const FIRST_TRY: Duration = Duration::from_secs(10);
/// How long an MQTT session stands to count as one.
const STOOD: Duration = Duration::from_secs(2);

pub const CONTRACTS: &[Contract] = &[
    Contract {
        id: "station-looks-less-and-less-often",
        needs: &[Sight::Air],
        says: "a station that does not find its network looks for it no more than nine times a minute",
        source: "house: ESP-IDF's example tries at once, and empties batteries",
        reads: since_boot![
            (Source::Air, "joined"),
            (Source::Air, "left"),
            (Source::Provisioning, "exchange"),
        ],
        watch: |_| Some(Box::<Looks>::default()),
    },
    Contract {
        id: "station-looks-at-once",
        needs: &[Sight::Air, Sight::Clock],
        says: "a station that had an address and lost its network looks for it within ten seconds",
        source: "ESP-IDF examples: esp_wifi_connect on WIFI_EVENT_STA_DISCONNECTED; house: back-off begins \
                 anew after success",
        reads: since_boot![
            (Source::Air, "joined"),
            (Source::Air, "leased"),
            (Source::Air, "left"),
            (Source::Provisioning, "exchange"),
        ],
        watch: |_| Some(Box::<Returns>::default()),
    },
    Contract {
        id: "broker-tried-less-and-less-often",
        needs: &[Sight::Air, Sight::Broker, Sight::Clock],
        says: "a device that comes to no MQTT session waits longer after each try, up to its longest delay",
        source: "ESP-IDF esp-mqtt: reconnect_timeout_ms; RFC 7252 §4.8.1 on back-off; house",
        reads: since_boot![
            (Source::Air, "connection_opened"),
            (Source::Air, "connection_closed"),
            (Source::Air, "left"),
            (Source::Air, "leased"),
            (Source::Mqtt, "session_opened"),
            (Source::Mqtt, "disconnect"),
            (Source::Log, "line"),
        ],
        watch: |facts| {
            let cloud = facts.cloud.as_ref()?;
            let host = cloud.server_name.clone()?;
            cloud.backs_off.then(|| {
                Box::new(BackOff {
                    host,
                    first: cloud.reconnect,
                    longest: cloud.reconnect_max,
                    tries: BTreeMap::new(),
                    leaves: BTreeSet::new(),
                }) as Box<dyn Watch>
            })
        },
    },
    Contract {
        id: "broker-tried-soon-after-a-session",
        needs: &[Sight::Air, Sight::Broker, Sight::Clock],
        says: "a device whose MQTT session stood and ended tries again after its first delay, and no later",
        source: "ESP-IDF esp-mqtt: reconnect_timeout_ms; house: back-off begins anew after success",
        reads: since_boot![
            (Source::Air, "connection_opened"),
            (Source::Air, "name_asked"),
            (Source::Air, "left"),
            (Source::Mqtt, "session_opened"),
            (Source::Mqtt, "connection_closed"),
            (Source::Engine, "fault"),
        ],
        watch: |facts| {
            let cloud = facts.cloud.as_ref()?;
            Some(Box::new(Soon {
                host: cloud.server_name.clone()?,
                first: cloud.reconnect,
                sessions: BTreeMap::new(),
                ended: BTreeMap::new(),
                broken: 0,
            }))
        },
    },
];

/// Whether a phone tells the device of a network, or takes one away.
fn is_told(event: &Event) -> bool {
    event.kind == "exchange"
}

/// When each device has failed to join since it was in a network last.
#[derive(Default)]
struct Looks(BTreeMap<String, VecDeque<(LabTime, u64)>>);

impl Watch for Looks {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if event.kind != "left" {
            self.0.remove(device(event));
            return;
        }
        let failed = self.0.entry(device(event).to_owned()).or_default();
        failed.push_back((event.at(), event.seq));
        while failed
            .front()
            .is_some_and(|(at, _)| *at + MINUTE < event.at())
        {
            failed.pop_front();
        }
        // A delay that grows has its short ones in the beginning.
        found.check(
            failed.len() <= MOST_JOINS,
            || format!("looked for it {} times in a minute", failed.len()),
            [failed[0].1, event.seq],
        );
        if failed.len() > MOST_JOINS {
            failed.clear();
        }
    }
}

/// Which devices have an address, and which have lost their network and not looked for it yet.
#[derive(Default)]
struct Returns {
    addressed: BTreeMap<String, bool>,
    lost: BTreeMap<String, (LabTime, u64)>,
}

impl Watch for Returns {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        if is_boot(event) || is_told(event) {
            self.addressed.remove(name);
            self.lost.remove(name);
            return;
        }
        if event.kind == "leased" {
            self.addressed.insert(name.to_owned(), true);
            return;
        }
        if self.lost.remove(name).is_some() {
            found.held();
        }
        let had_an_address = self.addressed.insert(name.to_owned(), false) == Some(true);
        if event.kind == "left" && had_an_address && !left_by_itself(event) {
            self.lost.insert(name.to_owned(), (event.at(), event.seq));
        }
    }

    fn due(&self) -> Option<LabTime> {
        self.lost.values().map(|(at, _)| *at + FIRST_TRY).min()
    }

    fn passed(&mut self, now: LabTime, _: Moment, found: &mut Found) {
        self.lost.retain(|_, (at, seq)| {
            let waits = *at + FIRST_TRY >= now;
            if !waits {
                found.broken("has not looked for its network since", [*seq]);
            }
            waits
        });
    }
}

/// BackOff of each device that came to no session: how many in a row, and when the last ended.
struct BackOff {
    host: String,
    first: Duration,
    longest: Duration,
    tries: BTreeMap<String, Tried>,
    /// Devices that have said goodbye, and so may come again whenever they like.
    leaves: BTreeSet<String>,
}

#[derive(Default)]
struct Tried {
    times: u32,
    /// The client's address and port. One of before the network was lost may end long after.
    open: Option<String>,
    ended: Option<(LabTime, u64)>,
}

impl Watch for BackOff {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        if let Some(line) = event.line() {
            // Who has given a connection up does not hear of its end any more.
            if line.text.starts_with(MQTT_DISCONNECTED)
                && !self.leaves.contains(name)
                && let Some(tried) = self.tries.get_mut(name)
                && tried.open.take().is_some()
            {
                tried.ended = Some((event.at(), event.seq));
            }
            return;
        }
        if event.kind == "disconnect" {
            self.leaves.insert(name.to_owned());
        }
        if is_boot(event)
            || matches!(
                &*event.kind,
                "left" | "leased" | "session_opened" | "disconnect"
            )
        {
            // Of a session the connection is remembered: its end is the first failure.
            let open = self.tries.remove(name).and_then(|tried| tried.open);
            if event.kind == "session_opened" {
                let tried = Tried {
                    open,
                    ..Tried::default()
                };
                self.tries.insert(name.to_owned(), tried);
            }
            return;
        }
        if text(event, "/host") != Some(&self.host) || text(event, "/protocol") != Some("tcp") {
            return;
        }
        let client = text(event, "/client").unwrap_or_default();
        let tried = self.tries.entry(name.to_owned()).or_default();
        if event.kind == "connection_closed" {
            let leaves = self.leaves.remove(name);
            if tried.open.take_if(|open| open == client).is_some() && !leaves {
                tried.ended = Some((event.at(), event.seq));
            }
            return;
        }
        tried.open = Some(client.to_owned());
        if let Some((at, seq)) = tried.ended.take() {
            tried.times += 1;
            let times = tried.times;
            // What failed before it came to a connection is not counted here, and only makes it wait longer.
            let growth = 1_u32 << (times - 1).min(16);
            let least = self.first.saturating_mul(growth).min(self.longest);
            let waited = event.at() - at;
            found.check(
                waited + Duration::from_millis(1_200) >= least * 9 / 10,
                || {
                    format!(
                        "try {} came after {waited:.1?}; {least:.1?} is the least",
                        times + 1
                    )
                },
                [seq, event.seq],
            );
        }
    }
}

/// Sessions of each device, and those that stood and ended.
struct Soon {
    host: String,
    first: Duration,
    /// Connection and beginning.
    sessions: BTreeMap<String, (u64, LabTime)>,
    ended: BTreeMap<String, (LabTime, u64)>,
    /// Faults that are on.
    broken: u32,
}

impl Watch for Soon {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        match &*event.kind {
            "session_opened" => {
                let connection = number(event, "/connection").unwrap_or_default();
                self.sessions
                    .insert(name.to_owned(), (connection, event.at()));
                self.ended.remove(name);
            }
            "connection_closed" => {
                let connection = number(event, "/connection").unwrap_or_default();
                let owner = self
                    .sessions
                    .iter()
                    .find(|(_, (session, _))| *session == connection);
                let Some((owner, (_, since))) =
                    owner.map(|(name, session)| (name.clone(), *session))
                else {
                    return;
                };
                self.sessions.remove(&owner);
                let stood = since + STOOD <= event.at();
                // Whether a device that vanished knows of it by now, nobody can tell.
                let knows = matches!(text(event, "/end"), Some("fault" | "taken-over" | "closed"));
                if stood && knows && self.broken == 0 {
                    self.ended.insert(owner, (event.at(), event.seq));
                }
            }
            "fault" => {
                // One that only ends sessions is over with them.
                let name = text(event, "/name").unwrap_or_default();
                if name != "session_ended" {
                    self.ended.clear();
                    match flag(event, "/on") {
                        _ if is_momentary(name) => {}
                        true => self.broken += 1,
                        false => self.broken = self.broken.saturating_sub(1),
                    }
                }
            }
            "left" => {
                self.ended.remove(name);
            }
            "connection_opened" | "name_asked" => {
                let host = text(event, "/host").or_else(|| text(event, "/name"));
                if host != Some(&self.host) {
                    return;
                }
                if let Some((at, seq)) = self.ended.remove(name) {
                    let waited = event.at() - at;
                    found.check(
                        waited <= self.first * 3 / 2 + Duration::from_secs(2),
                        || {
                            format!(
                                "came again after {waited:.1?}; its first delay is {:.1?}",
                                self.first
                            )
                        },
                        [seq, event.seq],
                    );
                }
            }
            _ => {
                self.sessions.remove(name);
                self.ended.remove(name);
            }
        }
    }
}
