//! What a TLS client owes.

use std::collections::BTreeMap;
use std::time::Duration;

use clock::LabTime;
use trace::{Event, Source};

use crate::facts::CloudFacts;
use crate::faults::Faults;
use crate::read::{device, flag, is_boot, number, since_boot, text};
use crate::{Contract, Facts, Found, Moment, Sight, Watch};

const HANDSHAKE: &[(Source, &str)] = &[(Source::Tls, "handshake")];

/// For so long behind a loss of power or of the network the server may still notice that a connection of before is
/// gone.
const LEFT_OVER: Duration = Duration::from_secs(1);

pub const CONTRACTS: &[Contract] = &[
    Contract {
        id: "tls-offers-no-old-version",
        needs: &[],
        says: "a device offers TLS 1.2 or later, and nothing before it",
        source: "RFC 9325 §3.1.1",
        reads: HANDSHAKE,
        watch: |_| Some(Box::new(Versions)),
    },
    Contract {
        id: "tls-asks-for-its-broker",
        needs: &[],
        says: "a device names the broker that it was told in its server name",
        source: "RFC 6066 §3",
        reads: HANDSHAKE,
        watch: |facts| Some(Box::new(ServerName(tls(facts)?.server_name.clone()?))),
    },
    Contract {
        id: "tls-trusts-no-stranger",
        needs: &[],
        says: "a device refuses a broker whose certificate is expired, not begun, of another name, \
               of another authority or not for servers, as far as it is to verify that",
        source: "RFC 5280 §6.1; RFC 6125",
        reads: HANDSHAKE,
        watch: |facts| Some(Box::new(Trust(tls(facts)?.clone()))),
    },
    Contract {
        id: "tls-says-why-it-refuses",
        needs: &[Sight::Broker],
        says: "a device that refuses a broker for its certificate ends the handshake by an alert, and not by closing the \
               connection",
        source: "RFC 8446 §6.2, RFC 5246 §7.2.2: upon an error the detecting party sends an alert",
        reads: since_boot![
            (Source::Tls, "handshake"),
            (Source::Air, "left"),
            (Source::Engine, "fault"),
            (Source::Board, "switching"),
        ],
        watch: |facts| {
            Some(Box::new(SaysWhy {
                facts: tls(facts)?.clone(),
                faults: Faults::default(),
                cut: None,
            }))
        },
    },
    Contract {
        id: "tls-shows-its-certificate",
        needs: &[],
        says: "a device that was given a certificate shows it, and always the same",
        source: "RFC 8446 §4.4.2; RFC 5246 §7.4.6",
        reads: HANDSHAKE,
        watch: |facts| {
            let shows = tls(facts)?.shows_certificate;
            Some(Box::new(Certificate {
                shows,
                shown: BTreeMap::new(),
            }))
        },
    },
    Contract {
        id: "tls-failed-then-waits",
        needs: &[Sight::Clock],
        says: "after a handshake that failed a device waits as long as it was told",
        source: "ESP-IDF esp-mqtt: reconnect_timeout_ms",
        reads: &[
            (Source::Tls, "handshake"),
            (Source::Mqtt, "connection_opened"),
            (Source::Board, "power"),
            (Source::Board, "restarted"),
            (Source::Board, "exited"),
            (Source::Air, "joined"),
        ],
        watch: |facts| {
            let reconnect = tls(facts)?.reconnect;
            Some(Box::new(Waits {
                reconnect,
                opened: 0,
                of_before: 0,
                failed: BTreeMap::new(),
            }))
        },
    },
];

fn tls(facts: &Facts) -> Option<&CloudFacts> {
    facts.cloud.as_ref().filter(|cloud| cloud.tls)
}

struct Versions;

impl Watch for Versions {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let offered = event
            .data
            .pointer("/offered")
            .and_then(|list| list.as_array());
        let Some(offered) = offered.filter(|list| !list.is_empty()) else {
            return;
        };
        let old = offered
            .iter()
            .filter_map(|version| version.as_str())
            .find(|version| !matches!(*version, "TLS 1.2" | "TLS 1.3"));
        match old {
            Some(version) => found.broken(format!("offered {version}"), [event.seq]),
            None => found.held(),
        }
    }
}

struct ServerName(String);

