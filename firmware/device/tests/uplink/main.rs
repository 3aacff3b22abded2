//! The way to the cloud on a LAN made of memory, in virtual time: a broker, a time server and a
//! phone with network stacks of their own, and TLS that is none.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod binding;
mod broker;
#[cfg(feature = "bugs")]
mod bugs;
mod clock;
#[path = "../device/hub.rs"]
mod hub;
#[path = "../device/log.rs"]
mod log;
mod phone;
mod session;
#[path = "../device/time.rs"]
mod time;
mod tls;
mod world;
