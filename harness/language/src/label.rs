//! Clauses, patterns and faults in a few words, for traces and reports.

use std::fmt;

use trace::Source;

use super::clause::{Clause, Count, Wanted, Window};
use super::duration;
use super::fault::Fault;
use super::pattern::{Pattern, regular_expression};

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.wanted {
            Wanted::One(pattern, _) => write!(f, "{pattern}"),
            Wanted::InOrder(patterns, _) => write!(f, "in order {}", List(patterns)),
            Wanted::AnyOrder(patterns, _) => write!(f, "in any order {}", List(patterns)),
            Wanted::Never(patterns, limit) => {
                write!(
                    f,
                    "for {} never {}",
                    duration::display(*limit),
                    List(patterns)
                )
            }
            Wanted::Count(pattern, count, Window::Within(_)) => write!(f, "{count} {pattern}"),
            Wanted::Count(pattern, count, Window::For(limit)) => {
                write!(f, "for {} {count} {pattern}", duration::display(*limit))
            }
        }
    }
}

struct List<'p>(&'p [Pattern]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, pattern) in self.0.iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            write!(f, "{comma}{pattern}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.at_least, self.at_most) {
            (least, Some(most)) if least == most => write!(f, "exactly {least}"),
            (0, Some(most)) => write!(f, "at most {most}"),
            (least, Some(most)) => write!(f, "{least} to {most}"),
            (least, None) => write!(f, "at least {least}"),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(source_name(self.source))?;
        if let Some(kind) = &self.kind {
            write!(f, " {kind}")?;
        }
        if let Some(text) = &self.text {
            match regular_expression(text) {
                Some(_) => write!(f, " {}", text.value)?,
                None => write!(f, " {:?}", text.value)?,
            }
        }
        let level = self
            .level
            .map(|level| format!("level {level:?}").to_lowercase());
        let tag = self.tag.as_ref().map(|tag| format!("tag {tag}"));
        let fields = self.fields.iter().map(|field| {
            let value = super::captures::plain(&field.value.value);
            format!("{} {value}", field.name)
        });
        let device = self
            .device
            .as_ref()
            .map(|device| format!("device {device}"));
        let rest: Vec<_> = level
            .into_iter()
            .chain(tag)
            .chain(fields)
            .chain(device)
            .collect();
        if rest.is_empty() {
            return Ok(());
        }
        write!(f, " ({})", rest.join(", "))
    }
}

/// The source as scenarios name it.
fn source_name(source: Source) -> &'static str {
    match source {
        Source::Log => "log",
        Source::Board => "board",
        Source::Air => "air",
        Source::Tls => "tls",
        Source::Mqtt => "mqtt",
        Source::Cloud => "cloud",
        Source::Sntp => "sntp",
        Source::Coap => "coap",
        Source::Provisioning => "provisioning",
        Source::Web => "web",
        Source::Engine => "engine",
        Source::Witness => "witness",
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Self::AccessPointOff(role)
            | Self::Isolation(role)
            | Self::InternetOff(role)
            | Self::JoinUnanswered(role) => write!(f, "{name} {role}"),
            Self::TimeSilent
            | Self::BluetoothSilent
            | Self::CloudUnanswered
            | Self::BrokerMoved
            | Self::HandshakeStalled
            | Self::MessagesWithheld
            | Self::SingleBytes => f.write_str(name),
            Self::BluetoothDropAfter(bytes) | Self::BluetoothSlow(bytes) => {
                write!(f, "{name} {bytes}")
            }
            Self::DhcpAnswer(answer) => write!(f, "{name} {:?} at {}", answer.with, answer.at),
            Self::NameAnswer(answer) => write!(f, "{name} {:?} of {:?}", answer.with, answer.of),
            Self::Frames(frames) => write!(f, "{name} at {}", frames.at),
            Self::Signal(signal) => write!(f, "{name} {} at {}", signal.rssi, signal.at),
            Self::StationsLost(lost) => write!(f, "{name} {} at {}", lost.reason, lost.at),
            Self::ConnectRefused(code) => write!(f, "{name} {code}"),
            Self::SubscribeRefused(filter) => write!(f, "{name} {filter}"),
            Self::TimeAnswer(answer) => write!(f, "{name} {answer:?}"),
            Self::BrokerDown(how) => write!(f, "{name} {how:?}"),
            Self::ConnectAnswer(answer) | Self::PingAnswer(answer) => {
                write!(f, "{name} {answer:?}")
            }
            Self::SubscribeAnswer(answer) | Self::PublishAnswer(answer) => {
                write!(f, "{name} {answer:?}")
            }
            Self::BadPacket(packet) => write!(f, "{name} {packet:?}"),
            Self::SessionEnded(by) => write!(f, "{name} {by:?}"),
            Self::MatchReply(reply) => write!(f, "{name} {reply:?}"),
        }
    }
}
