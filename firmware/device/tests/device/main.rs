//! The whole firmware on a board made of memory, in virtual time: a hub for each network, phones
//! with network stacks of their own, and a radio that knows which access points there are.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod board;
#[cfg(feature = "bugs")]
mod bugs;
mod calendar;
mod console;
mod custom;
mod flash;
mod hub;
mod log;
mod manager;
mod network;
mod phone;
mod provisioning;
mod scan;
mod service;
mod station;
mod storage;
mod time;
mod uart;
mod world;
