//! Events of a device's web server as its clients see it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

payloads! {
    Web:
    WebHandshake => "handshake",
    WebResponse => "response",
    WebFrameReceived => "received",
    WebFrameSent => "sent",
    WebClosed => "closed",
}

/// A TLS handshake with the server has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebHandshake {
    /// Name of the phone.
    pub phone: String,
    /// Whether there is a session.
    pub ok: bool,
    /// The name that was asked for (SNI).
    pub server_name: String,
    /// Version of TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The protocol that was agreed on (ALPN).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Common name of the certificate that the server has shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// The alert that the server has sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<u8>,
    /// Whether it goes on in an earlier session, by a ticket.
    #[serde(default)]
    pub resumed: bool,
    /// Why there is no session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Device time that it took, in µs.
    #[serde(default)]
    pub took_us: u64,
}

/// A response has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebResponse {
    /// Name of the phone.
    pub phone: String,
    /// Method of the request.
    pub method: String,
    /// What was asked for.
    pub path: String,
    /// Version of HTTP, such as `1.1`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// HTTP status code.
    pub status: u16,
    /// The text behind it.
    pub reason: String,
    /// Header fields, by their names in lower case.
    pub fields: BTreeMap<String, String>,
    /// The body as text, as far as it is kept.
    pub body: String,
    /// Bytes of the body.
    pub length: u64,
    /// Device time from the request to the end of the response, in µs.
    pub took_us: u64,
}

/// A frame of a WebSocket has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebFrameReceived {
    /// Name of the phone.
    pub phone: String,
    /// `continuation`, `text`, `binary`, `close`, `ping`, `pong`, or a number.
    pub frame: String,
    /// Whether it ends its message.
    pub is_final: bool,
    /// Bytes of its payload.
    pub length: u64,
    /// Bytes of its header: where the length could be coded in several ways, they tell which it was.
    pub header_length: u64,
    /// Its payload as text, as far as it is kept.
    pub text: String,
}

/// A frame of a WebSocket was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebFrameSent {
    /// Name of the phone.
    pub phone: String,
    /// `continuation`, `text`, `binary`, `close`, `ping`, `pong`, or a number.
    pub frame: String,
    /// Whether it ends its message.
    pub is_final: bool,
    /// Whether its payload is masked, as a client's must be.
    pub is_masked: bool,
    /// Bytes of its payload.
    pub length: u64,
}

/// A connection has ended by the server's doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WebClosed {
    /// Name of the phone.
    pub phone: String,
    /// How: its end, a reset, or a TLS alert.
    pub how: String,
}
