//! How long a device offers provisioning over its own network.

use std::collections::BTreeMap;
use std::time::Duration;

use clock::LabTime;
use trace::{Event, Source};

use crate::facts::ServiceFacts;
use crate::read::{device, is_boot, number, since_boot, text};
use crate::{Contract, Found, Moment, Sight, Watch};

/// From the apply that a phone was answered to the first try (ESP-IDF: a timer of a second).
const FIRST_TRY: Duration = Duration::from_secs(1);
/// What the device may take to end its service beside its delay.
const ENDING: Duration = Duration::from_secs(2);

/// From a network that goes with the power to the event that tells of the power.
const POWER_IS_TOLD: Duration = Duration::from_secs(1);

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
        reads: READS,
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
        says: "a phone in a device's own network gets an address of 192.168.4.0 with a mask of 24 bits",
        source: "ESP-IDF esp_netif: ESP_NETIF_DEFAULT_AP, _g_esp_netif_soft_ap_ip",
        reads: &[(Source::Air, "phone_joined")],
        watch: |facts| {
            facts.service.as_ref()?;
            Some(Box::new(OwnNetwork))
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
];

struct OwnNetwork;

impl Watch for OwnNetwork {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        // A phone that joins an access point is of no device.
        let (false, Some(prefix)) = (device(event).is_empty(), number(event, "/prefix")) else {
            return;
        };
        let address = text(event, "/address").unwrap_or_default();
        found.check(
            address.starts_with("192.168.4.") && prefix == 24,
            || format!("leased {address}/{prefix}"),
            [event.seq],
        );
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
    /// The power may have gone, which is told a moment later.
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
            // The phone has the answer a little after the device has sent it.
            found.check(
                waited >= FIRST_TRY * 8 / 10,
                || format!("tried the network {waited:.1?} after its answer"),
                [seq, event.seq],
            );
        }
    }
}
