//! Events of provisioning as the phones see it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

payloads! {
    Provisioning:
    Exchange => "exchange",
    OutcomeReached => "outcome",
}

/// One request of a phone, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Exchange {
    /// Name of the phone.
    pub phone: String,
    /// Name of the endpoint.
    pub endpoint: String,
    /// What was asked, decrypted and in short.
    pub request: Value,
    /// The number of the session, where the device gives one: the cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Whether the answer gave that number although the request came with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub session_again: bool,
    /// UUID of the characteristic that stands for the endpoint over Bluetooth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub characteristic: Option<String>,
    /// What that characteristic's description says, a zero byte included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Length of the request's body.
    pub request_bytes: usize,
    /// What was answered, decrypted and in short; null if there was no answer that could be read.
    pub answer: Value,
    /// Length of the answer's body, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_bytes: Option<usize>,
    /// Why there is no answer, or none that can be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// How long it took, in µs of lab time.
    pub took_us: u64,
}

/// Provisioning came to an end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutcomeReached {
    /// Name of the phone.
    pub phone: String,
    /// Its name, such as `connected`.
    pub outcome: String,
    /// The same in words.
    pub detail: String,
}
