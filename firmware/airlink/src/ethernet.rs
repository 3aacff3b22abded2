//! Packets as plain Ethernet frames, for a link that carries nothing else.
//!
//! A radio with an Ethernet controller in its place has one wire for two interfaces. A data frame
//! therefore carries an IEEE 802.1Q tag behind its two addresses, whose VLAN identifier says which
//! interface it belongs to: [`STATION_VLAN`] or [`SOFT_AP_VLAN`]. A control frame goes untagged, as
//! it belongs to the radio and not to an interface.
//!
//! ```
//! use airlink::{Packet, Port, ethernet};
//! let packet = Packet { port: Port::SoftAp, frame: vec![0; 14] };
//! let frame = ethernet::tag(&packet);
//! assert_eq!(frame[12..16], [0x81, 0x00, 0x00, 0x02]);
//! assert_eq!(ethernet::untag(&frame), Ok(packet));
//! ```

use alloc::vec::Vec;

use crate::packet::{ETHERNET_HEADER, MAX_FRAME};
use crate::{ETHERTYPE, Packet, PacketError, Port};

/// Tag protocol identifier (IEEE 802.1Q-2018 §9.5).
pub const TAG_ETHERTYPE: u16 = 0x8100;
/// VLAN identifier of the station's frames.
pub const STATION_VLAN: u16 = 1;
/// VLAN identifier of the SoftAP's frames.
pub const SOFT_AP_VLAN: u16 = 2;
/// Longest frame on the wire.
pub const MAX_TAGGED_FRAME: usize = MAX_FRAME + TAG;

/// Both addresses, in front of the EtherType.
const ADDRESSES: usize = 12;
const TAG: usize = 4;
/// Priority and drop eligibility are the other bits of a tag.
const VLAN_MASK: u16 = 0x0FFF;

/// The frame that carries `packet`.
pub fn tag(packet: &Packet) -> Vec<u8> {
    if packet.is_control() || packet.frame.len() < ADDRESSES {
        return packet.frame.clone();
    }
    let vlan = match packet.port {
        Port::Station => STATION_VLAN,
        Port::SoftAp => SOFT_AP_VLAN,
    };
    let (addresses, rest) = packet.frame.split_at(ADDRESSES);
    let mut frame = Vec::with_capacity(packet.frame.len() + TAG);
    frame.extend_from_slice(addresses);
    frame.extend_from_slice(&TAG_ETHERTYPE.to_be_bytes());
    frame.extend_from_slice(&vlan.to_be_bytes());
    frame.extend_from_slice(rest);
    frame
}

/// The packet that `frame` carries; a control frame is the station's.
pub fn untag(frame: &[u8]) -> Result<Packet, PacketError> {
    let (port, frame) = match split(frame) {
        Some((_, ETHERTYPE, _)) => (Port::Station, frame.to_vec()),
        Some((addresses, TAG_ETHERTYPE, [high, low, rest @ ..])) => {
            let port = match u16::from_be_bytes([*high, *low]) & VLAN_MASK {
                STATION_VLAN => Port::Station,
                SOFT_AP_VLAN => Port::SoftAp,
                other => return Err(PacketError::Vlan(other)),
            };
            (port, [addresses, rest].concat())
        }
        Some(_) => return Err(PacketError::Untagged),
        None if frame.is_empty() => return Err(PacketError::Empty),
        None => return Err(PacketError::Length(frame.len())),
    };
    if !(ETHERNET_HEADER..=MAX_FRAME).contains(&frame.len()) {
        return Err(PacketError::Length(frame.len()));
    }
    Ok(Packet { port, frame })
}

/// Addresses, EtherType and what comes behind it.
fn split(frame: &[u8]) -> Option<(&[u8], u16, &[u8])> {
    let (addresses, rest) = frame.split_at_checked(ADDRESSES)?;
    let (ethertype, rest) = rest.split_first_chunk::<2>()?;
    Some((addresses, u16::from_be_bytes(*ethertype), rest))
}
