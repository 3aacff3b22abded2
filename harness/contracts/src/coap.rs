//! What a CoAP endpoint owes.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use clock::LabTime;
use serde_json::Value;
use trace::{Event, Source};

use crate::read::{device, is_boot, number, since_boot, text};
use crate::{Contract, Found, Moment, Sight, Watch};

/// RFC 7252 §4.8.2: EXCHANGE_LIFETIME.
const LIFE_OF_AN_ID: Duration = Duration::from_secs(247);
/// RFC 7252 §4.8: ACK_TIMEOUT.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(2);
/// RFC 7252 §12.3: application/json.
const JSON: u64 = 50;
/// Messages that are remembered.
const MOST: usize = 4096;

const READS: &[(Source, &str)] = since_boot![(Source::Coap, "received"), (Source::Coap, "sent"),];

/// A message of another device, or of before it had its address.
const ADDRESSES: &[(Source, &str)] = since_boot![
    (Source::Coap, "received"),
    (Source::Coap, "garbage"),
    (Source::Air, "leased"),
    (Source::Air, "left"),
];

pub const CONTRACTS: &[Contract] = &[
    Contract {
        id: "coap-can-be-read",
        needs: &[Sight::Air],
        says: "what a device sends to CoAP's port is CoAP",
        source: "RFC 7252 §3 and §4.1",
        reads: ADDRESSES,
        watch: |_| Some(Box::<Readable>::default()),
    },
    Contract {
        id: "coap-says-that-it-is-json",
        needs: &[],
        says: "a message of a device that carries JSON tells that by its content format",
        source: "RFC 7252 §12.3; Linkkit C SDK: COAP_CT_APP_JSON",
        reads: &[(Source::Coap, "received")],
        watch: |_| Some(Box::new(Json)),
    },
    Contract {
        id: "coap-message-id-is-new",
        needs: &[],
        says: "a device uses a message id for one message only while the id lives",
        source: "RFC 7252 §4.4",
        reads: READS,
        watch: |_| Some(Box::<Ids>::default()),
    },
    Contract {
        id: "coap-token-is-echoed",
        needs: &[],
        says: "a response carries the token of a request that was sent",
        source: "RFC 7252 §5.3.1",
        reads: READS,
        watch: |_| Some(Box::<Echo>::default()),
    },
    Contract {
        id: "coap-no-error-to-many",
        needs: &[],
        says: "a device does not tell a client what is wrong with a request that it sent to a whole group",
        source: "RFC 7252 §8.2: a server SHOULD NOT respond to a multicast request with an error",
        reads: READS,
        watch: |_| Some(Box::<ToMany>::default()),
    },
    Contract {
        id: "coap-confirmable-is-acknowledged",
        needs: &[Sight::Clock],
        says: "a confirmable message to one device is acknowledged within two seconds",
        source: "RFC 7252 §4.2",
        reads: since_boot![
            (Source::Coap, "received"),
            (Source::Coap, "sent"),
            (Source::Air, "leased"),
            (Source::Air, "left"),
        ],
        watch: |_| Some(Box::<Acknowledged>::default()),
    },
];

/// Addresses that devices have.
#[derive(Default)]
struct Readable(BTreeMap<String, String>);

impl Watch for Readable {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        match &*event.kind {
            "leased" if !name.is_empty() => {
                let address = text(event, "/address").unwrap_or_default();
                self.0.insert(address.to_owned(), name.to_owned());
            }
            "received" if !name.is_empty() => found.held(),
            "garbage" if event.source == Source::Coap => {
                let from = text(event, "/from").unwrap_or_default();
                let address = from.split(':').next().unwrap_or_default();
                if self.0.contains_key(address) {
                    let reason = text(event, "/reason").unwrap_or_default();
                    found.broken(format!("sent what is no CoAP: {reason}"), [event.seq]);
                }
            }
            "left" => self.0.retain(|_, owner| owner != name),
            _ if is_boot(event) => self.0.retain(|_, owner| owner != name),
            _ => {}
        }
    }
}

struct Json;

impl Watch for Json {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if device(event).is_empty() || event.data.pointer("/json").is_none_or(Value::is_null) {
            return;
        }
        let format = number(event, "/content_format");
        found.check(
            format == Some(JSON),
            || match format {
                Some(format) => format!("sent JSON as the format {format}"),
                None => "sent JSON without telling so".into(),
            },
            [event.seq],
        );
    }
}

/// What is remembered of messages: receiver, sender and id; token, when, by which event.
#[derive(Default)]
struct Ids(VecDeque<(String, u64, String, LabTime, u64)>);

