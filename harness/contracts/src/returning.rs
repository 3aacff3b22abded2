//! What a device does of its own accord once it can: it asks for the time, comes back after a loss,
//! and says in each session what it has to say.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clock::LabTime;
use trace::{Event, Source};

use crate::read::{device, is_boot, number, since_boot, text};
use crate::{Contract, Found, Moment, Sight, Watch};

/// Until a device with an address asks for the time, or says in a session what it has to say.
const SOON: Duration = Duration::from_secs(30);
/// Until a station that knows its network is back in it, from the loss or from the end of what was broken.
const BACK_WITHIN: Duration = Duration::from_secs(60);
/// What TCP and TLS may take beside a client's own delay.
const HANDSHAKES: Duration = Duration::from_secs(30);

pub const CONTRACTS: &[Contract] = &[
    Contract {
        id: "time-is-asked-for",
        needs: &[Sight::Air, Sight::Broker, Sight::Clock],
        says: "a device that was told a time server asks it within half a minute of getting an \
               address for the first time since it was started",
        source: "ESP-IDF examples: sntp_init after IP_EVENT_STA_GOT_IP",
        reads: since_boot![
            (Source::Air, "leased"),
            (Source::Air, "left"),
            (Source::Sntp, "answered"),
            (Source::Sntp, "kept_silent"),
        ],
        watch: |facts| {
            facts.sntp.as_ref()?;
            Some(Box::new(Waiting::new(
                SOON,
                "has not asked for the time",
                |event| match (event.source, &*event.kind) {
                    (Source::Air, "leased") if device(event).is_empty() => Turn::Goes,
                    (Source::Air, "leased") => Turn::Begins,
                    (Source::Air, _) => Turn::Ends,
                    _ => Turn::Done { for_good: true },
                },
            )))
        },
    },
    Contract {
        id: "joins-again",
        needs: &[Sight::Air, Sight::Phones, Sight::Clock],
        says: "a station that lost the network in which it had an address is back within a minute, also after a fault",
        source: "ESP-IDF examples: esp_wifi_connect on WIFI_EVENT_STA_DISCONNECTED",
        reads: since_boot![
            (Source::Air, "joined"),
            (Source::Air, "leased"),
            (Source::Air, "left"),
            (Source::Provisioning, "exchange"),
        ],
        watch: |_| Some(Box::<JoinsAgain>::default()),
    },
    Contract {
        id: "mqtt-comes-back",
        needs: &[Sight::Air, Sight::Broker, Sight::Clock],
        says: "a device that lost its MQTT session and has a network opens another one within its \
               longest delay",
        source: "ESP-IDF esp-mqtt: reconnect_timeout_ms",
        reads: since_boot![
            (Source::Air, "leased"),
            (Source::Air, "left"),
            (Source::Mqtt, "session_opened"),
            (Source::Mqtt, "connection_closed"),
        ],
        watch: |facts| {
            let longest = facts.cloud.as_ref()?.reconnect_max;
            Some(Box::new(ComesBack::new(longest + HANDSHAKES)))
        },
    },
    Contract {
        id: "telemetry-in-each-session",
        needs: &[Sight::Broker, Sight::Clock],
        says: "a device that was told telemetry publishes some within half a minute of each CONNACK, or \
               within its interval, if that is longer",
        source: "the device's factory data",
        reads: since_boot![
            (Source::Air, "left"),
            (Source::Mqtt, "session_opened"),
            (Source::Mqtt, "connection_closed"),
            (Source::Mqtt, "publish"),
        ],
        watch: |facts| {
            let telemetry = facts.telemetry.clone()?;
            let within = SOON.max(telemetry.every + telemetry.every / 10);
            let turn = move |event: &Event| match &*event.kind {
                "session_opened" => Turn::Begins,
                "publish" if text(event, "/topic") == Some(&telemetry.topic) => {
                    Turn::Done { for_good: false }
                }
                "publish" => Turn::Goes,
                _ => Turn::Ends,
            };
            Some(Box::new(Waiting::new(
                within,
                "has published no telemetry",
                turn,
            )))
        },
    },
    Contract {
        id: "telemetry-keeps-its-interval",
        needs: &[Sight::Broker, Sight::Clock],
        says: "a device that was told an interval for its telemetry keeps it as long as a session stands",
        source: "the device's factory data",
        reads: since_boot![
            (Source::Air, "left"),
            (Source::Mqtt, "session_opened"),
            (Source::Mqtt, "connection_closed"),
            (Source::Mqtt, "publish"),
        ],
        watch: |facts| {
            let telemetry = facts.telemetry.clone()?;
            let every = Some(telemetry.every).filter(|every| !every.is_zero())?;
            let turn = move |event: &Event| match &*event.kind {
                "session_opened" => Turn::Begins,
                "publish" if text(event, "/topic") == Some(&telemetry.topic) => Turn::BeginsAnew,
                "publish" => Turn::Goes,
                _ => Turn::Ends,
            };
            let within = every + every / 2 + Duration::from_secs(5);
            let seen = "has published no telemetry for longer than its interval";
            Some(Box::new(Waiting::new(within, seen, turn)))
        },
    },
    Contract {
        id: "linkkit-reports-once-connected",
        needs: &[Sight::Broker, Sight::Clock],
        says: "a device of a Linkkit product reports its token within half a minute of the first \
               CONNACK since it was started",
        source: "Linkkit C SDK 2.3.0: awss_report_token after IOTX_MQTT_EVENT_CONNECT",
        reads: since_boot![
            (Source::Air, "left"),
            (Source::Mqtt, "session_opened"),
            (Source::Mqtt, "connection_closed"),
            (Source::Cloud, "token_reported"),
            (Source::Cloud, "report_malformed"),
        ],
        watch: |facts| {
            facts.linkkit.as_ref()?;
            Some(Box::new(Waiting::new(
                SOON,
                "has reported no token",
                |event| match &*event.kind {
                    "session_opened" => Turn::Begins,
                    "left" | "connection_closed" => Turn::Ends,
                    _ => Turn::Done { for_good: true },
                },
            )))
        },
    },
];

