//! What only boards behind a probe append to the trace.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use trace::{Payload, Source};

/// The image is on the chip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFlashed {
    /// The ELF file.
    pub image: String,
    /// True if it was there already, byte for byte.
    pub skipped: bool,
    /// Bytes of it.
    pub bytes: u64,
    /// ms of the host's time that it took.
    pub took_ms: u64,
}

impl Payload for ImageFlashed {
    const SOURCE: Source = Source::Board;
    const KIND: &'static str = "image_flashed";
}

/// What the processor was doing when the firmware ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crash {
    /// What happened, such as `hard fault: an instruction that does not exist`.
    pub what: String,
    /// The registers that tell of it, in hex.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub registers: BTreeMap<String, String>,
    /// Who called whom, innermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backtrace: Vec<Frame>,
}

impl Payload for Crash {
    const SOURCE: Source = Source::Board;
    const KIND: &'static str = "crash";
}

/// One function of a backtrace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// Its name, or its address if the image does not name it.
    pub function: String,
    /// The file, if the image says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in it, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}
