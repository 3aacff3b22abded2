//! The reference device's behaviour, on any board.
//!
//! [`run`] takes a board's parts and is the whole firmware: provisioning service, station, clock,
//! MQTT, binding. It prints ESP-IDF's and Linkkit's own log texts, through the `log` facade with the
//! component as target, so that scenarios fit real firmware too.

#![no_std]
#![expect(
    async_fn_in_trait,
    reason = "one thread runs the firmware, so no future has to be Send"
)]
#![cfg_attr(
    test,
    expect(clippy::unwrap_used, reason = "in tests a panic is the message")
)]

extern crate alloc;

pub mod apart;
mod backoff;
pub mod board;
mod boot;
pub mod bugs;
mod coap;
pub mod credentials;
pub mod description;
pub mod handover;
mod http;
mod httpd;
mod linkkit;
mod mdns;
mod mqtt;
mod network;
mod provisioning;
mod resolve;
pub mod security;
mod station;
pub mod storage;
mod transport;
pub mod uplink;

pub use boot::run;