/// What an event is to a wait.
enum Turn {
    /// From now on the time counts.
    Begins,
    /// What was waited for. `for_good`: until the device is started anew it is not owed again.
    Done { for_good: bool },
    /// What was waited for; it is owed again, from now on.
    BeginsAnew,
    /// What made it possible is gone: the session, or the network under it.
    Ends,
    /// Nothing.
    Goes,
}

/// Something that each device owes within a time of something else.
struct Waiting<F> {
    within: Duration,
    seen: &'static str,
    turn: F,
    waiting: BTreeMap<String, (LabTime, u64)>,
    /// Devices that owe nothing more until they are started anew.
    done: BTreeSet<String>,
    /// Every device that there is: an event without a name is of the only one.
    devices: BTreeSet<String>,
}

impl<F: Fn(&Event) -> Turn> Waiting<F> {
    fn new(within: Duration, seen: &'static str, turn: F) -> Self {
        Self {
            within,
            seen,
            turn,
            waiting: BTreeMap::new(),
            done: BTreeSet::new(),
            devices: BTreeSet::new(),
        }
    }
}

impl<F: Fn(&Event) -> Turn + Send> Watch for Waiting<F> {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if is_boot(event) {
            self.devices.insert(device(event).to_owned());
            self.waiting.remove(device(event));
            self.done.remove(device(event));
            return;
        }
        let turn = (self.turn)(event);
        let name = match device(event) {
            "" => match (self.devices.len(), self.devices.first()) {
                (1, Some(only)) => only.clone(),
                _ => {
                    // It may be of any of them.
                    self.waiting.clear();
                    return;
                }
            },
            name => {
                self.devices.insert(name.to_owned());
                name.to_owned()
            }
        };
        match turn {
            Turn::Begins if !self.done.contains(&name) => {
                self.waiting.insert(name, (event.at(), event.seq));
            }
            Turn::Done { for_good } => {
                if self.waiting.remove(&name).is_some() {
                    found.held();
                }
                if for_good {
                    self.done.insert(name);
                }
            }
            Turn::BeginsAnew => {
                if let Some(waiting) = self.waiting.get_mut(&name) {
                    *waiting = (event.at(), event.seq);
                    found.held();
                }
            }
            Turn::Ends => {
                self.waiting.remove(&name);
            }
            Turn::Begins | Turn::Goes => {}
        }
    }

    fn due(&self) -> Option<LabTime> {
        self.waiting.values().map(|(at, _)| *at + self.within).min()
    }

    fn passed(&mut self, now: LabTime, moment: Moment, found: &mut Found) {
        let (within, seen) = (self.within, self.seen);
        self.waiting.retain(|_, (at, seq)| {
            let waits = *at + within >= now;
            if !waits && moment.calm_from(*at) {
                found.broken(seen, [*seq]);
            }
            waits
        });
    }
}

/// Which devices have had an address, and since when those are without a network that lost it.
#[derive(Default)]
struct JoinsAgain {
    addressed: BTreeSet<String>,
    lost: BTreeMap<String, LostNetwork>,
}

