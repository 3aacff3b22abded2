//! The emulated board, through an unmodified probe-rs.

mod air;
mod board;
mod conformance;
mod cost;
mod debug;
mod flashing;
mod guest;
mod serial;
mod world;
