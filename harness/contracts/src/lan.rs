//! What a device that binds by a one-time token tells on the LAN, and when it reports it.

use std::collections::{BTreeMap, BTreeSet};

use clock::LabTime;
use serde_json::Value;
use trace::{Event, Source};

use crate::facts::LinkkitFacts;
use crate::read::{device, flag, is_boot, number, since_boot, text};
use crate::{Contract, Found, Moment, Sight, Watch};

pub const CONTRACTS: &[Contract] = &[
    Contract {
        id: "linkkit-notifications-are-few",
        needs: &[Sight::Clock],
        says: "a token is told to the LAN no more often than the profile says, with pauses that grow, and each \
               time by an id of its own",
        source: "Linkkit C SDK 2.3.0: awss_devinfo_notify",
        reads: since_boot![(Source::Coap, "received"), (Source::Mqtt, "session_opened"),],
        watch: |facts| {
            Some(Box::new(Notifications {
                facts: facts.linkkit.clone()?,
                told: BTreeMap::new(),
                resumed: BTreeSet::new(),
            }))
        },
    },
    Contract {
        id: "linkkit-tells-its-own-name",
        needs: &[Sight::Air],
        says: "what a device tells on the LAN comes from CoAP's port at the address that it was leased, and carries \
               that, its MAC address, the names under which the cloud accepted it, the cipher of its profile, and the \
               type 0",
        source: "Linkkit C SDK 2.3.0: awss_build_dev_info",
        reads: since_boot![
            (Source::Coap, "received"),
            (Source::Air, "leased"),
            (Source::Cloud, "connect_accepted"),
        ],
        watch: |facts| {
            Some(Box::new(OwnName {
                mac: facts.mac.clone(),
                cipher: facts.linkkit.as_ref().map(|linkkit| linkkit.cipher),
                ..OwnName::default()
            }))
        },
    },
    Contract {
        id: "linkkit-says-how-it-comes",
        needs: &[Sight::Broker],
        says: "the client id of CONNECT says by securemode whether it comes over TLS (2) or over TCP alone (3)",
        source: "Alibaba Cloud: establish MQTT connections over TCP, clientId",
        reads: &[
            (Source::Tls, "handshake"),
            (Source::Cloud, "connect_accepted"),
        ],
        watch: |_| Some(Box::<HowItComes>::default()),
    },
    Contract {
        id: "linkkit-subscribes-first",
        needs: &[Sight::Broker],
        says: "a device subscribes to the replies in a session before it reports its token there",
        source: "Linkkit C SDK 2.3.0: awss_cmp_online_init",
        reads: since_boot![
            (Source::Mqtt, "session_opened"),
            (Source::Mqtt, "subscribe"),
            (Source::Mqtt, "publish"),
            (Source::Cloud, "token_reported"),
        ],
        watch: |_| Some(Box::<Subscribes>::default()),
    },
];

/// The connections that are over TLS.
#[derive(Default)]
struct HowItComes(BTreeSet<u64>);

impl Watch for HowItComes {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let Some(connection) = number(event, "/connection") else {
            return;
        };
        if event.kind == "handshake" {
            if flag(event, "/ok") {
                self.0.insert(connection);
            }
            return;
        }
        // Another cloud's clients do not say.
        if text(event, "/product_key").is_none() {
            return;
        }
        let said = text(event, "/secure_mode").unwrap_or("nothing");
        let is_over_tls = self.0.remove(&connection);
        let (true_mode, way) = match is_over_tls {
            true => ("2", "over TLS"),
            false => ("3", "over TCP alone"),
        };
        found.check(
            said == true_mode,
            || format!("comes {way} and says securemode={said}"),
            [event.seq],
        );
    }
}

/// The token that each device tells: how often, when and by which message last.
struct Notifications {
    facts: LinkkitFacts,
    told: BTreeMap<String, Telling>,
    /// Devices with another session since they last told, with which telling begins at once.
    resumed: BTreeSet<String>,
}

/// How a token was told.
struct Telling {
    token: String,
    times: u64,
    message: u64,
    /// `id` of its JSON.
    id: String,
    at: LabTime,
    seq: u64,
}

impl Watch for Notifications {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if is_boot(event) {
            self.told.remove(device(event));
            return;
        }
        if event.kind == "session_opened" {
            self.resumed.insert(device(event).to_owned());
            return;
        }
        if event.kind != "received" || text(event, "/json/method") != Some("device.info.notify") {
            return;
        }
        let resumed = self.resumed.remove(device(event));
        let token = text(event, "/json/params/token").unwrap_or_default();
        let message = number(event, "/message_id").unwrap_or_default();
        let mut next = Telling {
            token: token.to_owned(),
            times: 1,
            message,
            id: event.data["json"]["id"].to_string(),
            at: event.at(),
            seq: event.seq,
        };
        if let Some(last) = self
            .told
            .get(device(event))
            .filter(|last| last.token == token)
        {
            if last.message == message {
                // Another phone got the same.
                return;
            }
            next.times = last.times + 1;
            // The pause grows by a step each time.
            let growth = u32::try_from(last.times).unwrap_or(u32::MAX);
            let most = self.facts.notifications;
            let least = self.facts.notify_step.saturating_mul(growth);
            let waited = next.at - last.at;
            found.check(
                next.times <= most && (resumed || waited >= least * 8 / 10) && (next.id != last.id || next.id == "null"),
                || {
                    let times = next.times;
                    let (id, before) = (&next.id, &last.id);
                    format!("told {token} {times} times, {waited:.1?} after the last, by id {id} after {before}; {most} times and {least:.1?} are the bounds")
                },
                [last.seq, event.seq],
            );
        }
        self.told.insert(device(event).to_owned(), next);
    }
}