struct LostNetwork {
    since: LabTime,
    /// When to look whether it is back.
    by: LabTime,
    seq: u64,
}

impl Watch for JoinsAgain {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        match &*event.kind {
            "leased" if !name.is_empty() => {
                self.addressed.insert(name.to_owned());
            }
            "left" if self.addressed.contains(name) => {
                let lost = LostNetwork {
                    since: event.at(),
                    by: event.at() + BACK_WITHIN,
                    seq: event.seq,
                };
                self.lost.entry(name.to_owned()).or_insert(lost);
            }
            "joined" => {
                let came_back = self.lost.remove(name).is_some();
                if came_back {
                    found.held();
                }
            }
            "exchange" => {
                // A phone may have told it of another network, or taken this one away.
                let asked = text(event, "/request/message");
                let changes = matches!(
                    asked,
                    Some(
                        "cmd_set_config"
                            | "cmd_apply_config"
                            | "cmd_ctrl_reset"
                            | "cmd_ctrl_reprov"
                    )
                );
                if changes || text(event, "/request/raw").is_some() {
                    self.addressed.remove(name);
                    self.lost.remove(name);
                }
            }
            _ if is_boot(event) => {
                self.addressed.remove(name);
                self.lost.remove(name);
            }
            _ => {}
        }
    }

    fn due(&self) -> Option<LabTime> {
        self.lost.values().map(|lost| lost.by).min()
    }

    fn passed(&mut self, now: LabTime, moment: Moment, found: &mut Found) {
        self.lost.retain(|_, lost| {
            if lost.by >= now {
                return true;
            }
            // While a fault is on, the minute has not begun.
            let begun = moment.calm_since.map_or(now, |calm| calm.max(lost.since));
            lost.by = begun + BACK_WITHIN;
            let waits = lost.by >= now;
            if !waits {
                found.broken("is in no network a minute later", [lost.seq]);
            }
            waits
        });
    }
}

/// Devices with an address, and their sessions.
struct ComesBack {
    within: Duration,
    /// Since when each device has had an address.
    addressed: BTreeMap<String, LabTime>,
    /// Which connection each device's session is on.
    session: BTreeMap<String, u64>,
    /// Since when a device that had a session has none.
    lost: BTreeMap<String, (LabTime, u64)>,
}

impl ComesBack {
    fn new(within: Duration) -> Self {
        Self {
            within,
            addressed: BTreeMap::new(),
            session: BTreeMap::new(),
            lost: BTreeMap::new(),
        }
    }

    /// Since when a device could be in a session and is not.
    fn since(&self, name: &str, lost: LabTime) -> Option<LabTime> {
        self.addressed.get(name).map(|at| lost.max(*at))
    }
}

impl Watch for ComesBack {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        let connection = number(event, "/connection").unwrap_or_default();
        match &*event.kind {
            "leased" if !name.is_empty() => {
                // A renewal is no new address.
                self.addressed.entry(name.to_owned()).or_insert(event.at());
            }
            "left" => {
                self.addressed.remove(name);
            }
            "session_opened" => {
                self.session.insert(name.to_owned(), connection);
                if self.lost.remove(name).is_some() {
                    found.held();
                }
            }
            "connection_closed" => {
                // The broker may not name the device any more.
                let owner = self.session.iter().find(|(_, at)| **at == connection);
                if let Some(owner) = owner.map(|(owner, _)| owner.clone()) {
                    self.session.remove(&owner);
                    // One that says goodbye has not lost it.
                    if text(event, "/end") != Some("disconnected") {
                        self.lost.insert(owner, (event.at(), event.seq));
                    }
                }
            }
            _ if is_boot(event) => {
                self.addressed.remove(name);
                self.session.remove(name);
                self.lost.remove(name);
            }
            _ => {}
        }
    }

    fn due(&self) -> Option<LabTime> {
        let since = |(name, (lost, _)): (&String, &(LabTime, u64))| self.since(name, *lost);
        let lost = self.lost.iter().filter_map(since);
        lost.map(|at| at + self.within).min()
    }

    fn passed(&mut self, now: LabTime, moment: Moment, found: &mut Found) {
        let mut over = Vec::new();
        for (name, (lost, seq)) in &self.lost {
            let Some(since) = self.since(name, *lost) else {
                continue;
            };
            if since + self.within < now {
                if moment.calm_from(since) {
                    found.broken("has an address, and no session since", [*seq]);
                }
                over.push(name.clone());
            }
        }
        for name in over {
            self.lost.remove(&name);
        }
    }
}
