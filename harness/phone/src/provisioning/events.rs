//! What provisioning writes to the trace.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use trace::{Payload, Source};

/// One request of a phone, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// Whose phone.
    pub phone: String,
    /// Name of the endpoint.
    pub endpoint: String,
    /// What was asked, decrypted and in short.
    pub request: Value,
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

impl Payload for Exchange {
    const SOURCE: Source = Source::Provisioning;
    const KIND: &'static str = "exchange";
}

/// Provisioning came to an end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutcomeReached {
    /// Whose phone.
    pub phone: String,
    /// [`Outcome::name`](super::Outcome::name).
    pub outcome: String,
    /// The same in words.
    pub detail: String,
}

impl Payload for OutcomeReached {
    const SOURCE: Source = Source::Provisioning;
    const KIND: &'static str = "outcome";
}
