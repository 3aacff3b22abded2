//! What the broker, the vendor's cloud and the time server saw of a device, beside what its log says.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;
use trace::linkkit::{
    BindRefused, Bound, LinkkitConnectAccepted, LinkkitConnectRefused, MatchReplied,
    ReportMalformed, TokenReported,
};
use trace::mqtt::{ConnectRefused, ConnectionClosed, Denied, SessionOpened};
use trace::sntp::{TimeAnswered, TimeGarbage, TimeKept};
use trace::tls::Handshake;
use trace::{Event, Source, Trace};

use language::{Expect, Pattern, Step};

/// Longest excerpt of a log line in a message, in characters.
const EXCERPT: usize = 160;

/// The services that a step or clause is about, and the device that it names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    services: BTreeSet<Service>,
    device: Option<String>,
}

/// A service of the lab that sees what a device does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Service {
    Broker,
    Cloud,
    TimeServer,
}

impl Subject {
    /// What `step` is about.
    pub fn of_step(step: &Step) -> Self {
        match step {
            Step::Expect(Expect::Clause(clause)) => Self::of_patterns(clause.wanted.patterns()),
            Step::Bind(_) | Step::Claim(_) | Step::Unclaim(_) | Step::Call(_) => Self {
                services: [Service::Cloud].into(),
                device: None,
            },
            _ => Self::default(),
        }
    }

    /// What `patterns` are about.
    pub fn of_patterns<'p>(patterns: impl IntoIterator<Item = &'p Pattern>) -> Self {
        let mut subject = Self::default();
        for pattern in patterns {
            if let Some(service) = Service::of(pattern.source, pattern.tag.as_deref()) {
                subject.services.insert(service);
            }
            let device = pattern.device.as_ref().map(|device| device.value.clone());
            subject.device = subject.device.or(device);
        }
        subject
    }

    /// The last line that the device logged about the subject, and what each service saw of it.
    /// None if no service is concerned.
    pub fn beside_the_claim(&self, trace: &Trace) -> Option<String> {
        let mut told = Vec::new();
        if !self.services.is_empty()
            && let Some(line) = self.claim(trace)
        {
            told.push(format!("the device says: {line}"));
        }
        for service in &self.services {
            let seen = match service {
                Service::Broker => format!("the broker saw: {}", self.at_the_broker(trace)),
                Service::Cloud => format!("the cloud saw: {}", self.at_the_cloud(trace)),
                Service::TimeServer => format!("the time server saw: {}", self.at_the_clock(trace)),
            };
            told.push(seen);
        }
        (!told.is_empty()).then(|| told.join("; "))
    }

    fn claim(&self, trace: &Trace) -> Option<String> {
        let mut claim = None;
        for event in trace.events_from(0) {
            let Some(line) = event.line() else { continue };
            let is_about = Service::of(Source::Log, Some(line.tag))
                .is_some_and(|service| self.services.contains(&service));
            if is_about && self.concerns(&event) {
                let text: String = line.text.chars().take(EXCERPT).collect();
                claim = Some(format!("{}: {text}", line.tag));
            }
        }
        claim
    }

    /// How the last connection began, the last packet that came, and how it ended.
    fn at_the_broker(&self, trace: &Trace) -> String {
        let (mut handshake, mut session, mut packet, mut end) = (None, None, None, None);
        for event in trace.events_from(0) {
            if !self.concerns(&event) {
                continue;
            }
            if let Some(tls) = event.payload::<Handshake>() {
                handshake = Some(of_handshake(&tls));
                (session, packet, end) = (None, None, None);
            } else if let Some(refused) = event.payload::<ConnectRefused>() {
                let (code, reason) = (refused.code, refused.reason);
                session = Some(format!("CONNECT refused with code {code} ({reason})"));
            } else if let Some(opened) = event.payload::<SessionOpened>() {
                session = Some(format!("CONNECT of `{}` accepted", opened.client));
                (packet, end) = (None, None);
            } else if let Some(denied) = event.payload::<Denied>() {
                end = Some(format!("{} to `{}` denied", denied.action, denied.topic));
            } else if let Some(closed) = event.payload::<ConnectionClosed>() {
                let how = named(&closed.end);
                end = Some(match closed.detail {
                    Some(detail) => format!("connection closed ({how}: {detail})"),
                    None => format!("connection closed ({how})"),
                });
            } else if is_incoming(&event) {
                packet = Some(format!("last packet {}", event.kind.to_uppercase()));
            }
        }
        joined([handshake, session, packet, end], "no connection")
    }

    /// The last that the cloud took, refused or answered.
    fn at_the_cloud(&self, trace: &Trace) -> String {
        if let Some(seen) = self.at_thingsboard(trace) {
            return seen;
        }
        let (mut connect, mut report, mut bind) = (None, None, None);
        for event in trace.events_from(0) {
            if !self.concerns(&event) {
                continue;
            }
            if event.is::<LinkkitConnectAccepted>() {
                connect = Some("the signature of CONNECT is right".to_owned());
            } else if let Some(refused) = event.payload::<LinkkitConnectRefused>() {
                let (code, reason) = (refused.code, refused.reason);
                connect = Some(format!("CONNECT refused with code {code} ({reason})"));
            } else if let Some(reported) = event.payload::<TokenReported>() {
                let taken = if reported.taken { "taken" } else { "refused" };
                report = Some(format!("token report {} {taken}", reported.count));
            } else if let Some(malformed) = event.payload::<ReportMalformed>() {
                report = Some(format!("a malformed token report ({})", malformed.reason));
            } else if let Some(reply) = event.payload::<MatchReplied>() {
                let before = report.take().unwrap_or_default();
                report = Some(format!("{before}, answered with code {}", reply.code));
            } else if let Some(bound) = event.payload::<Bound>() {
                bind = Some(format!("bound to the account {}", bound.account));
            } else if let Some(refused) = event.payload::<BindRefused>() {
                let (code, reason) = (refused.code, refused.reason);
                bind = Some(format!("bind refused with code {code} ({reason})"));
            }
        }
        let report = report.unwrap_or_else(|| "no token report".to_owned());
        joined([connect, Some(report), bind, None], "nothing")
    }

    /// The last that ThingsBoard saw, if that is the cloud and has seen anything.
    fn at_thingsboard(&self, trace: &Trace) -> Option<String> {
        let mut last = None;
        for event in trace.events_from(0) {
            let is_its =
                event.source == Source::Cloud && ::trace::catalogue::is_of_thingsboard(&event.kind);
            if is_its && self.concerns(&event) {
                let reason = event.data.get("reason").and_then(Value::as_str);
                last = Some(match reason {
                    Some(reason) => format!("{} ({reason})", event.kind),
                    None => event.kind.to_string(),
                });
            }
        }
        last
    }

    /// The last question after the time, and its answer.
    fn at_the_clock(&self, trace: &Trace) -> String {
        let mut last = None;
        for event in trace.events_from(0) {
            if !self.concerns(&event) {
                continue;
            }
            if let Some(answered) = event.payload::<TimeAnswered>() {
                last = Some(match (answered.kiss_of_death, answered.unusable) {
                    (Some(code), _) => format!("a request, answered with kiss-o'-death {code}"),
                    (None, Some(why)) => format!("a request, with an answer that is none: {why}"),
                    (None, None) => format!(
                        "a request, answered with Unix time {} (wrong by {} s)",
                        answered.unix_s, answered.offset_s
                    ),
                });
            } else if event.is::<TimeKept>() {
                last = Some("a request, not answered as the scenario demands".to_owned());
            } else if let Some(garbage) = event.payload::<TimeGarbage>() {
                last = Some(format!(
                    "a datagram that is no request ({})",
                    garbage.reason
                ));
            }
        }
        last.unwrap_or_else(|| "no request".to_owned())
    }

    /// Whether `event` may be of the device. A connection has none before its client is known.
    fn concerns(&self, event: &Event) -> bool {
        match (&self.device, &event.device) {
            (Some(wanted), Some(device)) => wanted == device,
            _ => true,
        }
    }
}

