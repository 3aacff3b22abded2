//! Virtual hardware: air, access points and the native board.
//!
//! Only this crate knows that hardware can be virtual.

pub mod air;
pub mod native;
pub mod wire;
