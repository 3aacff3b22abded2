//! Virtual hardware: air, access points and the native board.
//!
//! Only this crate knows that hardware can be virtual.

pub mod air;
pub mod bluetooth;
pub mod native;
pub mod network_manager;
pub mod private_bus;
pub mod probe;
pub mod qemu;
pub mod wire;
