//! How long a device offers provisioning over its own network.

use std::collections::BTreeMap;
use std::time::Duration;

use clock::LabTime;
use trace::{Event, Source};

use crate::facts::ServiceFacts;
use crate::read::{POWER_IS_TOLD, device, is_boot, number, since_boot, text};
use crate::{Contract, Found, Moment, Sight, Watch};

/// From the apply that a phone was answered to the first try (ESP-IDF: a timer of a second).
const FIRST_TRY: Duration = Duration::from_secs(1);
/// From that answer to the first try at the most: the timer, and a look at all channels.
const FIRST_TRY_BY: Duration = Duration::from_secs(5);
/// What the device may take to end its service beside its delay.
const ENDING: Duration = Duration::from_secs(2);
/// What it may take beside that to be rid of a phone that is on a link.
const GOODBYE: Duration = Duration::from_secs(2);

/// A device's own network, and its own address there (ESP-IDF).
const OWN_NETWORK: &str = "192.168.4.";
const OWN_ADDRESS: &str = "192.168.4.1";
/// The shortest and the longest lease there.
const LEASE: (Duration, Duration) = (
    Duration::from_secs(60 * 60),
    Duration::from_secs(24 * 60 * 60),
);

const READS: &[(Source, &str)] = since_boot![
    (Source::Air, "soft_ap_started"),
    (Source::Air, "soft_ap_stopped"),
    (Source::Air, "leased"),
    (Source::Provisioning, "exchange"),
];

pub const CONTRACTS: &[Contract] = &[
    Contract {
        id: "service-stays-until-success",
        needs: &[Sight::Air, Sight::Phones],
        says: "a device keeps its own network until it has an address in another one",
        source: "ESP-IDF wifi_provisioning: wifi_prov_mgr_stop_provisioning after CRED_SUCCESS",
        reads: since_boot![
            (Source::Air, "soft_ap_started"),
            (Source::Air, "soft_ap_stopped"),
            (Source::Air, "leased"),
            (Source::Board, "switching"),
        ],
        watch: |_| Some(Box::<Stays>::default()),
    },
    Contract {
        id: "service-ends-after-success",
        needs: &[Sight::Air, Sight::Phones, Sight::Clock],
        says: "a device that stops by itself ends its own network soon after a phone was told of \
               success, and half a minute after it if none asked",
        source: "ESP-IDF wifi_provisioning: cleanup_delay_timer, autostop_timer",
        reads: READS,
        watch: |facts| {
            let service = facts.service.clone()?;
            service.stops_by_itself.then_some(())?;
            Some(Box::new(Ends {
                service,
                offered: BTreeMap::new(),
            }))
        },
    },
    Contract {
        id: "service-leases-its-own-network",
        needs: &[],
        says: "a phone in a device's own network gets an address of its own of 192.168.4.0 with a mask of 24 bits, the \
               device as its router, and a lease of an hour to a day",
        source: "ESP-IDF esp_netif: ESP_NETIF_DEFAULT_AP, _g_esp_netif_soft_ap_ip; lwip dhcpserver: \
                 DHCPS_LEASE_TIME_DEF of 120 minutes",
        reads: &[
            (Source::Air, "phone_joined"),
            (Source::Air, "phone_left"),
            (Source::Air, "soft_ap_stopped"),
        ],
        watch: |facts| {
            facts.service.as_ref()?;
            Some(Box::<OwnNetwork>::default())
        },
    },
    Contract {
        id: "station-starts-after-the-answer",
        needs: &[Sight::Air, Sight::Phones, Sight::Clock],
        says: "a device tries a network a second after it has answered that it will, so that the \
               answer gets through",
        source: "ESP-IDF wifi_provisioning: wifi_connect_timer",
        reads: since_boot![
            (Source::Provisioning, "exchange"),
            (Source::Air, "joined"),
            (Source::Air, "left"),
        ],
        watch: |_| Some(Box::<FirstTry>::default()),
    },
    Contract {
        id: "station-starts-soon-after-the-answer",
        needs: &[Sight::Air, Sight::Phones, Sight::Clock],
        says: "a device that has answered that it will try a network has tried it five seconds later",
        source: "ESP-IDF wifi_provisioning: wifi_connect_timer, esp_wifi_connect",
        reads: since_boot![
            (Source::Provisioning, "exchange"),
            (Source::Air, "joined"),
            (Source::Air, "left"),
        ],
        watch: |_| Some(Box::<SoonTry>::default()),
    },
    Contract {
        id: "says-stopped-in-time",
        needs: &[Sight::Air, Sight::Phones, Sight::Clock],
        says: "a device that stops by itself says so after its delay from the answer that told a phone of \
               success, or else from the address, and not before; one that does not never says so",
        source: "ESP-IDF wifi_provisioning: cleanup_delay_timer, autostop_timer; Provisioning stopped",
        reads: since_boot![
            (Source::Log, "line"),
            (Source::Air, "leased"),
            (Source::Provisioning, "exchange"),
        ],
        watch: |facts| {
            Some(Box::new(Stops {
                service: facts.ending.clone()?,
                running: BTreeMap::new(),
            }))
        },
    },
];

