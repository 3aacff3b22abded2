//! What a host must not see.
//!
//! trouble-host 0.8 takes an ATT request's fields for granted and panics where there are none, and at
//! some orders of opening channels. So requests get the fields that they lack, all zero, and what
//! comes of that is an error that names the right request; what cannot be mended is delivered to no channel.

/// Of L2CAP: length and channel.
const HEADER: usize = 4;
/// ATT's channel (Core 5.4 Vol 3 Part A §2.1).
const ATT: u16 = 4;
/// Channels of pairing, and of commands about channels.
const SECURITY_MANAGER: u16 = 6;
const SIGNALLING: u16 = 5;
/// Connection Parameter Update (Core 5.4 Vol 3 Part A §4.20, §4.21).
const UPDATE_REQUEST: u8 = 0x12;
const UPDATE_RESPONSE: u8 = 0x13;
const READ_BY_GROUP_TYPE_REQUEST: u8 = 0x10;
/// Of such a request for a type of 16 bits.
const SHORT_GROUP_TYPE: usize = 7;
/// No ATT request has to be longer than this, whatever is in it.
const LONGEST: usize = 7;
const EXCHANGE_MTU_REQUEST: u8 = 0x02;
/// The least ATT_MTU there is.
const LEAST_MTU: u16 = 23;
/// An empty frame on a channel that does not exist.
const NOTHING: [u8; HEADER] = [0, 0, 0x3A, 0];

/// Makes the first fragment of an L2CAP frame one that a host can take: as it is if it is sound, with
/// zeros behind it if it is an ATT request that lacks fields, and otherwise an empty frame to no channel.
pub(super) fn mend(fragment: &mut Vec<u8>) {
    let [low, high, channel_low, channel_high, pdu @ ..] = &fragment[..] else {
        return replace(fragment);
    };
    let length = usize::from(u16::from_le_bytes([*low, *high]));
    match u16::from_le_bytes([*channel_low, *channel_high]) {
        ATT => {}
        SECURITY_MANAGER => return,
        // Other commands are about channels, of which there are none.
        SIGNALLING if matches!(pdu, [UPDATE_REQUEST | UPDATE_RESPONSE, _, rest, 0, ..] if length == pdu.len() && length == 4 + usize::from(*rest)) =>
        {
            return;
        }
        _ => return replace(fragment),
    }
    let Some(opcode) = pdu.first().copied().filter(|_| length > 0) else {
        // Even the shortest fragment has room for more than the header.
        return replace(fragment);
    };
    // The host takes a byte too many of a type of 128 bits.
    if opcode == READ_BY_GROUP_TYPE_REQUEST && length > SHORT_GROUP_TYPE {
        return replace(fragment);
    }
    let least = least(opcode);
    if length < least {
        if pdu.len() != length {
            return replace(fragment);
        }
        fragment.resize(HEADER + least, 0);
        fragment[0] = least as u8;
    }
    if opcode == EXCHANGE_MTU_REQUEST {
        // Fragments of something this short come from no real host.
        let Some([low, high]) = fragment.get_mut(HEADER + 1..HEADER + 3) else {
            return replace(fragment);
        };
        if u16::from_le_bytes([*low, *high]) < LEAST_MTU {
            [*low, *high] = LEAST_MTU.to_le_bytes();
        }
    }
}

fn replace(fragment: &mut Vec<u8>) {
    fragment.clear();
    fragment.extend(NOTHING);
}

/// Bytes of a PDU that a host takes for granted (Core 5.4 Vol 3 Part F §3.4).
const fn least(opcode: u8) -> usize {
    let least = match opcode {
        0x02 => 3,        // Exchange MTU
        0x04 => 5,        // Find Information
        0x06 => 7,        // Find By Type Value
        0x08 | 0x10 => 5, // Read By (Group) Type
        0x0A => 3,        // Read
        0x0C => 5,        // Read Blob
        0x12 | 0x52 => 3, // Write
        0x16 => 5,        // Prepare Write
        0x18 => 2,        // Execute Write
        _ => 1,
    };
    assert!(least <= LONGEST);
    least
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(hex: &str) -> String {
        let mut fragment = hex::decode(hex).expect("hex");
        mend(&mut fragment);
        hex::encode(fragment)
    }

    #[test]
    fn what_is_sound_stays() {
        for sound in [
            "03000400 0a0100",
            "0700040012030001020304",
            // The rest comes later.
            "ff000400120300",
            // A Write Command, and another channel.
            "03000400520300",
            "0100060005",
            "0c000500 12010800 0600100000002a00",
        ] {
            let sound = sound.replace(' ', "");
            assert_eq!(mended(&sound), sound);
        }
    }

    #[test]
    fn what_a_request_lacks_is_zero() {
        assert_eq!(mended("010004000a"), "030004000a0000");
        assert_eq!(mended("020004001601"), "050004001601000000");
        assert_eq!(mended("0100040018"), "020004001800");
    }

    #[test]
    fn what_cannot_be_mended_is_for_nobody() {
        for hopeless in [
            "",
            "0300",
            "00000400",
            "030004",
            "05000400",
            "0200040012",
            "0200040002",
        ] {
            assert_eq!(mended(hopeless), "00003a00", "{hopeless}");
        }
    }

    #[test]
    fn no_att_mtu_is_less_than_23() {
        assert_eq!(mended("03000400020000"), "03000400021700");
        assert_eq!(mended("030004000205ff"), "030004000205ff");
    }
}
