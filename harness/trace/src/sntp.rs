//! Events of the time server.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

payloads! {
    Sntp:
    TimeAnswered => "answered",
    TimeKept => "kept_silent",
    TimeGarbage => "garbage",
}

/// A client was told the time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimeAnswered {
    /// Address of the client.
    pub peer: String,
    /// The version of NTP that it speaks.
    pub version: u8,
    /// The Unix time in s that it was told.
    pub unix_s: u64,
    /// By how many s that is wrong, on purpose.
    pub offset_s: i64,
    /// The code by which it was sent away instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kiss_of_death: Option<String>,
    /// Why the answer is none, on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unusable: Option<String>,
}

/// A client asked and, on purpose, was told nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimeKept {
    /// Address of the client.
    pub peer: String,
    /// The version of NTP that it speaks.
    pub version: u8,
}

/// What came is no question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimeGarbage {
    /// Who sent it.
    pub peer: String,
    /// What is wrong with it.
    pub reason: String,
    /// Its first bytes in hex.
    pub hex: String,
}
