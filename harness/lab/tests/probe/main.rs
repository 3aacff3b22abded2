//! The debug probe in front of a fake core: its layers, and an unmodified probe-rs.

mod attach;
mod faults;
mod framing;
mod transcript;
mod two_wires;
mod world;
