//! One thing that happened.

use std::borrow::Cow;

use clock::LabTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Data, Level};

/// One thing that happened; one line of a trace file.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Position in the trace, from 0, without gaps. Order is arrival at the host.
    pub seq: u64,
    /// µs of lab time since the world was started.
    pub lab_us: u64,
    /// µs of Unix time on the host.
    pub wall_us: u64,
    /// Who saw it.
    pub source: Source,
    /// The device that it concerns, by its name in the scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// What it is, in snake_case; together with `source` it fixes the shape of `data`.
    pub kind: Cow<'static, str>,
    /// The particulars, to be read like a JSON value.
    pub data: Data,
}

/// A line of a log, in its event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'e> {
    /// How grave the device says it is.
    pub level: Level,
    /// The component that logged.
    pub tag: &'e str,
    /// What it logged.
    pub text: &'e str,
}

impl Event {
    /// When it happened, in lab time.
    pub fn at(&self) -> LabTime {
        LabTime::from_micros(self.lab_us)
    }

    /// Whether this is an event of `P`'s kind.
    pub fn is<P: crate::Payload>(&self) -> bool {
        self.source == P::SOURCE && self.kind == P::KIND
    }

    /// The particulars, if this is an event of `P`'s kind.
    pub fn payload<P: crate::Payload + for<'de> Deserialize<'de>>(&self) -> Option<P> {
        self.is::<P>().then(|| self.data.payload()).flatten()
    }

    /// The line of a log that this is, if it is one. Costs nothing for those of
    /// [`Trace::log`](crate::Trace::log); [`Event::payload`] would have to copy.
    pub fn line(&self) -> Option<Line<'_>> {
        if let Some(line) = self.data.line() {
            return Some(Line {
                level: line.level,
                tag: &line.tag,
                text: &line.text,
            });
        }
        if !self.is::<crate::LogLine>() {
            return None;
        }
        let text = |key| self.data.get(key).and_then(Value::as_str);
        Some(Line {
            level: Level::deserialize(self.data.get("level")?).ok()?,
            tag: text("tag")?,
            text: text("text")?,
        })
    }
}

impl Clone for Event {
    fn clone(&self) -> Self {
        Self {
            seq: self.seq,
            lab_us: self.lab_us,
            wall_us: self.wall_us,
            source: self.source,
            device: self.device.clone(),
            kind: self.kind.clone(),
            data: self.data.copy(),
        }
    }
}

/// Who saw an event. An expectation keeps one cursor for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The device's own log.
    Log,
    /// The board: power, reset, exit, garbage on its link.
    Board,
    /// The air: joins, leases, names, faults.
    Air,
    /// TLS handshakes at the broker's front.
    Tls,
    /// MQTT packets and sessions at the broker's front.
    Mqtt,
    /// The vendor's cloud behind the broker: Linkkit, ThingsBoard. Before ThingsBoard came, it was
    /// written as `linkkit`.
    #[serde(alias = "linkkit")]
    Cloud,
    /// The time server.
    Sntp,
    /// Datagrams of CoAP as the phones see them.
    Coap,
    /// Provisioning exchanges as the phones see them.
    Provisioning,
    /// A device's web server, as its clients see it.
    Web,
    /// The scenario engine: steps, faults, verdicts.
    Engine,
    /// Self-checks of the lab.
    Witness,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Log,
        Self::Board,
        Self::Air,
        Self::Tls,
        Self::Mqtt,
        Self::Cloud,
        Self::Sntp,
        Self::Coap,
        Self::Provisioning,
        Self::Web,
        Self::Engine,
        Self::Witness,
    ];

    /// Its name in a trace.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Board => "board",
            Self::Air => "air",
            Self::Tls => "tls",
            Self::Mqtt => "mqtt",
            Self::Cloud => "cloud",
            Self::Sntp => "sntp",
            Self::Coap => "coap",
            Self::Provisioning => "provisioning",
            Self::Web => "web",
            Self::Engine => "engine",
            Self::Witness => "witness",
        }
    }
}
