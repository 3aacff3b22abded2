//! MQTT packets as the trace shows them, malformed ones too.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Payload, Trace};

/// Whether a packet came from the client or went to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the client.
    #[default]
    In,
    /// To the client.
    Out,
}

/// How a payload is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PayloadForm {
    /// A JSON object or array, as such.
    Json,
    /// Text.
    Text,
    /// Bytes in hex.
    Hex,
}

/// The will in a CONNECT.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShownWill {
    /// Its topic.
    pub topic: String,
    /// Its QoS.
    pub qos: u8,
    /// Whether it is to be retained.
    pub retain: bool,
    /// Its payload: a JSON value, a text, or bytes in hex.
    pub payload: Value,
    /// Which of these.
    pub form: PayloadForm,
    /// Properties of MQTT 5, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub properties: Option<Map<String, Value>>,
}

/// One filter of a SUBSCRIBE.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subscribed {
    /// The topic filter.
    pub filter: String,
    /// The QoS that is asked for, as in the packet.
    pub qos: u8,
    /// Whether the client's own messages are left out (MQTT 5).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_local: bool,
    /// Whether messages keep the flag RETAIN that they were published with (MQTT 5).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retain_as_published: bool,
    /// When retained messages are sent: 0 always, 1 if the subscription is new, 2 never (MQTT 5).
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retain_handling: u8,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "what serde calls it with"
)]
fn is_zero(number: &u8) -> bool {
    *number == 0
}

