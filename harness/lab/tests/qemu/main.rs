//! The emulated board, through an unmodified probe-rs.

mod debug;
mod flashing;
mod guest;
mod world;
