//! The whole firmware on a board made of memory, in virtual time: a hub for each network, phones
//! with network stacks of their own, and a radio that knows which access points there are.

mod board;
mod flash;
mod hub;
mod log;
mod network;
mod phone;
mod provisioning;
mod service;
mod station;
mod storage;
mod time;
mod world;