/// Declares the data of each packet: what all have, and what is its own. A field that could not be
/// read is missing; then `problem` says why, and `rest` holds the bytes that were left.
macro_rules! packets {
    ($($(#[$about:meta])* $name:ident {
        $($(#[$meta:meta])* $field:ident: $type:ty,)*
    })*) => {
        $(
            $(#[$about])*
            #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
            pub struct $name {
                /// Number of the connection at the broker.
                pub connection: u64,
                /// Client id, once a session began.
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub client: Option<String>,
                /// Which way it went.
                pub direction: Direction,
                $(
                    $(#[$meta])*
                    #[serde(default, skip_serializing_if = "Option::is_none")]
                    pub $field: Option<$type>,
                )*
                /// Flags of the fixed header, where they are not those of the standard.
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub flags: Option<u8>,
                /// Why it could not be read to its end.
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub problem: Option<String>,
                /// The bytes that were left, in hex.
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub rest: Option<String>,
            }
        )*

        /// A packet as the trace shows it.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        #[expect(missing_docs, reason = "each is what it is called")]
        pub enum Packet {
            $($name($name),)*
        }

        impl Packet {
            /// Says whose packet it is and which way it went.
            pub fn set_head(&mut self, connection: u64, client: Option<&str>, direction: Direction) {
                match self {
                    $(Self::$name(packet) => {
                        packet.connection = connection;
                        packet.client = client.map(str::to_owned);
                        packet.direction = direction;
                    })*
                }
            }

            /// Says what is wrong with it, and what was left behind its last field.
            pub fn set_remainder(
                &mut self,
                flags: Option<u8>,
                problem: Option<String>,
                rest: Option<String>,
            ) {
                match self {
                    $(Self::$name(packet) => {
                        packet.flags = flags;
                        packet.problem = problem;
                        packet.rest = rest;
                    })*
                }
            }

            /// The event's kind.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => $name::KIND,)*
                }
            }

            /// Appends it to `trace` and returns its position.
            pub fn emit(&self, trace: &Trace, device: Option<&str>) -> u64 {
                match self {
                    $(Self::$name(packet) => trace.emit(device, packet),)*
                }
            }
        }
    };
}

packets! {
    /// CONNECT; never its password.
    Connect {
        /// The protocol's name.
        protocol: String,
        /// The protocol's level.
        level: u8,
        /// Whether the session is to end with the connection.
        clean_session: bool,
        /// True if the flag is set that the standard reserves.
        reserved_flag: bool,
        /// Keep-alive in s.
        keep_alive_s: u16,
        /// Client id.
        client_id: String,
        /// The will.
        will: ShownWill,
        /// User name.
        username: String,
        /// Length of the password in bytes.
        password_length: usize,
        /// Number of the bytes that were left, which may be those of the password.
        rest_length: usize,
        /// Properties of MQTT 5, by name.
        properties: Map<String, Value>,
    }
    /// CONNACK.
    Connack {
        /// Whether the session goes on from an earlier connection.
        session_present: bool,
        /// Return code, in MQTT 5 reason code.
        code: u8,
        /// Properties of MQTT 5, by name.
        properties: Map<String, Value>,
    }
    /// PUBLISH.
    Publish {
        /// Its topic, also where an alias stands for it.
        topic: String,
        /// Its QoS.
        qos: u8,
        /// Whether it is to be retained, or was.
        retain: bool,
        /// True if it is sent again.
        duplicate: bool,
        /// Packet identifier, if the QoS is not 0.
        id: u16,
        /// Length of the payload in bytes.
        length: usize,
        /// How the payload is shown.
        form: PayloadForm,
        /// The payload: the JSON value, the text, or the bytes in hex.
        payload: Value,
        /// Properties of MQTT 5, by name.
        properties: Map<String, Value>,
    }
    /// PUBACK.
    Puback {
        /// Packet identifier.
        id: u16,
        /// Reason code of MQTT 5; 0 if it is left out.
        code: u8,
        /// Properties of MQTT 5, by name.
        properties: Map<String, Value>,
    }
    /// PUBREC.
    Pubrec {
        /// Packet identifier.
        id: u16,
        /// Reason code of MQTT 5; 0 if it is left out.
        code: u8,
        /// Properties of MQTT 5, by name.
        properties: Map<String, Value>,
    }
    /// PUBREL.
    Pubrel {
        /// Packet identifier.
        id: u16,
        /// Reason code of MQTT 5; 0 if it is left out.
        code: u8,
        /// Properties of MQTT 5, by name.
        properties: Map<String, Value>,
    }
    /// PUBCOMP.
    Pubcomp {
        /// Packet identifier.
        id: u16,
        /// Reason code of MQTT 5; 0 if it is left out.
        code: u8,
        /// Properties of MQTT 5, by name.
        properties: Map<String, Value>,
    }
    /// SUBSCRIBE.
    Subscribe {
        /// Packet identifier.
        id: u16,
        /// What is subscribed to.
        filters: Vec<Subscribed>,
        /// Properties of MQTT 5, by name.
        properties: Map<String, Value>,
    }
    /// SUBACK.
    Suback {
        /// Packet identifier.
        id: u16,
        /// For each filter 0, 1, 2 or 128; in MQTT 5 other reason codes from 128 on too.
        codes: Vec<u8>,
        /// Properties of MQTT 5, by name.
        properties: Map<String, Value>,
    }
    /// UNSUBSCRIBE.
    Unsubscribe {
        /// Packet identifier.
        id: u16,
        /// Topic filters.
        filters: Vec<String>,
        /// Properties of MQTT 5, by name.
        properties: Map<String, Value>,
    }
    /// UNSUBACK.
    Unsuback {
        /// Packet identifier.
        id: u16,
        /// For each filter a reason code (MQTT 5).
        codes: Vec<u8>,
        /// Properties of MQTT 5, by name.
        properties: Map<String, Value>,
    }
    /// PINGREQ.
    Pingreq {}
    /// PINGRESP.
    Pingresp {}
    /// DISCONNECT.
    Disconnect {
        /// Reason code of MQTT 5; 0 if it is left out.
        code: u8,
        /// Properties of MQTT 5, by name.
        properties: Map<String, Value>,
    }
    /// AUTH of MQTT 5.
    Auth {
        /// Reason code of MQTT 5; 0 if it is left out.
        code: u8,
        /// Properties of MQTT 5, by name.
        properties: Map<String, Value>,
    }
    /// A packet of a type that is reserved: 0, and before MQTT 5 also 15.
    Reserved {}
}

impl Publish {
    /// The alias that stands for its topic (MQTT 5).
    pub fn topic_alias(&self) -> Option<u32> {
        let alias = self.properties.as_ref()?.get("topic_alias")?.as_u64()?;
        u32::try_from(alias).ok()
    }
}