impl Service {
    /// The service that sees what an event of `source` is about; for a log line, by its tag.
    fn of(source: Source, tag: Option<&str>) -> Option<Self> {
        match (source, tag) {
            (Source::Tls | Source::Mqtt, _) => Some(Self::Broker),
            (Source::Cloud, _) => Some(Self::Cloud),
            (Source::Sntp, _) => Some(Self::TimeServer),
            (Source::Log, Some(tag)) => {
                let has = |part| tag.to_ascii_lowercase().contains(part);
                if has("mqtt") || has("tls") || has("transport") {
                    Some(Self::Broker)
                } else if has("linkkit") {
                    Some(Self::Cloud)
                } else if has("sntp") {
                    Some(Self::TimeServer)
                } else {
                    None
                }
            }
            _ => None,
        }
    }
}

fn of_handshake(tls: &Handshake) -> String {
    if tls.ok {
        let version = tls.version.as_deref().unwrap_or("TLS");
        return format!(
            "{version} handshake with its certificate `{}` succeeded",
            tls.shown
        );
    }
    let cause = named(&tls.cause);
    match &tls.reason {
        Some(reason) => format!("TLS handshake failed ({cause}: {reason})"),
        None => format!("TLS handshake failed ({cause})"),
    }
}

fn is_incoming(event: &Event) -> bool {
    event.source == Source::Mqtt
        && event.data.pointer("/direction").and_then(Value::as_str) == Some("in")
}

/// The name of a variant, as in the trace.
fn named(variant: &impl Serialize) -> String {
    match serde_json::to_value(variant) {
        Ok(Value::String(name)) => name,
        _ => "unknown".to_owned(),
    }
}

fn joined(parts: [Option<String>; 4], none: &str) -> String {
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() {
        return none.to_owned();
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests;
