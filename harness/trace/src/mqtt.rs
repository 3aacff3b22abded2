//! Events of connections and sessions at the broker's front, and of every MQTT packet.

mod packet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use packet::{
    Auth, Connack, Connect, Direction, Disconnect, Packet, PayloadForm, Pingreq, Pingresp, Puback,
    Pubcomp, Publish, Pubrec, Pubrel, Reserved, ShownWill, Suback, Subscribe, Subscribed, Unsuback,
    Unsubscribe,
};

payloads! {
    Mqtt:
    ConnectionOpened => "connection_opened",
    ConnectionClosed => "connection_closed",
    SessionOpened => "session_opened",
    ConnectRefused => "connect_refused",
    WillPublished => "will_published",
    Denied => "denied",
    Dropped => "dropped",
    Connect => "connect",
    Connack => "connack",
    Publish => "publish",
    Puback => "puback",
    Pubrec => "pubrec",
    Pubrel => "pubrel",
    Pubcomp => "pubcomp",
    Subscribe => "subscribe",
    Suback => "suback",
    Unsubscribe => "unsubscribe",
    Unsuback => "unsuback",
    Pingreq => "pingreq",
    Pingresp => "pingresp",
    Disconnect => "disconnect",
    Auth => "auth",
    Reserved => "reserved",
}

/// A TCP connection was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionOpened {
    /// Number of the connection at this broker, from 1.
    pub connection: u64,
    /// Address of the peer.
    pub peer: String,
    /// Whether a TLS handshake follows.
    pub tls: bool,
}

/// A connection is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionClosed {
    /// Number of the connection.
    pub connection: u64,
    /// Client id, if a session had begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Who ended it, and how.
    pub end: End,
    /// The particulars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Reason code of the DISCONNECT by which it ended, sent or received (MQTT 5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u8>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// The client sent DISCONNECT.
    Disconnected,
    /// The client closed without DISCONNECT, or the network did.
    Lost,
    /// Nothing came for one and a half times the keep-alive.
    KeepAlive,
    /// A new connection came with the same client id.
    TakenOver,
    /// The client broke the standard.
    Violation,
    /// CONNECT was refused.
    Refused,
    /// The cloud behind the broker closed it, because of what the client published.
    Closed,
    /// The TLS handshake failed.
    Handshake,
    /// CONNECT did not come in time, or the client did not take what it was sent.
    TimedOut,
    /// The scenario wanted it so.
    Fault,
}

/// A session began or went on: CONNACK 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionOpened {
    /// Number of the connection.
    pub connection: u64,
    /// Client id.
    pub client: String,
    /// User name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// `3.1`, `3.1.1` or `5`.
    pub protocol: String,
    /// Whether it began without what was kept of an earlier one; before MQTT 5 also whether it ends
    /// with its connection.
    pub clean_session: bool,
    /// s that it lasts beyond its connection (MQTT 5); 4294967295 for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_expiry_s: Option<u32>,
    /// Whether it goes on from an earlier connection.
    pub session_present: bool,
    /// s, as it was asked for.
    pub keep_alive_s: u16,
    /// Common name of the client's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub common_name: Option<String>,
}

/// CONNECT was refused by a CONNACK that says why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectRefused {
    /// Number of the connection.
    pub connection: u64,
    /// Client id.
    pub client: String,
    /// Code of the CONNACK; in MQTT 5 its reason code.
    pub code: u8,
    /// Reason of the refusal.
    pub reason: String,
}

/// A client's will was published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WillPublished {
    /// Client id.
    pub client: String,
    /// Topic that it was published to.
    pub topic: String,
}

/// A publish or subscribe that the client has no right to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Denied {
    /// Number of the connection.
    pub connection: u64,
    /// Client id.
    pub client: String,
    /// `publish` or `subscribe`.
    pub action: String,
    /// Topic or filter.
    pub topic: String,
}

/// The broker lost a message, because a bound was reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Dropped {
    /// Client id of the one who does not get it; none for a retained message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Its topic.
    pub topic: String,
    /// The bound that was reached.
    pub reason: String,
}
