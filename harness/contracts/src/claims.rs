//! Lines of a device's log that claim something, each with the event that must stand behind it.
//!
//! The texts are ESP-IDF's and Linkkit's own, which other firmware prints too. A claim is good for
//! one event, and an event for one claim; which of the two is seen first does not matter.

mod times;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use clock::LabTime;
use trace::{Event, Source};

use crate::read::{device, number, text};
use crate::{Contract, Found, Moment, Sight, Watch};

/// How far a claim and its event may be apart: a line waits in a UART, a packet in a network.
const APART: Duration = Duration::from_secs(1);
/// Events that wait for their claim.
const MOST: usize = 256;

pub const CONTRACTS: &[Contract] = &[
    Contract {
        id: "says-address-only-if-leased",
        needs: &[Sight::Air, Sight::Clock],
        says: "a device logs the address that it was leased",
        source: "ESP-IDF esp_netif_handlers: sta ip",
        reads: &[(Source::Log, "line"), (Source::Air, "leased")],
        watch: |_| {
            Some(Box::new(Claim::new(
                |line| Some(line.strip_prefix("sta ip: ")?.split(',').next()?.to_owned()),
                "esp_netif_handlers",
                |event| text(event, "/address").map(str::to_owned),
            )))
        },
    },
    Contract {
        id: "says-mask-and-router-only-if-told",
        needs: &[Sight::Air, Sight::Clock],
        says: "a device logs the mask and the router that it was told with its address",
        source: "ESP-IDF esp_netif_handlers: sta ip",
        reads: &[(Source::Log, "line"), (Source::Air, "leased")],
        watch: |_| {
            Some(Box::new(Claim::new(
                |line| {
                    Some(
                        line.strip_prefix("sta ip: ")?
                            .split_once(", mask: ")?
                            .1
                            .to_owned(),
                    )
                },
                "esp_netif_handlers",
                |event| {
                    let router = text(event, "/router").unwrap_or("0.0.0.0");
                    Some(format!("{}, gw: {router}", text(event, "/mask")?))
                },
            )))
        },
    },
    Contract {
        id: "says-connected-with-its-address",
        needs: &[Sight::Air, Sight::Clock],
        says: "an application logs the address that its device was leased",
        source: "ESP-IDF wifi_prov_mgr example: Connected with IP Address",
        reads: &[(Source::Log, "line"), (Source::Air, "leased")],
        watch: |_| {
            Some(Box::new(Claim::new(
                |line| Some(line.strip_prefix("Connected with IP Address:")?.to_owned()),
                "app",
                |event| text(event, "/address").map(str::to_owned),
            )))
        },
    },
    Contract {
        id: "says-connected-only-if-in-session",
        needs: &[Sight::Broker, Sight::Clock],
        says: "a device logs that MQTT is connected once for each session that the broker opened",
        source: "ESP-IDF esp-mqtt: MQTT_EVENT_CONNECTED",
        reads: &[(Source::Log, "line"), (Source::Mqtt, "session_opened")],
        watch: |_| {
            Some(Box::new(Claim::new(
                |line| (line == "MQTT_EVENT_CONNECTED").then(String::new),
                "",
                |_| Some(String::new()),
            )))
        },
    },
    Contract {
        id: "says-published-only-if-acknowledged",
        needs: &[Sight::Broker, Sight::Clock],
        says: "a device logs that a packet was published once the broker has acknowledged it",
        source: "ESP-IDF esp-mqtt: MQTT_EVENT_PUBLISHED",
        reads: &[(Source::Log, "line"), (Source::Mqtt, "puback")],
        watch: |_| {
            Some(Box::new(Claim::new(
                |line| {
                    let id = line.strip_prefix("MQTT_EVENT_PUBLISHED, msg_id=")?;
                    Some(id.to_owned())
                },
                "",
                |event| {
                    let out = text(event, "/direction") == Some("out");
                    out.then(|| number(event, "/id").unwrap_or_default().to_string())
                },
            )))
        },
    },
    Contract {
        id: "says-reason-only-if-the-air-said-so",
        needs: &[Sight::Air, Sight::Clock],
        says: "a device logs the reason for which the air let it go",
        source: "ESP-IDF wifi_provisioning: Disconnect reason",
        reads: &[(Source::Log, "line"), (Source::Air, "left")],
        watch: |_| {
            Some(Box::new(Claim::new(
                |line| Some(line.strip_prefix("Disconnect reason : ")?.to_owned()),
                "wifi_prov_mgr",
                |event| number(event, "/reason").map(|reason| reason.to_string()),
            )))
        },
    },
    Contract {
        id: "says-session-only-if-proven",
        needs: &[Sight::Phones, Sight::Clock],
        says: "a device logs a secured session once for each handshake that a phone finished",
        source: "ESP-IDF protocomm: PROTOCOMM_SECURITY_SESSION_SETUP_OK",
        reads: &[(Source::Log, "line"), (Source::Provisioning, "exchange")],
        watch: |_| {
            Some(Box::new(Claim::new(
                |line| (line == "Secured session established!").then(String::new),
                "",
                |event| {
                    // The answer may be lost; the device has proven the phone all the same.
                    let last = text(event, "/request/step") == Some("command1");
                    last.then(String::new)
                },
            )))
        },
    },
    Contract {
        id: "says-service-only-if-there",
        needs: &[Sight::Air, Sight::Clock],
        says: "a device that offers provisioning over its own network logs that network's name",
        source: "ESP-IDF wifi_provisioning: Provisioning started with service name",
        reads: &[(Source::Log, "line"), (Source::Air, "soft_ap_started")],
        watch: |facts| {
            facts.service.as_ref()?;
            Some(Box::new(Claim::new(
                |line| {
                    let name = line.strip_prefix("Provisioning started with service name : ")?;
                    Some(name.trim_end().to_owned())
                },
                "",
                |event| text(event, "/ssid").map(str::to_owned),
            )))
        },
    },
    Contract {
        id: "says-stopped-only-if-gone",
        needs: &[Sight::Air, Sight::Clock],
        says: "a device logs that provisioning has stopped once its own network is off",
        source: "ESP-IDF wifi_provisioning: Provisioning stopped",
        reads: &[(Source::Log, "line"), (Source::Air, "soft_ap_stopped")],
        watch: |facts| {
            facts.service.as_ref()?;
            Some(Box::new(Claim::new(
                |line| (line == "Provisioning stopped").then(String::new),
                "",
                |_| Some(String::new()),
            )))
        },
    },
    Contract {
        id: "says-reply-only-if-replied",
        needs: &[Sight::Broker, Sight::Clock],
        says: "a device logs the reply to a report once for each that the cloud has sent",
        source: "Linkkit C SDK 2.3.0: awss_report_token_reply",
        reads: &[(Source::Log, "line"), (Source::Cloud, "match_replied")],
        watch: |_| {
            Some(Box::new(Claim::new(
                |line| (line == "awss_report_token_reply").then(String::new),
                "awss",
                |_| Some(String::new()),
            )))
        },
    },
    Contract {
        id: "says-time-only-if-told",
        // The time server stands beside the broker: without ours, it is another one that told.
        needs: &[Sight::Broker],
        says: "a device logs the time that it was told last, within two seconds",
        source: "RFC 4330 §5; ESP-IDF examples: sntp",
        reads: &[
            (Source::Log, "line"),
            (Source::Sntp, "answered"),
            (Source::Board, "power"),
        ],
        watch: |_| Some(Box::<times::Times>::default()),
    },
    Contract {
        id: "says-no-passphrase",
        needs: &[],
        says: "a device logs no passphrase, except where ESP-IDF's example does: when it was told it",
        source: "OWASP IoT Top 10 (2018) I7; ESP-IDF 5 masks the stored one",
        reads: &[(Source::Log, "line")],
        watch: |_| Some(Box::new(NoPassphrase)),
    },
    Contract {
        id: "says-no-key",
        needs: &[],
        says: "a device logs no secret of its own: no private key and no device secret",
        source: "OWASP IoT Top 10 (2018) I7; RFC 8446 §E.7",
        reads: &[(Source::Log, "line")],
        watch: |_| Some(Box::new(NoKey)),
    },
];

