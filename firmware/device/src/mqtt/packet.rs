//! MQTT 3.1.1 packets, between bytes and [`mqttrs`].
//!
//! `mqttrs` reads past the end of short packets and panics there, so lengths are checked before it
//! sees a packet.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use mqttrs::Packet;

/// Longest packet in either direction, in bytes; ESP-IDF's buffers hold 1024.
pub(super) const MAX_LEN: usize = 4_096;

/// What a broker sends that is no packet for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PacketError {
    /// Its length is not encoded as MQTT-2.2.3 says.
    BadLength,
    /// Longer than [`MAX_LEN`].
    TooLong(usize),
    /// Its fields do not fit.
    Malformed,
    /// CONNACK with a return code that the standard does not have.
    UnknownReturnCode(u8),
    /// A broker does not send this type of packet.
    NotForClients(u8),
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadLength => f.write_str("a remaining length of more than four bytes"),
            Self::TooLong(len) => write!(f, "a packet of {len} bytes, more than {MAX_LEN}"),
            Self::Malformed => f.write_str("a malformed packet"),
            Self::UnknownReturnCode(code) => write!(f, "CONNACK with return code {code}"),
            Self::NotForClients(kind) => write!(f, "a packet of type {kind} from a broker"),
        }
    }
}

/// The packet at the beginning of `bytes` and its length, or none while it is not complete.
pub(crate) fn decode(bytes: &[u8]) -> Result<Option<(Packet<'_>, usize)>, PacketError> {
    let Some((&first, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    let Some((remaining, digits)) = remaining_length(rest)? else {
        return Ok(None);
    };
    let body_at = 1 + digits;
    let len = body_at + remaining;
    if len > MAX_LEN {
        return Err(PacketError::TooLong(len));
    }
    let Some(packet) = bytes.get(..len) else {
        return Ok(None);
    };
    check_shape(first, &packet[body_at..])?;
    match mqttrs::decode_slice(packet) {
        Ok(Some(decoded)) => Ok(Some((decoded, len))),
        Err(mqttrs::Error::InvalidConnectReturnCode(code)) => {
            Err(PacketError::UnknownReturnCode(code))
        }
        Ok(None) | Err(_) => Err(PacketError::Malformed),
    }
}

/// The bytes of a packet.
pub(crate) fn encode(packet: &Packet<'_>) -> Result<Vec<u8>, PacketError> {
    let mut bytes = vec![0; MAX_LEN];
    let len = mqttrs::encode_slice(packet, &mut bytes).map_err(|_| PacketError::TooLong(0))?;
    bytes.truncate(len);
    Ok(bytes)
}

/// MQTT 3.1.1 §2.2.3: the value and the number of its digits.
fn remaining_length(bytes: &[u8]) -> Result<Option<(usize, usize)>, PacketError> {
    let mut value = 0;
    for (at, byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((value, at + 1)));
        }
    }
    if bytes.len() < 4 {
        Ok(None)
    } else {
        Err(PacketError::BadLength)
    }
}

/// Whether `mqttrs` can read this body without running out of it.
fn check_shape(first: u8, body: &[u8]) -> Result<(), PacketError> {
    let fits = match first >> 4 {
        // CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP, UNSUBACK
        2 | 4..=7 | 11 => body.len() == 2,
        3 => {
            let topic = body
                .first_chunk()
                .map(|len| usize::from(u16::from_be_bytes(*len)));
            let identifier = if first & 0b110 == 0 { 0 } else { 2 };
            topic.is_some_and(|topic| body.len() >= 2 + topic + identifier)
        }
        // SUBACK
        9 => body.len() >= 3,
        // PINGRESP
        13 => body.is_empty(),
        kind => return Err(PacketError::NotForClients(kind)),
    };
    if fits {
        Ok(())
    } else {
        Err(PacketError::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mqttrs::{Pid, Publish, QosPid};
    use proptest::prelude::*;

    #[test]
    fn a_publish_comes_back() {
        let publish = Packet::Publish(Publish {
            dup: false,
            qospid: QosPid::AtLeastOnce(Pid::new()),
            retain: false,
            topic_name: "a/b",
            payload: b"hello",
        });
        let bytes = encode(&publish).expect("it fits");
        assert_eq!(decode(&bytes), Ok(Some((publish, bytes.len()))));
        for len in 0..bytes.len() {
            assert_eq!(decode(&bytes[..len]), Ok(None));
        }
    }

    #[test]
    fn what_no_broker_may_send_is_refused() {
        let cases: [(&[u8], PacketError); 8] = [
            (&[0x30, 0xff, 0xff, 0xff, 0xff], PacketError::BadLength),
            (&[0x30, 0xff, 0x7f], PacketError::TooLong(16_386)),
            (&[0x20, 1, 0], PacketError::Malformed),
            (&[0x20, 2, 0, 6], PacketError::UnknownReturnCode(6)),
            (&[0x40, 2, 0, 0], PacketError::Malformed),
            (&[0x32, 3, 0, 1, b'a'], PacketError::Malformed),
            (&[0xc0, 0], PacketError::NotForClients(12)),
            (&[0x00, 0], PacketError::NotForClients(0)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(decode(bytes), Err(expected), "{bytes:x?}");
        }
    }

    #[test]
    fn what_is_too_long_is_not_sent() {
        let payload = vec![0; MAX_LEN];
        let publish = Packet::Publish(Publish {
            dup: false,
            qospid: QosPid::AtMostOnce,
            retain: false,
            topic_name: "a",
            payload: &payload,
        });
        assert!(matches!(encode(&publish), Err(PacketError::TooLong(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>) {
            if let Ok(Some((_, len))) = decode(&bytes) {
                prop_assert!(len <= bytes.len());
            }
        }

        /// Random bytes seldom make a whole packet, so these have a right length.
        #[test]
        fn any_body_is_read_without_a_panic(
            first: u8,
            body in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let mut bytes = vec![first, body.len() as u8];
            bytes.extend(body);
            if let Ok(read) = decode(&bytes) {
                prop_assert_eq!(read.map(|(_, len)| len), Some(bytes.len()));
            }
        }
    }
}
