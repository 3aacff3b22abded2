//! The way to the cloud on a LAN made of memory, in virtual time: a broker, a time server and a
//! phone with network stacks of their own, and TLS that is none.

mod binding;
mod broker;
mod clock;
#[expect(dead_code, reason = "the tests of the whole device use the rest")]
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
