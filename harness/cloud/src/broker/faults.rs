//! What the broker does wrong on purpose.

use std::time::Duration;

use crate::packet::Level;

/// Faults of the broker; none by default. They can change while it runs and then hold for what
/// comes next.
///
/// Faults of the certificate are no faults of the broker: give it another identity
/// ([`Broker::set_identity`](super::Broker::set_identity)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Nothing listens: connections are refused, and those that there were are reset.
    pub down: Option<Down>,
    /// TCP is accepted and the TLS handshake never answered.
    pub stall_handshake: bool,
    /// How CONNECT is answered.
    pub connect: Reply,
    /// CONNECT is answered by a CONNACK with this code: 1 to 5 by the standard, which a client of
    /// MQTT 5 gets as the reason code that says the same, or a reason code, from 128 on.
    pub connack: Option<u8>,
    /// Subscriptions to a filter that one of these matches, by the rules of topics, are refused by
    /// 0x80. A filter is matched by itself too, with its wildcards.
    pub refuse_subscriptions: Vec<String>,
    /// How SUBSCRIBE is answered. One that is never answered subscribes nothing.
    pub subscribe: Reply,
    /// How messages of QoS 1 and 2 are acknowledged. They are taken in any case.
    pub publish: Reply,
    /// How PINGREQ is answered.
    pub ping: Reply,
    /// Nothing is delivered to clients; acknowledgements are.
    pub withhold_messages: bool,
    /// Each byte is sent by itself, in a TLS record of its own.
    pub single_bytes: bool,
    /// Sent once on every connection: at once, or when the session has begun.
    pub bad_packet: Option<BadPacket>,
}

/// What becomes of sessions when the broker goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down {
    /// It stored them: they are there when it is back, as far as clients wanted them kept.
    KeepsSessions,
    /// They are gone.
    LosesSessions,
}

/// How the broker answers a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reply {
    /// As the standard has it.
    #[default]
    AtOnce,
    /// As the standard has it, so much later, in lab time.
    After(Duration),
    /// Never.
    Never,
    /// By a reset of the TCP connection.
    Reset,
    /// With another packet identifier. CONNACK and PINGRESP have none and are not sent.
    WrongId,
}

/// A packet that no client has to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadPacket {
    /// A remaining length of five bytes (MQTT 3.1.1 §2.2.3).
    BadLength,
    /// A type that is reserved: 0 (§2.2.1).
    UnknownType,
    /// PUBLISH of which the topic is longer than the packet (§3.3.2).
    CutTopic,
    /// PUBLISH with QoS 3 (MQTT-3.3.1-4).
    QosThree,
    /// A sound PUBLISH of 64 KiB, more than small devices have room for.
    Oversized,
    /// CONNACK in the middle of a session (§3.2).
    SecondConnack,
    /// PUBACK for what was not sent.
    UnaskedPuback,
    /// A sound PUBLISH of QoS 1 that the client has not subscribed to.
    UnaskedMessage,
    /// The same at QoS 0.
    UnaskedAtQosZero,
    /// The same with DUP, as of a message that was sent before and not acknowledged.
    UnaskedAgain,
    /// The same without a payload, which is one of no bytes (§3.3.3).
    UnaskedEmpty,
}

/// Bytes of [`BadPacket::Oversized`]'s payload.
const OVERSIZED: usize = 64 << 10;

impl Faults {
    /// Whether a subscription to `filter` is refused.
    pub(super) fn refuses(&self, filter: &str) -> bool {
        self.refuse_subscriptions
            .iter()
            .any(|refused| refused == filter || crate::packet::matches(refused, filter))
    }
}

impl BadPacket {
    /// Its bytes, to a client that speaks `level`: wrong in this one way alone.
    pub(super) fn bytes(self, level: Level) -> Vec<u8> {
        match (self, level) {
            (Self::QosThree, Level::V5) => vec![0x36, 6, 0, 1, b't', 0, 1, 0],
            (Self::Oversized, Level::V5) => {
                let mut bytes = vec![0x30, 0x84, 0x80, 0x04, 0, 1, b't', 0];
                bytes.resize(bytes.len() + OVERSIZED, b'x');
                bytes
            }
            (Self::SecondConnack, Level::V5) => vec![0x20, 3, 0, 0, 0],
            (Self::UnaskedMessage, Level::V5) => {
                vec![0x32, 8, 0, 1, b't', 0x7f, 0xff, 0, b'h', b'i']
            }
            (Self::UnaskedAtQosZero, Level::V5) => vec![0x30, 6, 0, 1, b't', 0, b'h', b'i'],
            (Self::UnaskedAgain, Level::V5) => {
                vec![0x3a, 8, 0, 1, b't', 0x7f, 0xff, 0, b'h', b'i']
            }
            (Self::UnaskedEmpty, Level::V5) => vec![0x32, 6, 0, 1, b't', 0x7f, 0xff, 0],
            (packet, _) => packet.bytes_of_3(),
        }
    }

    fn bytes_of_3(self) -> Vec<u8> {
        match self {
            Self::BadLength => vec![0x30, 0xff, 0xff, 0xff, 0xff, 0x01],
            Self::UnknownType => vec![0x00, 0],
            Self::CutTopic => vec![0x30, 4, 0, 9, b't', b'o'],
            Self::QosThree => vec![0x36, 5, 0, 1, b't', 0, 1],
            Self::Oversized => {
                // 2 bytes of length, 1 of topic, the payload: 65539 in three digits of 7 bits.
                let mut bytes = vec![0x30, 0x83, 0x80, 0x04, 0, 1, b't'];
                bytes.resize(bytes.len() + OVERSIZED, b'x');
                bytes
            }
            Self::SecondConnack => vec![0x20, 2, 0, 0],
            Self::UnaskedPuback => vec![0x40, 2, 0x7f, 0xff],
            Self::UnaskedMessage => vec![0x32, 7, 0, 1, b't', 0x7f, 0xff, b'h', b'i'],
            Self::UnaskedAtQosZero => vec![0x30, 5, 0, 1, b't', b'h', b'i'],
            Self::UnaskedAgain => vec![0x3a, 7, 0, 1, b't', 0x7f, 0xff, b'h', b'i'],
            Self::UnaskedEmpty => vec![0x32, 5, 0, 1, b't', 0x7f, 0xff],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::next_frame;

    #[test]
    fn the_oversized_packet_is_whole_and_those_with_a_wrong_length_are_not() {
        sizes(Level::V311, 3);
        sizes(Level::V5, 4);
    }

    fn sizes(level: Level, head: usize) {
        let frame = |packet: BadPacket| {
            let mut bytes = bytes::BytesMut::from(&packet.bytes(level)[..]);
            let frame = next_frame(&mut bytes, 1 << 20);
            (
                frame.map(|frame| frame.map(|frame| frame.body.len())),
                bytes.len(),
            )
        };
        let (oversized, left) = frame(BadPacket::Oversized);
        assert_eq!((oversized.unwrap(), left), (Some(head + OVERSIZED), 0));
        assert!(frame(BadPacket::BadLength).0.is_err());
        for packet in [
            BadPacket::CutTopic,
            BadPacket::QosThree,
            BadPacket::SecondConnack,
            BadPacket::UnaskedPuback,
            BadPacket::UnaskedMessage,
            BadPacket::UnaskedAtQosZero,
            BadPacket::UnaskedAgain,
            BadPacket::UnaskedEmpty,
        ] {
            let (read, left) = frame(packet);
            assert!(read.unwrap().is_some() && left == 0, "{packet:?}");
        }
    }
}
