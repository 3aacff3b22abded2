//! What packets say.

use bytes::Bytes;
use clock::LabTime;
use serde::Serialize;

use super::property::{Properties, Property};

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// MQTT 3.1: name `MQIsdp`, level 3.
    V31,
    /// MQTT 3.1.1: name `MQTT`, level 4.
    #[default]
    V311,
    /// MQTT 5: name `MQTT`, level 5.
    V5,
}

impl Level {
    /// As the standard is called: `3.1`, `3.1.1` or `5`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V31 => "3.1",
            Self::V311 => "3.1.1",
            Self::V5 => "5",
        }
    }

    /// The code of a CONNACK that says what `code` says, which is one of MQTT 3.1.1 or, from 128 on, a
    /// reason of MQTT 5. What an older client cannot be told is "unavailable" to it.
    pub const fn refusal(self, code: u8) -> u8 {
        match (self, code) {
            (Self::V5, 1) => 0x84,
            (Self::V5, 2) => 0x85,
            (Self::V5, 3) => 0x88,
            (Self::V5, 4) => 0x86,
            (Self::V5, 5) => 0x87,
            (Self::V5, code) => code,
            (_, 0x84) => 1,
            (_, 0x85) => 2,
            (_, 0x86) => 4,
            (_, 0x87) => 5,
            (_, 128..) => 3,
            (_, code) => code,
        }
    }
}

/// A client's first packet.
#[derive(Clone, PartialEq, Eq)]
pub struct Connect {
    /// Generation of the protocol.
    pub level: Level,
    /// May be empty, may hold any character; trailing NULs are kept.
    pub client_id: String,
    /// Whether an earlier session is thrown away; before MQTT 5 also whether this one ends with its
    /// connection.
    pub clean_session: bool,
    /// s; 0 for none.
    pub keep_alive: u16,
    /// What is published when the connection breaks.
    pub will: Option<Will>,
    /// Who it says it is.
    pub username: Option<String>,
    /// Any bytes.
    pub password: Option<Vec<u8>>,
    /// Those of MQTT 5.
    pub(crate) properties: Properties,
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
    /// s from the end of the connection until it is published; 0 before MQTT 5.
    pub(crate) delay: u32,
    /// Those that the message is published with.
    pub(crate) properties: Properties,
}

impl From<Will> for Publish {
    fn from(will: Will) -> Self {
        Self {
            qos: will.qos,
            retain: will.retain,
            properties: will.properties,
            ..Self::new(will.topic, will.payload)
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
    /// Those of MQTT 5.
    pub(crate) properties: Properties,
    /// When it is good for nothing any more.
    pub(crate) expires: Option<LabTime>,
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
            properties: Properties::default(),
            expires: None,
        }
    }

    /// Begins to count how long it is good for.
    pub(crate) fn arrived(&mut self, now: LabTime) {
        let seconds = self.properties.number(Property::MessageExpiry);
        if let Some(seconds) = seconds {
            self.properties.remove(Property::MessageExpiry);
            self.expires = Some(now + std::time::Duration::from_secs(seconds.into()));
        }
    }

    /// Whether it is good for nothing any more.
    pub(crate) fn has_expired(&self, now: LabTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Its properties as it is sent at `now`.
    pub(crate) fn properties_at(&self, now: LabTime) -> Properties {
        let properties = self.properties.clone();
        match self.expires {
            Some(expires) => {
                // Rounded up: what is left is not yet nothing.
                let left = expires.since(now).as_millis().div_ceil(1000);
                let left = u32::try_from(left).unwrap_or(u32::MAX);
                properties.with_number(Property::MessageExpiry, left)
            }
            None => properties,
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) filter: String,
    pub(crate) qos: QoS,
    /// Whether the client's own messages are left out.
    pub(crate) no_local: bool,
    /// Whether messages keep the flag RETAIN that they were published with.
    pub(crate) retain_as_published: bool,
    pub(crate) retained: Retained,
    /// What the broker tells the client with every message of this subscription.
    pub(crate) id: Option<u32>,
}

/// When a subscription is sent the messages that are retained (MQTT 5 §3.8.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Retained {
    /// At every SUBSCRIBE.
    #[default]
    Always,
    /// If there was no such subscription.
    IfNew,
    Never,
}

/// An acknowledgement of a message, or of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ack {
    pub(crate) id: u16,
    /// 0 before MQTT 5.
    pub(crate) code: u8,
}

impl Ack {
    /// Whether the message was refused.
    pub(crate) const fn refuses(self) -> bool {
        self.code >= 0x80
    }
}

/// What a client may send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    Connect(Box<Connect>),
    Publish(Publish),
    PubAck(Ack),
    PubRec(Ack),
    PubRel(Ack),
    PubComp(Ack),
    Subscribe {
        id: u16,
        wanted: Vec<Subscription>,
    },
    Unsubscribe {
        id: u16,
        filters: Vec<String>,
    },
    PingReq,
    /// Code, and after how many seconds the session ends if that has changed.
    Disconnect {
        code: u8,
        expiry: Option<u32>,
    },
    Auth,
}