/// What stands in a trace for secrets that no firmware has a reason to print.
const KEYS: [&str; 2] = ["<key of ", "<secret of "];

struct NoKey;

impl Watch for NoKey {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let Some(line) = event.line() else { return };
        match KEYS.iter().find(|key| line.text.contains(**key)) {
            Some(key) => found.broken(format!("a line of its log holds {key}…>"), [event.seq]),
            None => found.held(),
        }
    }
}

struct NoPassphrase;

impl Watch for NoPassphrase {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let Some(line) = event.line() else { return };
        let is_told = line.text.contains("Password : ") && !line.text.contains("Found Wi-Fi");
        match line.text.contains("<passphrase ") && !is_told {
            true => found.broken("a line of its log holds <passphrase …>", [event.seq]),
            false => found.held(),
        }
    }
}

/// A text of the log, the tag that prints it (empty for any), and the event behind it. Both sides
/// give the same key.
struct Claim {
    claimed: fn(&str) -> Option<String>,
    tag: &'static str,
    proof: fn(&Event) -> Option<String>,
    /// Claims without an event, and events without a claim, by device.
    open: BTreeMap<String, Open>,
}

#[derive(Default)]
struct Open {
    claims: VecDeque<(String, LabTime, u64)>,
    proofs: VecDeque<(String, u64)>,
}

