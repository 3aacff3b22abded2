//! What becomes of a binding token: where it may come from, when it is done, and how long it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clock::LabTime;
use serde_json::Value;
use trace::{Event, Source};

use crate::faults::Faults;
use crate::read::{device, flag, is_boot, number, since_boot, text};
use crate::wifi::is_refused;
use crate::{Contract, Found, Moment, Sight, Watch};

/// From one telling of a token to the next, while it has been told a few times only: the pauses are shorter, and one of
/// two broadcasts may not reach a phone.
const TOLD_WITHIN: Duration = Duration::from_secs(5);
/// From a token's report to its first telling. One that is heard for the first time later was told before, when no phone
/// was there.
const BEGINS_WITHIN: Duration = Duration::from_secs(3);
/// Tellings that are waited for.
const TELLINGS: u64 = 3;
/// From CONNACK to the report of a token.
const REPORTED_WITHIN: Duration = Duration::from_secs(10);
/// What an answer of the cloud takes to the device.
const ARRIVED: Duration = Duration::from_secs(2);
/// A phone that has thanked for so long is heard: its first thanks may wait for the device's hardware address, or be
/// lost.
const THANKED: Duration = Duration::from_secs(2);
/// Tokens of one device that are remembered.
const MOST: usize = 256;

pub const CONTRACTS: &[Contract] = &[
    Contract {
        id: "linkkit-refused-token-is-not-reported",
        needs: &[Sight::Phones],
        says: "a token that a phone hands over and the device refuses is not reported",
        source: "Linkkit C SDK 2.3.0: process_get_device_info, switchap; house: what was refused has no effect",
        reads: since_boot![
            (Source::Provisioning, "exchange"),
            (Source::Cloud, "token_reported"),
        ],
        watch: |_| Some(Box::<Refused>::default()),
    },
    Contract {
        id: "linkkit-answered-token-is-done",
        needs: &[Sight::Air, Sight::Broker, Sight::Clock],
        says: "a token that the cloud has answered for is not reported again",
        source: "Linkkit C SDK 2.3.0: awss_report_token_reply, awss_stop_report_token",
        reads: since_boot![
            (Source::Cloud, "token_reported"),
            (Source::Cloud, "match_replied"),
            (Source::Air, "left"),
            (Source::Mqtt, "connection_closed"),
        ],
        watch: |_| Some(Box::<Answered>::default()),
    },
    Contract {
        id: "linkkit-taken-token-is-told-no-more",
        needs: &[Sight::Phones],
        says: "a token that a phone has asked for, or thanked for, is told to nobody again",
        source: "Linkkit C SDK 2.3.0: process_get_device_info, awss_suc_notify_resp, which renew the token; a token binds \
                 once",
        reads: since_boot![(Source::Coap, "received"), (Source::Coap, "sent")],
        watch: |_| Some(Box::<Taken>::default()),
    },
    Contract {
        id: "linkkit-reports-when-its-token-is-over",
        needs: &[Sight::Broker, Sight::Clock],
        says: "a device that opens a session when the life of the token that it reported last is over reports another one \
               within ten seconds",
        source: "Linkkit C SDK 2.3.0: awss_report_token, awss_token_timeout",
        reads: since_boot![
            (Source::Cloud, "token_reported"),
            (Source::Mqtt, "session_opened"),
            (Source::Mqtt, "connection_closed"),
            (Source::Air, "left"),
            (Source::Engine, "fault"),
        ],
        watch: |facts| {
            Some(Box::new(Over {
                life: facts.linkkit.as_ref()?.token_life,
                reported: BTreeMap::new(),
                owed: BTreeMap::new(),
                faults: Faults::default(),
            }))
        },
    },
    Contract {
        id: "linkkit-telling-goes-on",
        needs: &[Sight::Air, Sight::Phones, Sight::Clock],
        says: "a device that has told its token on the LAN tells it again and again, until a phone has spoken to it or the \
               token is another",
        source: "Linkkit C SDK 2.3.0: awss_devinfo_notify, devinfo_notify_timer",
        reads: since_boot![
            (Source::Coap, "received"),
            (Source::Coap, "sent"),
            (Source::Cloud, "token_reported"),
            (Source::Mqtt, "session_opened"),
            (Source::Mqtt, "connection_closed"),
            (Source::Air, "left"),
            (Source::Air, "leased"),
            (Source::Air, "phone_joined"),
            (Source::Air, "phone_left"),
        ],
        watch: |facts| {
            let linkkit = facts.linkkit.as_ref()?;
            Some(Box::new(GoesOn {
                life: linkkit.token_life,
                most: linkkit.notifications,
                told: BTreeMap::new(),
                opened: BTreeSet::new(),
                reported: BTreeMap::new(),
            }))
        },
    },
];

