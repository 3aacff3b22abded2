//! The one protocol between a virtual radio and the air.
//!
//! A virtual radio has two network interfaces, station and SoftAP ([`Port`]). Their Ethernet frames
//! travel over one link together with control frames, which have [`ETHERTYPE`] and carry a
//! [`Request`] towards the air or a [`Notice`] towards the device. A [`Packet`] is one frame and the
//! port that it belongs to; on the link it is one byte for the port, then the frame.
//!
//! [`ethernet`] puts packets on a wire that knows only Ethernet frames.
//! [`tether`] is what carries packets, serial lines, log and time between a device that runs as a
//! host process and its lab; [`h4`] tells the packets on one of those lines apart.

#![no_std]

extern crate alloc;

mod control;
pub mod ethernet;
pub mod h4;
mod packet;
pub mod tether;

pub use control::{
    AccessPoint, AuthMode, ControlError, Mode, Notice, Request, decode_notice, decode_request,
    encode_notice, encode_request,
};
pub use packet::{ETHERTYPE, MAX_FRAME, Packet, PacketError, Port};
