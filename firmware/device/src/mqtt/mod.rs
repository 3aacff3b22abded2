//! An MQTT 3.1.1 client.
//!
//! [`Session`] knows the protocol and does no I/O; [`exchange`] moves its bytes.

mod error;
mod event;
mod exchange;
mod outbox;
mod packet;
mod session;

pub(crate) use self::error::{MqttSessionError, RequestError};
pub(crate) use self::event::{Credentials, Event, Settings};
pub(crate) use self::exchange::{Application, Ended, exchange};
pub(crate) use self::outbox::Outbox;
pub(crate) use self::packet::{PacketError, decode, encode};
pub(crate) use self::session::MqttSession;
