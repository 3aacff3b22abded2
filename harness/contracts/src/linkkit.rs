//! What a device that binds by a one-time token owes.

use std::collections::BTreeMap;
use std::time::Duration;

use clock::LabTime;
use serde_json::Value;
use trace::{Event, Source};

use crate::facts::LinkkitFacts;
use crate::mqtt::is_from_client;
use crate::read::{device, flag, is_boot, number, since_boot, text};
use crate::{Contract, Found, Moment, Sight, Watch};

const READS: &[(Source, &str)] = since_boot![
    (Source::Cloud, "token_reported"),
    (Source::Cloud, "match_replied"),
    (Source::Coap, "received"),
];

/// Reports of one token that are remembered.
const MOST_REPORTS: usize = 64;

/// What a report takes to the cloud at most.
const ON_THE_WAY: Duration = Duration::from_secs(2);
/// By how much the first of two reports may be later at the cloud than the second: a device that was silent has to ask
/// for its router's hardware address again, once a second.
const LATER: Duration = Duration::from_millis(1_100);

pub const CONTRACTS: &[Contract] = &[
    Contract {
        id: "linkkit-report-ids-count",
        needs: &[],
        says: "the id of a report is a decimal string, and one more than that of the report before",
        source: "Linkkit C SDK 2.3.0: awss_report_token",
        reads: READS,
        watch: |_| Some(Box::<ReportIds>::default()),
    },
    Contract {
        id: "linkkit-token-is-spelled-in-capitals",
        needs: &[],
        says: "a token is reported in digits and capital letters of hex",
        source: "Linkkit C SDK 2.3.0: awss_token_generate, utils_hex_to_str; the article of 2019",
        reads: &[(Source::Cloud, "token_reported")],
        watch: |_| Some(Box::new(Spelled)),
    },
    Contract {
        id: "linkkit-reports-at-qos-1",
        needs: &[],
        says: "a token is reported at quality of service 1, and not retained",
        source: "Linkkit C SDK 2.3.0: awss_cmp_mqtt_send, IOTX_MQTT_QOS1",
        reads: &[(Source::Mqtt, "publish")],
        watch: |_| Some(Box::new(AtLeastOnce)),
    },
    Contract {
        id: "linkkit-token-is-never-revived",
        needs: &[],
        says: "a token is not reported again once another one was",
        source: "Linkkit C SDK 2.3.0: produce_random",
        reads: READS,
        watch: |_| Some(Box::<Revived>::default()),
    },
    Contract {
        id: "linkkit-reports-are-few",
        needs: &[Sight::Clock],
        says: "a token is reported no more often than the profile says, and not faster",
        source: "Linkkit C SDK 2.3.0: awss_report_token",
        reads: since_boot![
            (Source::Cloud, "token_reported"),
            (Source::Mqtt, "session_opened"),
        ],
        watch: |facts| {
            Some(Box::new(Reports {
                facts: facts.linkkit.clone()?,
                sent: BTreeMap::new(),
                opened: BTreeMap::new(),
            }))
        },
    },
    Contract {
        id: "linkkit-tells-what-the-cloud-knows",
        needs: &[Sight::Broker],
        says: "a token that is told on the LAN is the one that was reported last, and the cloud \
               has answered the report",
        source: "Linkkit C SDK 2.3.0: awss_notify",
        reads: READS,
        watch: |_| Some(Box::<Told>::default()),
    },
    Contract {
        id: "linkkit-remaining-time-is-true",
        needs: &[Sight::Clock],
        says: "remainTime is what is left of the token's life since its report, and a token is told no longer than it \
               lives",
        source: "Linkkit C SDK 2.3.0: awss_token_remain_time",
        reads: READS,
        watch: |facts| {
            Some(Box::new(Remains {
                life: facts.linkkit.as_ref()?.token_life,
                reported: BTreeMap::new(),
            }))
        },
    },
];

/// The id of a message, which is a text or a number.
fn digits(id: &Value) -> String {
    id.as_str().map_or_else(|| id.to_string(), str::to_owned)
}

