//! An MQTT 3.1.1 client.
//!
//! [`Session`] knows the protocol and does no I/O; [`exchange`] moves its bytes.

mod error;
mod event;
mod exchange;
mod packet;
mod session;

pub(super) use self::error::SessionError;
pub(super) use self::event::{Credentials, Event, Settings};
pub(super) use self::exchange::{Application, Ended, exchange};
pub(super) use self::packet::PacketError;
pub(super) use self::session::Session;
