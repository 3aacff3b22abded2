//! Lines of a device's log that claim something, each with the event that must stand behind it.
//!
//! The texts are ESP-IDF's and Linkkit's own, which other firmware prints too. A claim is good for
//! one event, and an event for one claim; which of the two is seen first does not matter.

mod credentials;
mod delays;
mod flags;
mod leases;
mod networks;
mod sent;
mod times;
mod turns;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use clock::LabTime;
use trace::{Event, Source};

use crate::read::{MQTT_CONNECTED, device, is_boot, number, since_boot, text};
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
        id: "says-the-network-that-it-joins",
        needs: &[Sight::Air],
        says: "a device that logs which network it connects to, or has found in its storage, joins that one",
        source: "ESP-IDF protocol_examples_common: Connecting to; wifi_provisioning: Found Wi-Fi SSID",
        reads: since_boot![
            (Source::Log, "line"),
            (Source::Air, "joined"),
            (Source::Air, "left"),
            (Source::Provisioning, "exchange"),
        ],
        watch: |_| Some(Box::<networks::Networks>::default()),
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
        id: "says-disconnected-only-if-it-left",
        needs: &[Sight::Air, Sight::Clock],
        says: "an application logs that it connects to the access point again once for each time that its station left \
               or could not join",
        source: "ESP-IDF wifi_prov_mgr example: Disconnected. Connecting to the AP again...",
        reads: &[(Source::Log, "line"), (Source::Air, "left")],
        watch: |_| {
            Some(Box::new(Claim::new(
                |line| {
                    line.starts_with("Disconnected. Connecting to the AP again")
                        .then(String::new)
                },
                "app",
                |_| Some(String::new()),
            )))
        },
    },
    Contract {
        id: "says-connected-only-if-in-session",
        needs: &[Sight::Broker, Sight::Clock],
        says: "a device logs that MQTT is connected once for each session that the broker opened",
        source: "ESP-IDF esp-mqtt: MQTT_EVENT_CONNECTED",
        reads: since_boot![(Source::Log, "line"), (Source::Mqtt, "session_opened")],
        watch: |_| {
            let claim = Claim::new(
                |line| (line == MQTT_CONNECTED).then(String::new),
                "",
                |_| Some(String::new()),
            );
            Some(Box::new(claim.each_time()))
        },
    },
    Contract {
        id: "says-published-only-if-acknowledged",
        needs: &[Sight::Broker, Sight::Clock],
        says: "a device logs that a packet was published once the broker has acknowledged it",
        source: "ESP-IDF esp-mqtt: MQTT_EVENT_PUBLISHED",
        reads: since_boot![(Source::Log, "line"), (Source::Mqtt, "puback")],
        watch: |_| {
            let claim = Claim::new(
                |line| {
                    let id = line.strip_prefix("MQTT_EVENT_PUBLISHED, msg_id=")?;
                    Some(id.to_owned())
                },
                "",
                |event| {
                    let out = text(event, "/direction") == Some("out");
                    out.then(|| number(event, "/id").unwrap_or_default().to_string())
                },
            );
            Some(Box::new(claim.each_time()))
        },
    },
    Contract {
        id: "says-sent-only-if-published",
        needs: &[Sight::Broker, Sight::Clock],
        says: "a device that logs the number of a message publishes that message: in the session that it has, or in \
               the next",
        source: "ESP-IDF esp-mqtt: esp_mqtt_client_publish; its examples: sent publish successful",
        reads: since_boot![
            (Source::Log, "line"),
            (Source::Mqtt, "session_opened"),
            (Source::Mqtt, "connection_closed"),
            (Source::Mqtt, "publish"),
            (Source::Air, "left"),
        ],
        watch: |_| Some(Box::<sent::Sent>::default()),
    },
    Contract {
        id: "says-disconnected-in-turn",
        needs: &[Sight::Broker, Sight::Clock],
        says: "a device that logs that MQTT is connected logs the end of that session before the next one, and not \
               while the session stands",
        source: "ESP-IDF esp-mqtt: MQTT_EVENT_DISCONNECTED",
        reads: since_boot![
            (Source::Log, "line"),
            (Source::Mqtt, "session_opened"),
            (Source::Mqtt, "disconnect"),
            (Source::Mqtt, "connection_closed"),
            (Source::Air, "left"),
        ],
        watch: |_| Some(Box::<turns::Turns>::default()),
    },
    Contract {
        id: "says-refusal-as-the-broker-did",
        needs: &[Sight::Broker, Sight::Clock],
        says: "a device logs the reason for which the broker refused its CONNECT",
        source: "ESP-IDF esp-mqtt: Connection refused; MQTT 3.1.1 §3.2.2.3",
        reads: &[(Source::Log, "line"), (Source::Mqtt, "connect_refused")],
        watch: |_| {
            Some(Box::new(Claim::new(
                |line| Some(line.strip_prefix("Connection refused, ")?.to_owned()),
                "",
                |event| Some(refusal(number(event, "/code")?).to_owned()),
            )))
        },
    },
    Contract {
        id: "says-delay-that-it-keeps",
        needs: &[Sight::Air, Sight::Broker, Sight::Clock],
        says: "a device that logs after how long it connects again does so, and that is the first delay that it was \
               told, doubled by each further failure up to the longest",
        source: "ESP-IDF esp-mqtt: Reconnect after; the device's factory data",
        reads: since_boot![
            (Source::Log, "line"),
            (Source::Air, "connection_opened"),
            (Source::Air, "connection_closed"),
            (Source::Air, "name_asked"),
            (Source::Air, "left"),
            (Source::Mqtt, "session_opened"),
            (Source::Mqtt, "disconnect"),
        ],
        watch: |facts| {
            let cloud = facts.cloud.as_ref()?;
            Some(Box::new(delays::Delays::new(cloud)?))
        },
    },
    Contract {
        id: "says-flags-and-words-that-agree",
        needs: &[],
        says: "a device that logs what is wrong with a certificate in words and in flags says the same by both",
        source: "mbedTLS: mbedtls_x509_crt_verify_info, MBEDTLS_X509_BADCERT_*",
        reads: since_boot![(Source::Log, "line"),],
        watch: |_| Some(Box::<flags::Flags>::default()),
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
                "",
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
        id: "says-credentials-as-told",
        needs: &[Sight::Phones],
        says: "an application logs the credentials that a phone has set",
        source: "ESP-IDF wifi_prov_mgr example: Received Wi-Fi credentials",
        reads: since_boot![(Source::Log, "line"), (Source::Provisioning, "exchange"),],
        watch: |_| Some(Box::<credentials::Credentials>::default()),
    },
    Contract {
        id: "says-phone-only-if-there",
        needs: &[Sight::Air, Sight::Phones, Sight::Clock],
        says: "an application logs a phone that comes or goes once for each that does",
        source: "ESP-IDF wifi_prov_mgr example: SoftAP transport, BLE transport",
        reads: &[
            (Source::Log, "line"),
            (Source::Air, "phone_joined"),
            (Source::Air, "phone_left"),
            (Source::Air, "ble_connected"),
            (Source::Air, "ble_disconnected"),
        ],
        watch: |_| {
            Some(Box::new(Claim::new(
                |line| {
                    let is_one = line.contains(" transport: ");
                    is_one.then(|| line.to_owned())
                },
                "app",
                |event| {
                    let said = match &*event.kind {
                        "phone_joined" => "SoftAP transport: Connected!",
                        "phone_left" => "SoftAP transport: Disconnected!",
                        "ble_connected" => "BLE transport: Connected!",
                        _ => "BLE transport: Disconnected!",
                    };
                    Some(said.to_owned())
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
        id: "says-lease-only-if-given",
        needs: &[Sight::Air, Sight::Phones, Sight::Clock],
        says: "a device logs an address that it has given to a phone in its own network",
        source: "ESP-IDF esp_netif_lwip: DHCP server assigned IP to a client, IP is",
        reads: &[
            (Source::Log, "line"),
            (Source::Air, "phone_joined"),
            (Source::Board, "power"),
            (Source::Board, "restarted"),
            (Source::Board, "exited"),
        ],
        watch: |facts| {
            facts.service.as_ref()?;
            Some(Box::<leases::Leases>::default())
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
        id: "says-time-of-its-zone",
        // As above.
        needs: &[Sight::Broker, Sight::Clock],
        says: "an ESP8266 shows the time that it was told last in UTC+8, and the beginning of 1970 until then",
        source: "ESP8266 NONOS SDK: sntp_get_real_time, sntp_set_timezone; ustccw/MQTTESP8266",
        reads: &[
            (Source::Log, "line"),
            (Source::Sntp, "answered"),
            (Source::Board, "power"),
        ],
        watch: |_| Some(Box::<times::Shown>::default()),
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

/// What esp-mqtt prints of a return code; that of MQTT 5 it has from the reason code that says the same.
fn refusal(code: u64) -> &'static str {
    match code {
        1 | 0x84 => "bad protocol",
        3 | 0x88 => "server unavailable",
        4 | 0x86 => "bad username or password",
        5 | 0x87 => "not authorized",
        _ => "Unknow reason",
    }
}

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
    /// Whether a device that says so once says so of each event.
    each_time: bool,
    /// Claims without an event, and events without a claim, by device.
    open: BTreeMap<String, Open>,
}

#[derive(Default)]
struct Open {
    claims: VecDeque<(String, LabTime, u64)>,
    proofs: VecDeque<(String, LabTime, u64)>,
    /// The first such claim of the device since it was started. It may have begun to speak with it.
    speaks: Option<u64>,
}

impl Open {
    /// The place and the time of the first event that came since the device speaks and has no claim.
    fn unsaid(&self) -> Option<(usize, LabTime)> {
        let first = self.speaks?;
        let place = self.proofs.iter().position(|(_, _, seq)| *seq > first)?;
        self.proofs.get(place).map(|(_, at, _)| (place, *at))
    }
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
            each_time: false,
            open: BTreeMap::new(),
        }
    }

    /// A device that says so once has to say so each time.
    fn each_time(self) -> Self {
        Self {
            each_time: true,
            ..self
        }
    }
}

impl Watch for Claim {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if device(event).is_empty() {
            return;
        }
        if is_boot(event) {
            self.open.remove(device(event));
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
            open.speaks.get_or_insert(event.seq);
            // One that was given up is the last that a line may be about.
            let of_it = |given_up: bool| {
                let mut proofs = open.proofs.iter();
                proofs.position(|(proof, _, seq)| *proof == key && (*seq == 0) == given_up)
            };
            match of_it(false).or_else(|| of_it(true)) {
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
                    open.proofs.push_back((key, event.at(), event.seq));
                    if open.proofs.len() > MOST {
                        open.proofs.pop_front();
                    }
                }
            }
        }
    }

    fn due(&self) -> Option<LabTime> {
        let first = |open: &Open| {
            let claim = open.claims.front().map(|(_, at, _)| *at);
            let unsaid = open.unsaid().filter(|_| self.each_time);
            let unsaid = unsaid.map(|(_, at)| at);
            claim.into_iter().chain(unsaid).min().map(|at| at + APART)
        };
        self.open.values().filter_map(first).min()
    }

    fn passed(&mut self, now: LabTime, moment: Moment, found: &mut Found) {
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
            while let Some((place, at)) = open.unsaid().filter(|_| self.each_time)
                && at + APART < now
                && let Some((key, _, seq)) = open.proofs.get_mut(place)
            {
                // A line that comes late may still be about it.
                let seq = std::mem::take(seq);
                if moment.calm_from(at) {
                    let what = match key.as_str() {
                        "" => String::new(),
                        key => format!(" of `{key}`"),
                    };
                    found.broken(
                        format!("it said so before, and says nothing{what} this time"),
                        [seq],
                    );
                }
            }
        }
    }
}