/// The token in what a device tells on the LAN, and where its `remainTime` stands.
fn told(event: &Event) -> Option<(&str, Option<u64>)> {
    ["/json/params", "/json/data"]
        .into_iter()
        .find_map(|place| {
            let token = text(event, &format!("{place}/token"))?;
            Some((token, number(event, &format!("{place}/remainTime"))))
        })
}

#[derive(Default)]
struct ReportIds(BTreeMap<String, (u64, u64)>);

impl Watch for ReportIds {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if is_boot(event) {
            self.0.remove(device(event));
            return;
        }
        if event.kind != "token_reported" {
            return;
        }
        let Some(id) = text(event, "/id").and_then(|id| id.parse::<u64>().ok()) else {
            let id = &event.data["id"];
            found.broken(format!("a report with the id {id}"), [event.seq]);
            return;
        };
        match self.0.insert(device(event).to_owned(), (id, event.seq)) {
            // Notifications may have taken ids in between.
            Some((last, seq)) => found.check(
                id > last,
                || format!("id {id} after id {last}"),
                [seq, event.seq],
            ),
            None => found.held(),
        }
    }
}

/// Where tokens are reported, and with what promise.
struct AtLeastOnce;

impl Watch for AtLeastOnce {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let topic = text(event, "/topic").unwrap_or_default();
        if !topic.ends_with("/thing/awss/enrollee/match") || !is_from_client(event) {
            return;
        }
        let qos = number(event, "/qos").unwrap_or_default();
        let retained = flag(event, "/retain");
        found.check(
            qos == 1 && !retained,
            || match retained {
                true => "has a report retained".to_owned(),
                false => format!("reports at quality of service {qos}"),
            },
            [event.seq],
        );
    }
}

/// What the cloud says of the spelling; the token itself is in no trace.
struct Spelled;

impl Watch for Spelled {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if let Some(spelled) = event.data.pointer("/capital_hex").and_then(Value::as_bool) {
            let token = text(event, "/token").unwrap_or_default();
            found.check(
                spelled,
                || format!("{token} has other characters"),
                [event.seq],
            );
        }
    }
}

/// Which tokens each device has reported, the current one last.
#[derive(Default)]
struct Revived(BTreeMap<String, Vec<(String, u64)>>);

impl Watch for Revived {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if event.kind != "token_reported" {
            return;
        }
        let token = text(event, "/token").unwrap_or_default();
        let tokens = self.0.entry(device(event).to_owned()).or_default();
        match tokens.iter().position(|(known, _)| known == token) {
            Some(place) if place + 1 < tokens.len() => {
                found.broken(format!("{token} again"), [tokens[place].1, event.seq]);
            }
            Some(_) => found.held(),
            None if tokens.len() < 4096 => {
                tokens.push((token.to_owned(), event.seq));
                found.held();
            }
            None => {}
        }
    }
}

/// How often each device has reported its token without an answer, and when last.
struct Reports {
    facts: LinkkitFacts,
    sent: BTreeMap<String, (String, u64, LabTime, u64)>,
    /// How many sessions each device has had, and when the last one was opened.
    opened: BTreeMap<String, (u64, LabTime)>,
}

impl Reports {
    /// Whether what came then may have waited for a connection, and so was sent before it came.
    fn has_waited(&self, device: &str, came: LabTime) -> bool {
        self.opened
            .get(device)
            .is_some_and(|(times, at)| *times > 1 && came >= *at && came - *at < ON_THE_WAY)
    }
}