impl Watch for Ids {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if is_boot(event) {
            // The counter may begin anew.
            self.0.clear();
            return;
        }
        if event.kind != "received" || device(event).is_empty() {
            return;
        }
        // Acknowledgements carry the other side's id; so do Linkkit's responses.
        if !text(event, "/code").is_some_and(|code| code.starts_with("0.") && code != "0.00") {
            return;
        }
        let way = format!(
            "{}<-{}",
            text(event, "/phone").unwrap_or_default(),
            text(event, "/from").unwrap_or_default()
        );
        let id = number(event, "/message_id").unwrap_or_default();
        let token = text(event, "/message_token").unwrap_or_default();
        while let Some(first) = self.0.front()
            && (self.0.len() >= MOST || first.3 + LIFE_OF_AN_ID < event.at())
        {
            self.0.pop_front();
        }
        let again = self
            .0
            .iter()
            .find(|(other, other_id, ..)| *other == way && *other_id == id);
        match again {
            Some((_, _, first, _, seq)) if first != token => found.broken(
                format!("message id {id} for the tokens {first} and {token}"),
                [*seq, event.seq],
            ),
            _ => found.held(),
        }
        self.0
            .push_back((way, id, token.to_owned(), event.at(), event.seq));
    }
}

/// Tokens of requests that phones have sent, by phone.
#[derive(Default)]
struct Echo(BTreeMap<String, VecDeque<String>>);

impl Watch for Echo {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let code = text(event, "/code").unwrap_or_default();
        let token = text(event, "/message_token").unwrap_or_default();
        match &*event.kind {
            "sent" if code.starts_with("0.") && code != "0.00" => {
                let phone = text(event, "/sender").unwrap_or_default();
                let tokens = self.0.entry(phone.to_owned()).or_default();
                tokens.push_back(token.to_owned());
                if tokens.len() > MOST {
                    tokens.pop_front();
                }
            }
            "received" if !code.starts_with("0.") && !device(event).is_empty() => {
                let phone = text(event, "/phone").unwrap_or_default();
                let tokens = self.0.get(phone);
                found.check(
                    tokens.is_some_and(|tokens| tokens.iter().any(|sent| sent == token)),
                    || {
                        format!(
                            "{phone} got a response with the token {token}, which it never sent"
                        )
                    },
                    [event.seq],
                );
            }
            _ => {}
        }
    }
}

/// Confirmable messages of phones to one device that are not acknowledged.
#[derive(Default)]
struct Acknowledged {
    /// Who has which address.
    leased: BTreeMap<String, String>,
    waiting: BTreeMap<(String, u64), (LabTime, u64)>,
}

impl Watch for Acknowledged {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if is_boot(event) || event.kind == "left" {
            self.leased.retain(|_, owner| owner != device(event));
            self.waiting.clear();
            return;
        }
        let id = number(event, "/message_id").unwrap_or_default();
        match (&*event.kind, text(event, "/type")) {
            ("leased", _) if !device(event).is_empty() => {
                let address = text(event, "/address").unwrap_or_default();
                self.leased
                    .insert(address.to_owned(), device(event).to_owned());
            }
            ("sent", Some("CON")) if self.waiting.len() < MOST => {
                let to = text(event, "/to").unwrap_or_default();
                let address = to.split(':').next().unwrap_or_default();
                if self.leased.contains_key(address) {
                    let phone = text(event, "/sender").unwrap_or_default();
                    self.waiting
                        .insert((phone.to_owned(), id), (event.at(), event.seq));
                }
            }
            ("received", Some("ACK" | "RST")) => {
                let phone = text(event, "/phone").unwrap_or_default();
                if self.waiting.remove(&(phone.to_owned(), id)).is_some() {
                    found.held();
                }
            }
            _ => {}
        }
    }

    fn due(&self) -> Option<LabTime> {
        let waiting = self.waiting.values();
        waiting.map(|(at, _)| *at + ACKNOWLEDGED_WITHIN).min()
    }

    fn passed(&mut self, now: LabTime, moment: Moment, found: &mut Found) {
        self.waiting.retain(|(phone, id), (at, seq)| {
            let waits = *at + ACKNOWLEDGED_WITHIN >= now;
            if !waits && moment.calm_from(*at) {
                found.broken(
                    format!("{phone}'s message {id} was not acknowledged"),
                    [*seq],
                );
            }
            waits
        });
    }
}

/// Tokens of the requests that were sent to a group, and by which events.
#[derive(Default)]
struct ToMany(BTreeMap<String, u64>);

impl Watch for ToMany {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let token = text(event, "/message_token").unwrap_or_default();
        if event.kind == "sent" {
            let to = text(event, "/to").unwrap_or_default();
            let to = to.rsplit_once(':').map_or(to, |(address, _)| address);
            let is_many = to
                .parse::<std::net::Ipv4Addr>()
                .is_ok_and(|to| to.is_multicast() || to.octets()[3] == 255);
            let is_request = text(event, "/code").is_some_and(|code| code.starts_with("0."));
            if is_many && is_request && self.0.len() < MOST {
                self.0.insert(token.to_owned(), event.seq);
            } else {
                self.0.remove(token);
            }
            return;
        }
        let code = text(event, "/code").unwrap_or_default();
        if let Some(seq) = self.0.get(token)
            && code
                .as_bytes()
                .first()
                .is_some_and(|class| (b'2'..=b'5').contains(class))
        {
            found.check(
                code.starts_with('2'),
                || format!("answered {code} to a request that went to a group"),
                [*seq, event.seq],
            );
        }
    }
}
