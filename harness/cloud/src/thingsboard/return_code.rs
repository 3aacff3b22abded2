//! How a CONNECT is answered, in either generation of the protocol, and what is refused later.

use crate::packet::Level;

/// What comes of a CONNECT (`ReturnCodeResolver` of ThingsBoard).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnCode {
    /// The device is in.
    Accepted,
    /// The client id cannot be used.
    ClientIdNotValid,
    /// The cloud cannot say.
    ServerUnavailable,
    /// Too many connections from there.
    RateLimited,
    /// A wrong password to a user name that is known.
    BadUsernameOrPassword,
    /// Unknown or outdated credentials.
    NotAuthorized,
}

/// MQTT 5: the stand-in has no such topic to subscribe to.
pub(super) const TOPIC_FILTER_INVALID: u8 = 0x8f;
/// MQTT 5: the stand-in has no such topic to publish to.
pub(super) const TOPIC_NAME_INVALID: u8 = 0x90;
/// MQTT 5: a payload cannot be read.
pub(super) const PAYLOAD_FORMAT_INVALID: u8 = 0x99;

impl ReturnCode {
    /// Code of a CONNACK to a client that speaks `level`.
    pub const fn code(self, level: Level) -> u8 {
        match level {
            Level::V5 => self.v5(),
            Level::V31 | Level::V311 => self.v3(),
        }
    }

    /// Return code of a CONNACK of MQTT 3.1 and 3.1.1. ThingsBoard never sends 4.
    pub const fn v3(self) -> u8 {
        match self {
            Self::Accepted => 0,
            Self::ClientIdNotValid => 2,
            Self::ServerUnavailable | Self::RateLimited => 3,
            Self::BadUsernameOrPassword | Self::NotAuthorized => 5,
        }
    }

    /// Reason code of a CONNACK of MQTT 5.
    pub const fn v5(self) -> u8 {
        match self {
            Self::Accepted => 0x00,
            Self::ClientIdNotValid => 0x85,
            Self::ServerUnavailable => 0x88,
            Self::RateLimited => 0x9f,
            Self::BadUsernameOrPassword => 0x86,
            Self::NotAuthorized => 0x87,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ReturnCode::*;

    #[test]
    fn refusals_have_their_numbers_in_both_generations() {
        for (code, v3, v5) in [
            (Accepted, 0, 0x00),
            (ClientIdNotValid, 2, 0x85),
            (ServerUnavailable, 3, 0x88),
            (RateLimited, 3, 0x9f),
            (BadUsernameOrPassword, 5, 0x86),
            (NotAuthorized, 5, 0x87),
        ] {
            assert_eq!((code.v3(), code.v5()), (v3, v5), "{code:?}");
        }
    }
}