/// When each device has answered an apply, until it tries.
#[derive(Default)]
struct SoonTry(BTreeMap<String, (LabTime, u64)>);

impl Watch for SoonTry {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        if event.kind != "exchange" {
            let is_try = event.source == Source::Air;
            if self.0.remove(name).is_some() && is_try {
                found.held();
            }
            return;
        }
        match text(event, "/request/message") {
            Some("cmd_apply_config") if text(event, "/answer/status") == Some("success") => {
                self.0.insert(name.to_owned(), (event.at(), event.seq));
            }
            // Told otherwise, perhaps in bytes of a scenario's own.
            Some("cmd_ctrl_reset" | "cmd_ctrl_reprov") => {
                self.0.remove(name);
            }
            None if text(event, "/request/raw").is_some() => {
                self.0.remove(name);
            }
            _ => {}
        }
    }

    fn due(&self) -> Option<LabTime> {
        self.0.values().map(|(at, _)| *at + FIRST_TRY_BY).min()
    }

    fn passed(&mut self, now: LabTime, moment: Moment, found: &mut Found) {
        self.0.retain(|_, (at, seq)| {
            let waits = *at + FIRST_TRY_BY >= now;
            if !waits && moment.calm_from(*at) {
                found.broken("has not tried the network since", [*seq]);
            }
            waits
        });
    }
}

/// Services that have said that they run.
struct Stops {
    service: ServiceFacts,
    running: BTreeMap<String, Running>,
}

#[derive(Default)]
struct Running {
    /// Between which times it has to say that it has stopped, and why.
    owed: Option<(LabTime, LabTime)>,
    is_told: bool,
    /// Whether the application was spoken to, which may stop it at any time.
    is_free: bool,
    events: Vec<u64>,
}

impl Watch for Stops {
    fn event(&mut self, event: &Event, moment: Moment, found: &mut Found) {
        let name = device(event);
        if is_boot(event) {
            self.running.remove(name);
            return;
        }
        if let Some(line) = event.line() {
            if line
                .text
                .starts_with("Provisioning started with service name")
            {
                let running = Running {
                    events: vec![event.seq],
                    ..Running::default()
                };
                self.running.insert(name.to_owned(), running);
            } else if line.text == "Provisioning stopped"
                && let Some(running) = self.running.remove(name)
                && !running.is_free
            {
                let events = running.events.iter().copied().chain([event.seq]);
                match running.owed {
                    _ if !self.service.stops_by_itself => {
                        found.broken("says that it has stopped, and nobody told it to", events);
                    }
                    // On a slow link the phone has the answer long after the device has told it.
                    Some((from, _)) => found.check(
                        event.at() >= from || moment.calm_since.is_none(),
                        || {
                            format!(
                                "says that it has stopped {:.1?} too early",
                                from - event.at()
                            )
                        },
                        events,
                    ),
                    None => found.broken("says that it has stopped, and has no address", events),
                }
            }
            return;
        }
        let Some(running) = self.running.get_mut(name) else {
            return;
        };
        let owes = |delay: Duration| {
            let from = event.at() + delay * 8 / 10;
            Some((from, event.at() + delay + ENDING + GOODBYE))
        };
        if event.kind == "leased" {
            if running.owed.is_none() {
                running.owed = owes(self.service.untold);
                running.events.push(event.seq);
            }
        } else if text(event, "/answer/station") == Some("connected") {
            if !running.is_told {
                running.is_told = true;
                running.owed = owes(self.service.told);
                running.events.push(event.seq);
            }
        } else if text(event, "/request/raw").is_some() {
            running.is_free = true;
        }
    }