impl Watch for ServerName {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        // What ended before a ClientHello tells nothing.
        if text(event, "/offered/0").is_none() {
            return;
        }
        let asked = text(event, "/server_name");
        found.check(
            asked == Some(&self.0),
            || {
                format!(
                    "asked for {}, not for {}",
                    asked.unwrap_or("no name"),
                    self.0
                )
            },
            [event.seq],
        );
    }
}

struct Trust(CloudFacts);

impl Watch for Trust {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let Some(shown) = text(event, "/shown") else {
            return;
        };
        if is_bad(shown, &self.0) {
            found.check(
                !flag(event, "/ok"),
                || format!("took a broker that showed `{shown}`"),
                [event.seq],
            );
        }
    }
}

/// Whether a client that was told this has to refuse the broker that shows this certificate.
fn is_bad(shown: &str, told: &CloudFacts) -> bool {
    match shown {
        "server-expired" | "server-not-yet-valid" => told.checks_dates,
        "server-wrong-name" => told.checks_name,
        "server-self-signed" => !told.trusts_broker_itself,
        "server-other-ca" | "server-missing-intermediate" | "server-client-usage" => true,
        _ => false,
    }
}

struct SaysWhy {
    facts: CloudFacts,
    faults: Faults,
    /// When a device lost its power or its network, last of all.
    cut: Option<LabTime>,
}

impl Watch for SaysWhy {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if event.source == Source::Engine {
            let name = text(event, "/name").unwrap_or_default();
            self.faults.note(name, flag(event, "/on"));
            return;
        }
        if event.source != Source::Tls {
            self.cut = Some(event.at());
            return;
        }
        let shown = text(event, "/shown").unwrap_or_default();
        let is_cut = |at| event.at() - at < LEFT_OVER;
        if !is_bad(shown, &self.facts) || flag(event, "/ok") {
            return;
        }
        match text(event, "/cause") {
            Some("server-certificate-refused") => found.held(),
            // The client has seen the certificate, and nothing else has ended the connection.
            Some("closed") if self.faults.is_calm() && !self.cut.is_some_and(is_cut) => found
                .broken(
                    format!("refused `{shown}` by closing the connection, without an alert"),
                    [event.seq],
                ),
            _ => {}
        }
    }
}

struct Certificate {
    shows: bool,
    shown: BTreeMap<String, (String, u64)>,
}

impl Watch for Certificate {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let Some(subject) = event.data.pointer("/client_certificate/subject") else {
            if self.shows && text(event, "/cause") == Some("no-client-certificate") {
                found.broken("was asked for its certificate and showed none", [event.seq]);
            }
            return;
        };
        let subject = subject.to_string();
        if !self.shows {
            found.broken(
                format!("showed {subject}, though it was given none"),
                [event.seq],
            );
            return;
        }
        let first = self
            .shown
            .entry(device(event).to_owned())
            .or_insert_with(|| (subject.clone(), event.seq));
        found.check(
            first.0 == subject,
            || format!("showed {} and then {subject}", first.0),
            [first.1, event.seq],
        );
    }
}

struct Waits {
    reconnect: Duration,
    /// The connection that was opened last, and the last one before a device was started: the server may notice much
    /// later that it is gone.
    opened: u64,
    of_before: u64,
    failed: BTreeMap<String, (LabTime, u64)>,
}

impl Watch for Waits {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let connection = number(event, "/connection");
        if event.source == Source::Mqtt {
            self.opened = connection.unwrap_or_default();
            return;
        }
        if is_boot(event) {
            self.of_before = self.opened;
        }
        if is_boot(event) || event.kind == "joined" {
            self.failed.remove(device(event));
            // A handshake that failed before the client's certificate came names no device.
            self.failed.remove("");
            return;
        }
        if connection.is_some_and(|connection| connection <= self.of_before) {
            return;
        }
        if let Some((at, seq)) = self.failed.remove(device(event)) {
            let waited = event.at() - at;
            found.check(
                waited >= self.reconnect * 9 / 10,
                || {
                    format!(
                        "tried again after {waited:.1?}; {:.1?} is the least",
                        self.reconnect
                    )
                },
                [seq, event.seq],
            );
        }
        if !flag(event, "/ok") {
            self.failed
                .insert(device(event).to_owned(), (event.at(), event.seq));
        }
    }
}