impl Watch for Reports {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if is_boot(event) {
            self.sent.remove(device(event));
            self.opened.remove(device(event));
            return;
        }
        if event.kind == "session_opened" {
            let (times, _) = self.opened.get(device(event)).copied().unwrap_or_default();
            self.opened
                .insert(device(event).to_owned(), (times + 1, event.at()));
            return;
        }
        if event.kind != "token_reported" {
            return;
        }
        let token = text(event, "/token").unwrap_or_default();
        let before = self.sent.get(device(event)).filter(|sent| sent.0 == token);
        let (times, last) = match before {
            Some((_, times, at, seq)) => (times + 1, Some((*at, *seq))),
            None => (1, None),
        };
        if times > self.facts.reports {
            let most = self.facts.reports;
            let events = last.map(|(_, seq)| seq).into_iter().chain([event.seq]);
            found.broken(
                format!("report {times} of {token}; {most} are the most"),
                events,
            );
        } else if let Some((at, seq)) = last
            && !self.has_waited(device(event), at)
        {
            let waited = event.at() - at;
            let least = self.facts.report_interval;
            found.check(
                waited + LATER >= least * 9 / 10,
                || format!("{token} again after {waited:.1?}; {least:.1?} is the least"),
                [seq, event.seq],
            );
        }
        self.sent.insert(
            device(event).to_owned(),
            (token.to_owned(), times, event.at(), event.seq),
        );
    }
}

/// The token that each device reported last, whether the cloud has answered for it, and the event.
#[derive(Default)]
struct Told {
    last: BTreeMap<String, (String, bool, u64)>,
    /// Ids of the reports of that token; an answer to another is none for it.
    ids: BTreeMap<String, Vec<String>>,
}

impl Watch for Told {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        match &*event.kind {
            "token_reported" => {
                let token = text(event, "/token").unwrap_or_default().to_owned();
                let before = self.last.get(device(event)).filter(|last| last.0 == token);
                let answered = before.is_some_and(|last| last.1);
                let ids = self.ids.entry(device(event).to_owned()).or_default();
                if before.is_none() {
                    ids.clear();
                }
                if ids.len() < MOST_REPORTS {
                    ids.push(digits(&event.data["id"]));
                }
                self.last
                    .insert(device(event).to_owned(), (token, answered, event.seq));
            }
            "match_replied" => {
                // The SDK does not look at the code.
                let id = digits(&event.data["id"]);
                let ids = self.ids.get(device(event));
                if ids.is_some_and(|ids| ids.contains(&id))
                    && let Some(last) = self.last.get_mut(device(event))
                {
                    last.1 = true;
                }
            }
            "received" if !device(event).is_empty() => {
                let Some((token, remain)) = told(event) else {
                    return;
                };
                // A device may say that it has none yet.
                if token.is_empty() || remain == Some(0) {
                    return;
                }
                match self.last.get(device(event)) {
                    Some((last, answered, seq)) if last == token => found.check(
                        *answered,
                        || format!("told {token}, which the cloud has not answered"),
                        [*seq, event.seq],
                    ),
                    Some((last, _, seq)) => found.broken(
                        format!("told {token}; it reported {last}"),
                        [*seq, event.seq],
                    ),
                    None => found.broken(
                        format!("told {token}, which it never reported"),
                        [event.seq],
                    ),
                }
            }
            _ => {}
        }
    }
}

/// When each token was reported last.
struct Remains {
    life: Duration,
    reported: BTreeMap<String, (LabTime, u64)>,
}

impl Watch for Remains {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if event.kind == "token_reported" {
            let token = text(event, "/token").unwrap_or_default();
            if self.reported.len() < 4096 {
                self.reported
                    .insert(token.to_owned(), (event.at(), event.seq));
            }
            return;
        }
        if event.kind != "received" {
            return;
        }
        let Some((token, Some(remain))) = told(event) else {
            return;
        };
        let Some((at, seq)) = self.reported.get(token) else {
            return;
        };
        let age = event.at() - *at;
        let apart = Duration::from_secs(1) + age / 20;
        if remain == 0 {
            // A device may say that it has none yet.
            if age > self.life + apart {
                found.broken(
                    format!(
                        "{token} is told {age:.1?} after its report; it lives {:.1?}",
                        self.life
                    ),
                    [*seq, event.seq],
                );
            }
            return;
        }
        let left = self.life.saturating_sub(age);
        let said = Duration::from_millis(remain);
        // It was sent before it arrived: by as much less may be left.
        let less = if said < left {
            ON_THE_WAY
        } else {
            Duration::ZERO
        };
        found.check(
            left.abs_diff(said) <= apart + less,
            || format!("{said:.1?} are said to be left of {token}; {left:.1?} are"),
            [*seq, event.seq],
        );
    }
}