impl Claim {
    fn new(
        claimed: fn(&str) -> Option<String>,
        tag: &'static str,
        proof: fn(&Event) -> Option<String>,
    ) -> Self {
        Self {
            claimed,
            tag,
            proof,
            open: BTreeMap::new(),
        }
    }
}

impl Watch for Claim {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if device(event).is_empty() {
            return;
        }
        let claimed = match event.line() {
            Some(line) => {
                if !self.tag.is_empty() && line.tag != self.tag {
                    return;
                }
                match (self.claimed)(line.text) {
                    Some(key) => Some(key),
                    None => return,
                }
            }
            None => None,
        };
        if let Some(key) = claimed {
            let open = self.open.entry(device(event).to_owned()).or_default();
            match open.proofs.iter().position(|(proof, _)| *proof == key) {
                Some(place) => {
                    open.proofs.remove(place);
                    found.held();
                }
                None => open.claims.push_back((key, event.at(), event.seq)),
            }
        } else if let Some(key) = (self.proof)(event) {
            let open = self.open.entry(device(event).to_owned()).or_default();
            match open.claims.iter().position(|(claim, ..)| *claim == key) {
                Some(place) => {
                    open.claims.remove(place);
                    found.held();
                }
                None => {
                    open.proofs.push_back((key, event.seq));
                    if open.proofs.len() > MOST {
                        open.proofs.pop_front();
                    }
                }
            }
        }
    }

    fn due(&self) -> Option<LabTime> {
        let first = |open: &Open| open.claims.front().map(|(_, at, _)| *at + APART);
        self.open.values().filter_map(first).min()
    }

    fn passed(&mut self, now: LabTime, _: Moment, found: &mut Found) {
        for open in self.open.values_mut() {
            while let Some((key, at, _)) = open.claims.front()
                && *at + APART < now
            {
                let seen = match key.as_str() {
                    "" => "it says so, and no event stands behind that".to_owned(),
                    key => format!("it says `{key}`, and no event stands behind that"),
                };
                if let Some((_, _, seq)) = open.claims.pop_front() {
                    found.broken(seen, [seq]);
                }
            }
        }
    }
}
