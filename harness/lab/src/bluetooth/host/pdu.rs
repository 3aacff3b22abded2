//! PDUs of ATT in the packets between a host and its controller.

use crate::bluetooth::h4::{Acl, Packet};

/// ATT's channel.
const ATT: u16 = 4;
/// Of L2CAP: length and channel.
pub(super) const HEADER: usize = 4;
/// Bytes of a fragment, which every controller takes.
const FRAGMENT: usize = 27 * 9;
pub(super) const NUMBER_OF_COMPLETED_PACKETS: u8 = 0x13;
pub(super) const DISCONNECTION_COMPLETE: u8 = 0x05;

/// The beginning of an ATT PDU, if the first fragment `data` carries one.
pub(super) fn att(data: &[u8]) -> Option<&[u8]> {
    let (header, pdu) = data.split_at_checked(HEADER)?;
    (u16::from_le_bytes([header[2], header[3]]) == ATT).then_some(pdu)
}

/// The length of a PDU, from its first fragment.
pub(super) fn pdu_length(data: &[u8]) -> usize {
    match data {
        [low, high, ..] => usize::from(u16::from_le_bytes([*low, *high])),
        _ => 0,
    }
}

/// The packets that carry this PDU of ATT on a connection.
pub(super) fn fragments(handle: u16, pdu: &[u8]) -> Vec<Packet> {
    let data = framed(pdu);
    let fragments = data.chunks(FRAGMENT).enumerate();
    fragments
        .map(|(index, data)| {
            Packet::Acl(Acl {
                handle,
                continues: index > 0,
                data: data.to_vec(),
            })
        })
        .collect()
}

/// The one packet in which a host is told this PDU.
pub(super) fn whole(handle: u16, pdu: &[u8]) -> Packet {
    Packet::Acl(Acl {
        handle,
        continues: false,
        data: framed(pdu),
    })
}

/// Tells a host that so many of its packets have been sent.
pub(super) fn confirmation(handle: u16, count: u16) -> Packet {
    let mut parameters = vec![1];
    parameters.extend(handle.to_le_bytes());
    parameters.extend(count.to_le_bytes());
    Packet::Event {
        code: NUMBER_OF_COMPLETED_PACKETS,
        parameters,
    }
}

/// Connections and counts of a confirmation of a controller.
pub(super) fn confirmed(parameters: &[u8]) -> impl Iterator<Item = (u16, u16)> {
    let entries = parameters.get(1..).unwrap_or_default().chunks_exact(4);
    entries.map(|entry| {
        let handle = u16::from_le_bytes([entry[0], entry[1]]);
        (handle, u16::from_le_bytes([entry[2], entry[3]]))
    })
}

/// The connection that has ended, if a controller says so in this packet.
pub(super) fn ended(packet: &Packet) -> Option<u16> {
    match packet {
        Packet::Event {
            code: DISCONNECTION_COMPLETE,
            parameters,
        } => match **parameters {
            [_, low, high, ..] => Some(u16::from_le_bytes([low, high])),
            _ => None,
        },
        _ => None,
    }
}

fn framed(pdu: &[u8]) -> Vec<u8> {
    // Longer ones are cut: their length would not fit.
    let length = u16::try_from(pdu.len()).unwrap_or(u16::MAX);
    let mut data = length.to_le_bytes().to_vec();
    data.extend(ATT.to_le_bytes());
    data.extend(&pdu[..usize::from(length)]);
    data
}
