//! What the trace says about connections, sessions and packets.

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use trace::{Payload, Source, Trace};

use crate::packet::{Described, Fields};

/// A TCP connection was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionOpened {
    /// Number of the connection at this broker, from 1.
    pub connection: u64,
    /// Address of the peer.
    pub peer: String,
    /// Whether a TLS handshake follows.
    pub tls: bool,
}

/// A connection is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    /// The TLS handshake failed.
    Handshake,
    /// CONNECT did not come in time, or the client did not take what it was sent.
    TimedOut,
    /// The scenario wanted it so.
    Fault,
}

/// A session began or went on: CONNACK 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionOpened {
    /// Number of the connection.
    pub connection: u64,
    /// Client id.
    pub client: String,
    /// User name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// `3.1` or `3.1.1`.
    pub protocol: String,
    /// Whether it ends with its connection.
    pub clean_session: bool,
    /// Whether it goes on from an earlier connection.
    pub session_present: bool,
    /// s.
    pub keep_alive_s: u16,
    /// Common name of the client's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub common_name: Option<String>,
}

/// CONNECT was refused by a CONNACK that says why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectRefused {
    /// Number of the connection.
    pub connection: u64,
    /// Client id.
    pub client: String,
    /// Code of the CONNACK.
    pub code: u8,
    /// Why.
    pub reason: String,
}

/// A client's will was published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WillPublished {
    /// Client id.
    pub client: String,
    /// Where to.
    pub topic: String,
}

/// A client wanted what it may not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Client id of the one who does not get it; none for a retained message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Its topic.
    pub topic: String,
    /// Which bound.
    pub reason: String,
}

macro_rules! events {
    ($($name:ident => $kind:literal,)*) => {$(
        impl Payload for $name {
            const SOURCE: Source = Source::Mqtt;
            const KIND: &'static str = $kind;
        }
    )*};
}

events! {
    ConnectionOpened => "connection_opened",
    ConnectionClosed => "connection_closed",
    SessionOpened => "session_opened",
    ConnectRefused => "connect_refused",
    WillPublished => "will_published",
    Denied => "denied",
    Dropped => "dropped",
}

/// Packets are events of their own kinds: `connect`, `connack`, `publish` and so on. Their data:
///
/// | field | in | meaning |
/// | --- | --- | --- |
/// | `connection` | all | number of the connection |
/// | `client` | all once a session began | client id |
/// | `direction` | all | `in` from the client, `out` to it |
/// | `id` | where the packet has one | packet identifier |
/// | `topic`, `qos`, `retain`, `duplicate`, `length` | `publish` | as in the packet; `length` of the payload in bytes |
/// | `payload` | `publish` | the JSON value, the text, or the bytes in hex, by `form`: `json`, `text`, `hex` |
/// | `protocol`, `level`, `clean_session`, `keep_alive_s`, `client_id`, `will`, `username`, `password_length` | `connect` | as in the packet; never a password |
/// | `session_present`, `code` | `connack` | as in the packet |
/// | `filters` | `subscribe`: list of `{filter, qos}`; `unsubscribe`: list | as in the packet |
/// | `codes` | `suback` | 0, 1, 2 or 128 |
/// | `flags` | any | flags of the fixed header, where they are not those of the standard |
/// | `problem`, `rest` | any | why it could not be read to its end, and what was left in hex |
pub(super) fn emit_packet(
    trace: &Trace,
    device: Option<&str>,
    context: PacketContext<'_>,
    described: Described,
) {
    let kind = described.kind;
    let data = ShownPacket {
        context,
        fields: described.fields,
    };
    emit_kind(trace, device, kind, data);
}

/// A packet's data.
struct ShownPacket<'c> {
    context: PacketContext<'c>,
    fields: Fields,
}

impl Serialize for ShownPacket<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("connection", &self.context.connection)?;
        if let Some(client) = self.context.client {
            map.serialize_entry("client", client)?;
        }
        map.serialize_entry("direction", self.context.direction)?;
        for (name, value) in self.fields.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Whose packet it is.
#[derive(Clone, Copy)]
pub(super) struct PacketContext<'c> {
    pub(super) connection: u64,
    pub(super) client: Option<&'c str>,
    /// `in` or `out`.
    pub(super) direction: &'static str,
}

macro_rules! packets {
    ($($name:ident => $kind:literal,)*) => {
        $(
            #[derive(Serialize)]
            #[serde(transparent)]
            struct $name<'c>(ShownPacket<'c>);

            impl Payload for $name<'_> {
                const SOURCE: Source = Source::Mqtt;
                const KIND: &'static str = $kind;
            }
        )*

        fn emit_kind(
            trace: &Trace,
            device: Option<&str>,
            kind: &str,
            data: ShownPacket<'_>,
        ) {
            match kind {
                $($kind => trace.emit(device, &$name(data)),)*
                _ => trace.emit(device, &Reserved(data)),
            };
        }
    };
}

packets! {
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
    Reserved => "reserved",
}
