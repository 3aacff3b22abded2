//! Typed events, and those that belong to no single crate.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Source;

/// The particulars of one kind of event.
pub trait Payload: Serialize {
    /// Who sees such events.
    const SOURCE: Source;
    /// The kind's name, in snake_case.
    const KIND: &'static str;
}

/// First event of every trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// [`crate::FORMAT_VERSION`] of the writer.
    pub format: u32,
    /// Unix time in s that the lab's clock showed at its start.
    pub epoch_s: u64,
}

impl Payload for Started {
    const SOURCE: Source = Source::Engine;
    const KIND: &'static str = "started";
}

/// One record of a device's log, alike for every board and format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// How grave the device says it is.
    pub level: Level,
    /// The component that logged, without the brackets of its format.
    pub tag: String,
    /// The text; may hold line feeds.
    pub text: String,
    /// The device's own time in ms since its start, if it gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_ms: Option<u64>,
    /// Where in the firmware's source it was logged, if the log's format says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Arc<CodePlace>>,
}

/// A place in a firmware's source.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CodePlace {
    /// Path of the module, such as `device::wifi`.
    pub module: String,
    /// The file as the compiler was given it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
}

impl Payload for LogLine {
    const SOURCE: Source = Source::Log;
    const KIND: &'static str = "line";
}

/// Levels of a device's log, gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// ESP-IDF `E`, Linkkit `[err]`.
    Error,
    /// ESP-IDF `W`, Linkkit `[wrn]`.
    Warn,
    /// ESP-IDF `I`, Linkkit `[inf]`.
    Info,
    /// ESP-IDF `D`, Linkkit `[dbg]`.
    Debug,
    /// ESP-IDF `V`.
    Trace,
}

impl Level {
    /// The letter that ESP-IDF prints for it.
    pub const fn letter(self) -> char {
        match self {
            Self::Error => 'E',
            Self::Warn => 'W',
            Self::Info => 'I',
            Self::Debug => 'D',
            Self::Trace => 'V',
        }
    }
}

/// Something that the scenario breaks on purpose, at the moment when it starts or ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The fault's name in the scenario language.
    pub name: String,
    /// True when it begins, false when it is taken back.
    pub on: bool,
    /// What exactly was done.
    pub detail: String,
}

impl Payload for Fault {
    const SOURCE: Source = Source::Engine;
    const KIND: &'static str = "fault";
}

/// A part of the lab that is checked while a scenario runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Witness {
    /// The host ran the lab in time.
    Host,
    /// The board's link to the lab is up.
    BoardLink,
    /// The broker accepts and answers.
    Broker,
    /// The air forwards frames.
    Air,
    /// The time server answers.
    TimeServer,
    /// The trace can be written.
    Trace,
}

/// What a witness saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessReport {
    /// Which part of the lab.
    pub witness: Witness,
    /// Whether it did its work.
    pub sound: bool,
    /// What was seen.
    pub detail: String,
}

impl Payload for WitnessReport {
    const SOURCE: Source = Source::Witness;
    const KIND: &'static str = "report";
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything happened as it should.
    Passed,
    /// The device's fault.
    Failed,
    /// The lab's or the host's fault.
    Broken,
    /// Failed, then passed under the same conditions.
    Flaky,
    /// Not run; something that it needs is missing.
    Skipped,
}
