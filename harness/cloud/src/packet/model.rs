//! What packets say.

use bytes::Bytes;
use serde::Serialize;

/// How surely a message arrives (MQTT 3.1.1 §4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QoS {
    /// 0
    #[default]
    AtMostOnce,
    /// 1
    AtLeastOnce,
    /// 2
    ExactlyOnce,
}

impl QoS {
    /// The level of `number`, unless it is above 2.
    pub const fn new(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }

    /// 0, 1 or 2.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

impl Serialize for QoS {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.number())
    }
}

/// The protocol's generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// MQTT 3.1: name `MQIsdp`, level 3.
    V31,
    /// MQTT 3.1.1: name `MQTT`, level 4.
    V311,
}

/// A client's first packet.
#[derive(Clone, PartialEq, Eq)]
pub struct Connect {
    pub(crate) level: Level,
    /// May be empty, may hold any character; trailing NULs are kept.
    pub client_id: String,
    /// Whether an earlier session is thrown away and this one ends with its connection.
    pub clean_session: bool,
    /// s; 0 for none.
    pub keep_alive: u16,
    /// What is published when the connection breaks.
    pub will: Option<Will>,
    /// Who it says it is.
    pub username: Option<String>,
    /// Any bytes.
    pub password: Option<Vec<u8>>,
}

/// Without the password.
impl std::fmt::Debug for Connect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connect")
            .field("level", &self.level)
            .field("client_id", &self.client_id)
            .field("clean_session", &self.clean_session)
            .field("keep_alive", &self.keep_alive)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

impl Connect {
    /// Whether a string in it holds U+0000, which the standard forbids (§1.5.3) and devices that
    /// pad their names to a fixed length send all the same.
    pub fn has_nul(&self) -> bool {
        self.client_id.contains('\0') || self.username.as_ref().is_some_and(|n| n.contains('\0'))
    }
}

/// What the broker publishes in a client's name when its connection breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Will {
    /// Topic that it is published to.
    pub topic: String,
    /// Bytes of the message.
    pub payload: Bytes,
    /// Quality of service.
    pub qos: QoS,
    /// Whether it is kept for later subscribers.
    pub retain: bool,
}

impl From<Will> for Publish {
    fn from(will: Will) -> Self {
        Self {
            topic: will.topic,
            payload: will.payload,
            qos: will.qos,
            retain: will.retain,
            duplicate: false,
            id: None,
        }
    }
}

/// An application message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Where to; no wildcards.
    pub topic: String,
    /// Bytes of the message.
    pub payload: Bytes,
    /// Quality of service.
    pub qos: QoS,
    /// Whether it is kept for later subscribers, or was.
    pub retain: bool,
    pub(crate) duplicate: bool,
    /// Present if and only if `qos` is above 0.
    pub(crate) id: Option<u16>,
}

impl Publish {
    /// A message of QoS 0 that is not retained.
    pub fn new(topic: impl Into<String>, payload: impl Into<Bytes>) -> Self {
        Self {
            topic: topic.into(),
            payload: payload.into(),
            qos: QoS::AtMostOnce,
            retain: false,
            duplicate: false,
            id: None,
        }
    }

    /// The same with another QoS.
    pub fn with_qos(self, qos: QoS) -> Self {
        Self { qos, ..self }
    }

    /// The same, kept for later subscribers.
    pub fn retained(self) -> Self {
        Self {
            retain: true,
            ..self
        }
    }
}

/// One line of a SUBSCRIBE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) filter: String,
    pub(crate) qos: QoS,
}

/// What a client may send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    Connect(Box<Connect>),
    Publish(Publish),
    PubAck(u16),
    PubRec(u16),
    PubRel(u16),
    PubComp(u16),
    Subscribe { id: u16, wanted: Vec<Subscription> },
    Unsubscribe { id: u16, filters: Vec<String> },
    PingReq,
    Disconnect,
}