/// Tokens that each device has refused, and by which event.
#[derive(Default)]
struct Refused(BTreeMap<String, BTreeMap<String, u64>>);

/// The token in a request by which a phone hands one over.
fn handed_over(event: &Event) -> Option<&str> {
    let raw = text(event, "/request/raw")?;
    let (token, _) = raw.split_once(r#""token":""#)?.1.split_once('"')?;
    Some(token)
}

impl Watch for Refused {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        if is_boot(event) {
            self.0.remove(name);
            return;
        }
        if event.kind == "exchange" {
            if let Some(token) = handed_over(event) {
                let refused = self.0.entry(name.to_owned()).or_default();
                if is_refused(event) && refused.len() < MOST {
                    refused.insert(token.to_owned(), event.seq);
                } else {
                    refused.remove(token);
                }
            }
            return;
        }
        let token = text(event, "/token").unwrap_or_default();
        let refused = self.0.get(name).and_then(|refused| refused.get(token));
        match refused {
            Some(seq) => found.broken(
                format!("reports {token}, which it has refused"),
                [*seq, event.seq],
            ),
            None => found.held(),
        }
    }
}

/// What each device has reported last, and for what of it the cloud has answered.
#[derive(Default)]
struct Answered(BTreeMap<String, Reported>);

#[derive(Default)]
struct Reported {
    token: String,
    id: Value,
    /// The answer's event; until the device has it for sure, its time as well.
    answer: Option<(u64, Option<LabTime>)>,
}

impl Watch for Answered {
    fn event(&mut self, event: &Event, moment: Moment, found: &mut Found) {
        let name = device(event);
        if is_boot(event) {
            self.0.remove(name);
            return;
        }
        match &*event.kind {
            "token_reported" => {
                let token = text(event, "/token").unwrap_or_default();
                let reported = self.0.entry(name.to_owned()).or_default();
                if reported.token != token {
                    reported.token = token.to_owned();
                    reported.answer = None;
                }
                reported.id = event.data["id"].clone();
                match reported.answer {
                    Some((seq, None)) => found.broken(
                        format!("reports {token} again, for which the cloud has answered"),
                        [seq, event.seq],
                    ),
                    Some((_, Some(_))) => {}
                    None => found.held(),
                }
            }
            "match_replied" => {
                if let Some(reported) = self.0.get_mut(name)
                    && reported.id == event.data["id"]
                    && reported.answer.is_none()
                    && moment.calm_since.is_some()
                {
                    reported.answer = Some((event.seq, Some(event.at())));
                }
            }
            // What was on its way may be lost.
            _ => {
                for reported in self.0.values_mut() {
                    if matches!(reported.answer, Some((_, Some(_)))) {
                        reported.answer = None;
                    }
                }
            }
        }
    }

    fn due(&self) -> Option<LabTime> {
        let on_their_way = self.0.values().filter_map(|reported| reported.answer?.1);
        on_their_way.map(|at| at + ARRIVED).min()
    }

    fn passed(&mut self, now: LabTime, moment: Moment, _: &mut Found) {
        for reported in self.0.values_mut() {
            if let Some((seq, Some(at))) = reported.answer
                && at + ARRIVED < now
            {
                reported.answer = moment.calm_from(at).then_some((seq, None));
            }
        }
    }
}

/// Tokens of each device that phones have taken.
#[derive(Default)]
struct Taken(BTreeMap<String, Tokens>);

