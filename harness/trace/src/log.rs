//! Events of a device's own log.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

payloads! {
    Log:
    LogLine => "line",
}

/// One record of a device's log, alike for every board and format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct CodePlace {
    /// Path of the module, such as `device::wifi`.
    pub module: String,
    /// The file as the compiler was given it.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
}

/// Levels of a device's log, gravest first.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
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
