//! Why a session is over, and why a request cannot be sent.

use core::fmt;

use mqttrs::ConnectReturnCode;

use super::packet::PacketError;

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum MqttSessionError {
    /// No CONNACK in time.
    NoConnack,
    /// CONNACK refuses.
    Refused(ConnectReturnCode),
    /// No PINGRESP in time.
    NoPingResponse,
    /// The broker sends what is no packet.
    Packet(PacketError),
    /// The broker sends a packet that has no place here.
    Unexpected(&'static str),
}

impl fmt::Display for MqttSessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoConnack => f.write_str("no CONNACK"),
            Self::Refused(code) => write!(f, "refused: {code:?}"),
            Self::NoPingResponse => f.write_str("no PINGRESP"),
            Self::Packet(error) => error.fmt(f),
            Self::Unexpected(what) => write!(f, "unexpected {what}"),
        }
    }
}

/// Why a message or subscription cannot be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestError {
    /// There is no session yet.
    NotConnected,
    /// Too much is under way.
    Busy,
    /// It does not fit into a packet.
    TooLong,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotConnected => "not connected",
            Self::Busy => "too many requests under way",
            Self::TooLong => "too long for a packet",
        })
    }
}
