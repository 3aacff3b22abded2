//! Frames and the ports they belong to.

use alloc::vec::Vec;
use core::fmt;

/// EtherType of control frames (IEEE 802, local experimental).
pub const ETHERTYPE: u16 = 0x88B5;
/// Longest frame: 1500 bytes of payload behind a 14-byte Ethernet header.
pub const MAX_FRAME: usize = 1514;
pub(crate) const ETHERNET_HEADER: usize = 14;

/// One of the two network interfaces of a radio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Port {
    /// The device is a client of an access point.
    Station = 0,
    /// The device is the access point.
    SoftAp = 1,
}

/// A frame on the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The interface that sends or receives it.
    pub port: Port,
    /// The Ethernet frame, header included, without check sequence.
    pub frame: Vec<u8>,
}

impl Packet {
    /// Whether this is a control frame.
    pub fn is_control(&self) -> bool {
        self.frame.get(12..14) == Some(&ETHERTYPE.to_be_bytes()[..])
    }

    /// The bytes on the link.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + self.frame.len());
        bytes.push(self.port as u8);
        bytes.extend_from_slice(&self.frame);
        bytes
    }

    /// The packet that `bytes` are.
    pub fn decode(bytes: &[u8]) -> Result<Self, PacketError> {
        let (&port, frame) = bytes.split_first().ok_or(PacketError::Empty)?;
        let port = match port {
            0 => Port::Station,
            1 => Port::SoftAp,
            other => return Err(PacketError::Port(other)),
        };
        if !(ETHERNET_HEADER..=MAX_FRAME).contains(&frame.len()) {
            return Err(PacketError::Length(frame.len()));
        }
        Ok(Self {
            port,
            frame: frame.to_vec(),
        })
    }
}

/// Bytes that are no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketError {
    /// No byte at all.
    Empty,
    /// No such port.
    Port(u8),
    /// Shorter than an Ethernet header or longer than [`MAX_FRAME`].
    Length(usize),
    /// A frame of this VLAN, which is no interface's ([`crate::ethernet`]).
    Vlan(u16),
    /// A data frame without VLAN tag ([`crate::ethernet`]).
    Untagged,
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "an empty packet"),
            Self::Port(port) => write!(f, "no port {port}"),
            Self::Length(length) => write!(f, "a frame of {length} bytes"),
            Self::Vlan(vlan) => write!(f, "no interface with VLAN {vlan}"),
            Self::Untagged => write!(f, "a data frame without VLAN tag"),
        }
    }
}

impl core::error::Error for PacketError {}