/// What is known of each device: its address, its product key, its name and its cipher.
#[derive(Default)]
struct OwnName {
    mac: Option<String>,
    cipher: Option<u64>,
    address: BTreeMap<String, (String, u64)>,
    names: BTreeMap<String, (String, String, u64)>,
}

impl Watch for OwnName {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        match &*event.kind {
            "leased" => {
                let address = text(event, "/address").unwrap_or_default().to_owned();
                self.address.insert(name.to_owned(), (address, event.seq));
            }
            "connect_accepted" => {
                let [key, called] = ["/product_key", "/device_name"]
                    .map(|place| text(event, place).unwrap_or_default().to_owned());
                self.names.insert(name.to_owned(), (key, called, event.seq));
            }
            "received" if !name.is_empty() => {
                self.judge_sender(event, found);
                for place in ["/json/params", "/json/data"] {
                    self.judge(event, place, found);
                }
            }
            _ if is_boot(event) => {
                self.address.remove(name);
            }
            _ => {}
        }
    }
}

impl OwnName {
    fn judge_sender(&self, event: &Event, found: &mut Found) {
        if let (Some(from), Some((leased, seq))) =
            (text(event, "/from"), self.address.get(device(event)))
        {
            found.check(
                from.strip_prefix(&**leased) == Some(":5683"),
                || format!("speaks from {from}; it was leased {leased}, and CoAP's port is 5683"),
                [*seq, event.seq],
            );
        }
    }

    fn judge(&self, event: &Event, place: &str, found: &mut Found) {
        let told = |key: &str| text(event, &format!("{place}/{key}"));
        if let (Some(ip), Some((leased, seq))) = (told("ip"), self.address.get(device(event))) {
            found.check(
                ip == leased,
                || format!("tells the address {ip}; it was leased {leased}"),
                [*seq, event.seq],
            );
        }
        if let (Some(said), Some(mac)) = (told("mac"), &self.mac) {
            found.check(
                said == mac,
                || format!("tells the MAC address {said}; it is {mac}"),
                [event.seq],
            );
        }
        for (field, known) in [("cipherType", self.cipher), ("type", Some(0))] {
            let said = number(event, &format!("{place}/{field}"));
            if let (Some(said), Some(known)) = (said, known) {
                found.check(
                    said == known,
                    || format!("tells the {field} {said}; it is {known}"),
                    [event.seq],
                );
            }
        }
        let Some((key, called, seq)) = self.names.get(device(event)) else {
            return;
        };
        for (said, known) in [(told("productKey"), key), (told("deviceName"), called)] {
            if let Some(said) = said {
                found.check(
                    said == known,
                    || format!("tells the name {said}; the cloud knows it as {known}"),
                    [*seq, event.seq],
                );
            }
        }
    }
}

/// Devices that have subscribed to replies in this session.
#[derive(Default)]
struct Subscribes {
    subscribed: BTreeMap<String, (bool, u64)>,
    /// Devices that have just sent a report again, of an earlier session, which comes before all else (MQTT
    /// 3.1.1 [MQTT-4.4.0-1]).
    again: BTreeSet<String>,
}

impl Watch for Subscribes {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        match &*event.kind {
            "session_opened" => {
                // What was subscribed in an earlier one may still count.
                let present = flag(event, "/session_present");
                self.subscribed
                    .insert(name.to_owned(), (present, event.seq));
            }
            "subscribe" => {
                let filters = event.data.pointer("/filters").and_then(Value::as_array);
                let to_replies = |filter: &Value| {
                    let filter = filter["filter"].as_str().unwrap_or_default();
                    filter.ends_with("match_reply")
                        || filter.ends_with('#')
                        || filter.ends_with('+')
                };
                if filters.is_some_and(|filters| filters.iter().any(to_replies))
                    && let Some((subscribed, _)) = self.subscribed.get_mut(name)
                {
                    *subscribed = true;
                }
            }
            "publish" => {
                let topic = text(event, "/topic").unwrap_or_default();
                if flag(event, "/duplicate") && topic.ends_with("/enrollee/match") {
                    self.again.insert(name.to_owned());
                }
            }
            "token_reported" if self.again.remove(name) => {}
            "token_reported" => {
                if let Some((subscribed, seq)) = self.subscribed.get(name) {
                    found.check(
                        *subscribed,
                        || "reported its token, and has not subscribed to the reply".into(),
                        [*seq, event.seq],
                    );
                }
            }
            _ => {
                self.subscribed.remove(name);
            }
        }
    }
}