    fn due(&self) -> Option<LabTime> {
        self.service.stops_by_itself.then_some(())?;
        let owed = self.running.values().filter(|running| !running.is_free);
        owed.filter_map(|running| running.owed.map(|(_, by)| by))
            .min()
    }

    fn passed(&mut self, now: LabTime, moment: Moment, found: &mut Found) {
        self.running.retain(|_, running| {
            let is_late = running.owed.is_some_and(|(_, by)| by < now);
            if is_late && !running.is_free && moment.calm_since.is_some() {
                found.broken("does not say that it has stopped", running.events.clone());
            }
            !is_late
        });
    }
}

/// Who has which address of each device's own network, and by which event.
#[derive(Default)]
struct OwnNetwork(BTreeMap<(String, String), (String, u64)>);

impl OwnNetwork {
    fn joined(&mut self, event: &Event, found: &mut Found) {
        let Some(prefix) = number(event, "/prefix") else {
            return;
        };
        let address = text(event, "/address").unwrap_or_default();
        let phone = text(event, "/phone").unwrap_or_default();
        let router = text(event, "/router").unwrap_or(OWN_ADDRESS);
        let lease = number(event, "/lease_s").map_or(LEASE.0, Duration::from_secs);
        let key = (device(event).to_owned(), address.to_owned());
        let other = self.0.insert(key, (phone.to_owned(), event.seq));
        let other = other.filter(|(owner, _)| owner != phone);
        let terms = format!("{address}/{prefix} with the router {router} for {lease:.0?}");
        if let Some((owner, seq)) = other {
            found.broken(
                format!("leased {phone} the address {address} of {owner}"),
                [seq, event.seq],
            );
        } else {
            found.check(
                address.starts_with(OWN_NETWORK)
                    && address != OWN_ADDRESS
                    && prefix == 24
                    && router == OWN_ADDRESS
                    && (LEASE.0..=LEASE.1).contains(&lease),
                || format!("leased {terms}"),
                [event.seq],
            );
        }
    }
}

impl Watch for OwnNetwork {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        // A phone that joins an access point is of no device.
        match (device(event), &*event.kind) {
            ("", _) => {}
            (_, "phone_joined") => self.joined(event, found),
            (name, "phone_left") => {
                let phone = text(event, "/phone").unwrap_or_default();
                self.0
                    .retain(|(of, _), (owner, _)| of != name || owner != phone);
            }
            (name, _) => self.0.retain(|(of, _), _| of != name),
        }
    }
}

/// What each device's own network is doing.
#[derive(Default)]
struct Stays(BTreeMap<String, Offered>);

/// A network that is on, or has just been ended.
enum Offered {
    On {
        seq: u64,
        addressed: bool,
    },
    /// The power may have gone by itself, which is told a moment later.
    Ended {
        at: LabTime,
        events: [u64; 2],
    },
}

