//! MQTT packets as the trace shows them, malformed ones too.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
}

/// One filter of a SUBSCRIBE.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subscribed {
    /// The topic filter.
    pub filter: String,
    /// The QoS that is asked for, as in the packet.
    pub qos: u8,
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
    }
    /// CONNACK.
    Connack {
        /// Whether the session goes on from an earlier connection.
        session_present: bool,
        /// Return code.
        code: u8,
    }
    /// PUBLISH.
    Publish {
        /// Its topic.
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
    }
    /// PUBACK.
    Puback {
        /// Packet identifier.
        id: u16,
    }
    /// PUBREC.
    Pubrec {
        /// Packet identifier.
        id: u16,
    }
    /// PUBREL.
    Pubrel {
        /// Packet identifier.
        id: u16,
    }
    /// PUBCOMP.
    Pubcomp {
        /// Packet identifier.
        id: u16,
    }
    /// SUBSCRIBE.
    Subscribe {
        /// Packet identifier.
        id: u16,
        /// What is subscribed to.
        filters: Vec<Subscribed>,
    }
    /// SUBACK.
    Suback {
        /// Packet identifier.
        id: u16,
        /// For each filter 0, 1, 2 or 128.
        codes: Vec<u8>,
    }
    /// UNSUBSCRIBE.
    Unsubscribe {
        /// Packet identifier.
        id: u16,
        /// Topic filters.
        filters: Vec<String>,
    }
    /// UNSUBACK.
    Unsuback {
        /// Packet identifier.
        id: u16,
    }
    /// PINGREQ.
    Pingreq {}
    /// PINGRESP.
    Pingresp {}
    /// DISCONNECT.
    Disconnect {}
    /// A packet of a type that MQTT 3.1.1 reserves: 0 and 15.
    Reserved {}
}