#[derive(Default)]
struct Tokens {
    /// By the message that told it: a phone's thanks name it by the message's own token.
    told: BTreeMap<String, (String, u64)>,
    /// Since when a phone thanks for it.
    thanked: BTreeMap<String, LabTime>,
    /// The id of the message by which a phone got it, and the event that took it.
    taken: BTreeMap<String, (u64, u64)>,
}

impl Tokens {
    fn tells(&mut self, event: &Event, found: &mut Found) {
        let notified = text(event, "/json/params/token");
        let answered = text(event, "/json/data/token");
        let Some(token) = notified.or(answered).filter(|token| !token.is_empty()) else {
            return;
        };
        let message = number(event, "/message_id").unwrap_or_default();
        match self.taken.get(token) {
            // Another phone got the same.
            Some((same, _)) if *same == message => {}
            Some((_, seq)) => found.broken(
                format!("tells {token}, which a phone has taken"),
                [*seq, event.seq],
            ),
            None => found.held(),
        }
        if self.taken.len() >= MOST || self.told.len() >= MOST {
            return;
        }
        if notified.is_some() {
            let name = text(event, "/message_token").unwrap_or_default();
            self.told
                .insert(name.to_owned(), (token.to_owned(), message));
        } else if number(event, "/json/data/remainTime") > Some(0) {
            let taken = (message, event.seq);
            self.taken.entry(token.to_owned()).or_insert(taken);
        }
    }
}

impl Watch for Taken {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        if is_boot(event) {
            self.0.remove(name);
            return;
        }
        if event.kind == "received" {
            if !name.is_empty() {
                self.0
                    .entry(name.to_owned())
                    .or_default()
                    .tells(event, found);
            }
            return;
        }
        let is_thanks = text(event, "/code").is_some_and(|code| code.starts_with("2."));
        let thanked = text(event, "/message_token").unwrap_or_default();
        for tokens in self.0.values_mut().filter(|_| is_thanks) {
            if let Some((token, message)) = tokens.told.get(thanked) {
                let taken = (*message, event.seq);
                let since = *tokens.thanked.entry(token.clone()).or_insert(event.at());
                if event.at() - since >= THANKED {
                    tokens.taken.entry(token.clone()).or_insert(taken);
                }
            }
        }
    }
}

/// When each device has reported its token, and since when it owes another.
struct Over {
    life: Duration,
    reported: BTreeMap<String, LabTime>,
    owed: BTreeMap<String, (LabTime, u64)>,
    /// A session that was opened after a fault is as good as any.
    faults: Faults,
}

impl Watch for Over {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let name = device(event);
        if event.source == Source::Engine {
            let fault = text(event, "/name").unwrap_or_default();
            self.faults.note(fault, flag(event, "/on"));
            self.owed.clear();
            return;
        }
        if is_boot(event) {
            self.reported.remove(name);
            self.owed.remove(name);
            return;
        }
        match &*event.kind {
            "token_reported" => {
                self.reported.insert(name.to_owned(), event.at());
                if self.owed.remove(name).is_some() {
                    found.held();
                }
            }
            "session_opened" => {
                if let Some(at) = self.reported.get(name)
                    && self.faults.is_calm()
                    && *at + self.life + ARRIVED < event.at()
                {
                    self.owed.insert(name.to_owned(), (event.at(), event.seq));
                }
            }
            "left" => {
                self.owed.remove(name);
            }
            // The broker may not name the device any more.
            _ => self.owed.clear(),
        }
    }

    fn due(&self) -> Option<LabTime> {
        self.owed
            .values()
            .map(|(at, _)| *at + REPORTED_WITHIN)
            .min()
    }

    fn passed(&mut self, now: LabTime, _: Moment, found: &mut Found) {
        self.owed.retain(|_, (at, seq)| {
            let waits = *at + REPORTED_WITHIN >= now;
            if !waits {
                found.broken(
                    "has reported no token since, and the last one is over",
                    [*seq],
                );
            }
            waits
        });
    }
}