impl Watch for Stays {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        match (&*event.kind, self.0.get_mut(name)) {
            ("soft_ap_started", None) => {
                let (seq, addressed) = (event.seq, false);
                self.0
                    .insert(name.to_owned(), Offered::On { seq, addressed });
            }
            ("leased", Some(Offered::On { addressed, .. })) => *addressed = true,
            (
                "soft_ap_stopped",
                Some(Offered::On {
                    addressed: true, ..
                }),
            ) => {
                self.0.remove(name);
                found.held();
            }
            ("soft_ap_stopped", Some(offered @ Offered::On { .. })) => {
                if let Offered::On { seq, .. } = offered {
                    *offered = Offered::Ended {
                        at: event.at(),
                        events: [*seq, event.seq],
                    };
                }
            }
            ("switching", Some(Offered::On { .. })) => {
                self.0.remove(name);
            }
            _ if is_boot(event) => {
                self.0.remove(name);
            }
            _ => {}
        }
    }

    fn due(&self) -> Option<LabTime> {
        let due = |offered: &Offered| match offered {
            Offered::On { .. } => None,
            Offered::Ended { at, .. } => Some(*at + POWER_IS_TOLD),
        };
        self.0.values().filter_map(due).min()
    }

    fn passed(&mut self, now: LabTime, _: Moment, found: &mut Found) {
        self.0.retain(|_, offered| match offered {
            Offered::Ended { at, events } if *at + POWER_IS_TOLD < now => {
                found.broken(
                    "ended its own network without an address in another one",
                    *events,
                );
                false
            }
            _ => true,
        });
    }
}

/// Devices whose own network is on, and what they owe.
struct Ends {
    service: ServiceFacts,
    offered: BTreeMap<String, Owed>,
}

/// By when the network has to be off, if that is known, and why.
#[derive(Default)]
struct Owed {
    by: Option<LabTime>,
    told: bool,
    events: Vec<u64>,
}

impl Watch for Ends {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        if is_boot(event) {
            self.offered.remove(name);
            return;
        }
        if event.kind == "soft_ap_started" {
            self.offered.entry(name.to_owned()).or_default();
            return;
        }
        let Some(owed) = self.offered.get_mut(name) else {
            return;
        };
        match &*event.kind {
            "leased" if owed.by.is_none() => {
                owed.by = Some(event.at() + self.service.untold + ENDING);
                owed.events = vec![event.seq];
            }
            "exchange" if !owed.told && text(event, "/answer/station") == Some("connected") => {
                owed.told = true;
                owed.by = Some(event.at() + self.service.told + ENDING);
                owed.events.push(event.seq);
            }
            "soft_ap_stopped" => {
                let owed = self.offered.remove(name);
                if owed.is_some_and(|owed| owed.by.is_some()) {
                    found.held();
                }
            }
            _ => {}
        }
    }

    fn due(&self) -> Option<LabTime> {
        self.offered.values().filter_map(|owed| owed.by).min()
    }

    fn passed(&mut self, now: LabTime, moment: Moment, found: &mut Found) {
        self.offered.retain(|_, owed| {
            let waits = owed.by.is_none_or(|by| by >= now);
            if !waits && moment.calm_since.is_some() {
                let seen = match owed.told {
                    true => "its own network is on long after a phone was told of success",
                    false => "its own network is on long after it got an address",
                };
                found.broken(seen, owed.events.clone());
            }
            waits
        });
    }
}

/// When each device has answered its first apply since it was started; none once it has tried: later
/// tries may still be those of the credentials before.
#[derive(Default)]
struct FirstTry(BTreeMap<String, Option<(LabTime, u64)>>);

impl Watch for FirstTry {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        if is_boot(event) {
            self.0.remove(name);
        } else if event.kind == "exchange" {
            let applied = text(event, "/request/message") == Some("cmd_apply_config")
                && text(event, "/answer/status") == Some("success");
            if applied {
                let answered = Some((event.at(), event.seq));
                self.0.entry(name.to_owned()).or_insert(answered);
            }
        } else if let Some((at, seq)) = self.0.insert(name.to_owned(), None).flatten() {
            let waited = event.at() - at;
            // The phone has the answer a little after the device has sent it, and a host that is late by a quarter
            // of a second has not been said to be too slow.
            found.check(
                waited >= FIRST_TRY * 7 / 10,
                || format!("tried the network {waited:.1?} after its answer"),
                [seq, event.seq],
            );
        }
    }
}
