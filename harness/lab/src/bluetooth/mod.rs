//! Virtual Bluetooth LE: controllers on a medium that they share.
//!
//! An [`Ether`] is the medium of one world. Each of its [`Controller`]s speaks HCI to a host: the
//! host of a device, of the BlueZ stand-in, or of another program behind a TCP port
//! ([`Ether::open_port`]). Controllers advertise, scan, connect and carry L2CAP for their hosts,
//! with flow control; there is no encryption, and only legacy advertising. Time is lab time.

mod bluez;
mod command;
mod controller;
mod ether;
mod h4;
pub mod host;
mod link;
mod medium;
mod opcode;
mod port;
mod power;
mod radio;

pub use bluez::{BluezPhone, BluezStandIn, RawAttributes, StandInError};
pub use controller::Controller;
pub use ether::Ether;
pub use trace::air::{
    BleAdvertisingSeen, BleConnected, BleDisconnected, BleFaultsSet, BleLinkDropped, RadioFaults,
};