/// The token that each device is telling.
struct GoesOn {
    life: Duration,
    most: u64,
    told: BTreeMap<String, Telling>,
    /// Devices with a new session that have not reported a token in it.
    opened: BTreeSet<String>,
    /// When each device has reported the first token of its session: a later one is told at the pauses that the telling
    /// has come to by then.
    reported: BTreeMap<String, LabTime>,
}

struct Telling {
    token: String,
    times: u64,
    message: u64,
    first: LabTime,
    last: LabTime,
    seq: u64,
    /// Whether phones hear everything that is said from the first time on.
    phones: BTreeSet<String>,
}

impl Telling {
    /// No more of it is owed. It is not counted anew while the token is the same: the pauses of one that has gone on
    /// for long are longer.
    fn is_over(&mut self) {
        self.times = TELLINGS;
    }
}

impl GoesOn {
    fn hears(&mut self, event: &Event, found: &mut Found) {
        let name = device(event);
        let Some(token) = text(event, "/json/params/token") else {
            // An answer: a phone has asked.
            if let Some(telling) = self.told.get_mut(name) {
                telling.is_over();
            }
            return;
        };
        let phone = text(event, "/phone").unwrap_or_default();
        let message = number(event, "/message_id").unwrap_or_default();
        let is_new = self.told.get(name).is_none_or(|told| told.token != token);
        if is_new {
            let is_first = |at: &LabTime| event.at() - *at <= BEGINS_WITHIN;
            let times = match self.reported.get(name).is_some_and(is_first) {
                true => 1,
                false => TELLINGS,
            };
            let telling = Telling {
                token: token.to_owned(),
                times,
                message,
                first: event.at(),
                last: event.at(),
                seq: event.seq,
                phones: BTreeSet::from([phone.to_owned()]),
            };
            self.told.insert(name.to_owned(), telling);
            return;
        }
        if let Some(telling) = self.told.get_mut(name)
            && telling.message != message
        {
            telling.message = message;
            telling.times += 1;
            telling.last = event.at();
            telling.seq = event.seq;
            telling.phones.insert(phone.to_owned());
            found.held();
        }
    }

    fn reports(&mut self, event: &Event) {
        let name = device(event);
        if self.opened.remove(name) {
            self.reported.insert(name.to_owned(), event.at());
        } else {
            self.reported.remove(name);
        }
    }

    fn owes(&self, telling: &Telling) -> bool {
        telling.times < TELLINGS.min(self.most)
            && telling.last + TOLD_WITHIN < telling.first + self.life
    }
}

impl Watch for GoesOn {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        match &*event.kind {
            "received" if !device(event).is_empty() => self.hears(event, found),
            "received" => {}
            "leased" if device(event).is_empty() => {}
            "phone_joined" | "phone_left" => {
                let phone = text(event, "/phone").unwrap_or_default();
                let telling = self.told.values_mut();
                telling
                    .filter(|telling| telling.phones.contains(phone))
                    .for_each(Telling::is_over);
            }
            "token_reported" | "leased" | "left" => {
                if event.kind == "token_reported" {
                    self.reports(event);
                }
                if let Some(telling) = self.told.get_mut(device(event)) {
                    telling.is_over();
                }
            }
            _ if is_boot(event) => {
                self.told.remove(device(event));
            }
            // A phone has spoken, or the session is another.
            kind => {
                if kind == "session_opened" {
                    self.opened.insert(device(event).to_owned());
                }
                self.told.values_mut().for_each(Telling::is_over);
            }
        }
    }

    fn due(&self) -> Option<LabTime> {
        let owing = self.told.values().filter(|telling| self.owes(telling));
        owing.map(|telling| telling.last + TOLD_WITHIN).min()
    }

    fn passed(&mut self, now: LabTime, moment: Moment, found: &mut Found) {
        let mut over = Vec::new();
        for (name, telling) in &self.told {
            if self.owes(telling) && telling.last + TOLD_WITHIN < now {
                over.push(name.clone());
                if moment.calm_from(telling.first) {
                    let (token, times) = (&telling.token, telling.times);
                    found.broken(
                        format!("has told {token} {times} times, and no more since"),
                        [telling.seq],
                    );
                }
            }
        }
        for name in over {
            self.told.remove(&name);
        }
    }
}
