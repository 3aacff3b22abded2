//! Events of CoAP as the phones see it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

payloads! {
    Coap:
    CoapSeen => "received",
    CoapSent => "sent",
    CoapGarbage => "garbage",
}

/// A phone has received a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CoapSeen {
    /// Name of the phone.
    pub phone: String,
    /// Address and port of the sender.
    pub from: String,
    /// `CON`, `NON`, `ACK` or `RST`.
    #[serde(rename = "type")]
    pub message_type: String,
    /// Such as `0.02` or `2.05`.
    pub code: String,
    /// Message id.
    pub message_id: u16,
    /// The message's own token (RFC 7252 §5.3.1) in hex; not the one that binds.
    pub message_token: String,
    /// Path of a request, with slashes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Path of the phone's request that this answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_reply_to: Option<String>,
    /// Number of the payload's format (RFC 7252 §12.3), if it is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_format: Option<u16>,
    /// The payload, if it is JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// The payload, if it is something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A phone has sent a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CoapSent {
    /// Whose phone. Not called `phone`, since that would read as the receiver.
    pub sender: String,
    /// Address and port of the receiver.
    pub to: String,
    /// `CON`, `NON`, `ACK` or `RST`.
    #[serde(rename = "type")]
    pub message_type: String,
    /// Such as `0.01` or `2.05`.
    pub code: String,
    /// Message id.
    pub message_id: u16,
    /// The message's own token in hex.
    pub message_token: String,
    /// Path of a request, with slashes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_path: Option<String>,
    /// Why it could not be sent, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// A phone has received something on CoAP's port that is no CoAP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CoapGarbage {
    /// Name of the phone.
    pub phone: String,
    /// Address and port of the sender.
    pub from: String,
    /// What is wrong with it.
    pub reason: String,
    /// Its first bytes in hex.
    pub bytes: String,
}
