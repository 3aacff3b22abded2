//! What only boards behind a probe append to the trace.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use trace::{Payload, Source};

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
