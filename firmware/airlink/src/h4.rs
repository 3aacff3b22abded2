//! HCI packets on a stream of bytes: each with its indicator in front (Bluetooth Core 5.4, volume 4
//! part A §2).

use core::fmt;

/// Indicator of a command, to the controller.
pub const COMMAND: u8 = 1;
/// Indicator of ACL data, both ways.
pub const ACL: u8 = 2;
/// Indicator of synchronous data, both ways.
pub const SYNCHRONOUS: u8 = 3;
/// Indicator of an event, to the host.
pub const EVENT: u8 = 4;
/// Indicator of isochronous data, both ways.
pub const ISOCHRONOUS: u8 = 5;

/// Longest packet with its indicator: ACL data of 65 535 bytes.
pub const MAX_PACKET: usize = 1 + 4 + 0xFFFF;

/// Length of the packet at the beginning of `stream`, with its indicator; none while its header has
/// not come whole. The packet may be longer than what has come.
pub fn packet_length(stream: &[u8]) -> Result<Option<usize>, NoPacket> {
    let Some((&indicator, header)) = stream.split_first() else {
        return Ok(None);
    };
    let length = match indicator {
        COMMAND | SYNCHRONOUS => header.get(2).map(|low| 3 + usize::from(*low)),
        EVENT => header.get(1).map(|low| 2 + usize::from(*low)),
        ACL => header.get(2..4).map(|length| 4 + word(length)),
        // The upper two bits are reserved (§5.4.5).
        ISOCHRONOUS => header.get(2..4).map(|length| 4 + (word(length) & 0x3FFF)),
        other => return Err(NoPacket(other)),
    };
    Ok(length.map(|length| 1 + length))
}

fn word(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .rev()
        .fold(0, |word, byte| word << 8 | usize::from(*byte))
}

/// A stream on which a packet begins with this byte; it cannot be read any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPacket(pub u8);

impl fmt::Display for NoPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:02X} where an HCI packet should begin", self.0)
    }
}

impl core::error::Error for NoPacket {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_stand_where_the_indicator_says() {
        for (stream, length) in [
            (&[][..], None),
            (&[COMMAND, 0x03, 0x0C], None),
            (&[COMMAND, 0x03, 0x0C, 0], Some(4)),
            (&[EVENT, 0x0E, 4], Some(7)),
            (&[ACL, 0x40, 0x20, 0x05], None),
            (&[ACL, 0x40, 0x20, 0x05, 0x01], Some(5 + 0x105)),
            (&[SYNCHRONOUS, 1, 0, 60], Some(64)),
            (&[ISOCHRONOUS, 1, 0, 2, 0xC0], Some(7)),
            (&[ACL, 0, 0, 0xFF, 0xFF], Some(MAX_PACKET)),
        ] {
            assert_eq!(packet_length(stream), Ok(length), "{stream:02X?}");
        }
    }

    #[test]
    fn another_indicator_is_none() {
        for indicator in [0, 6, 0xFF] {
            assert_eq!(packet_length(&[indicator; 8]), Err(NoPacket(indicator)));
        }
    }
}
