//! Virtual hardware: air, access points and the native board.
//!
//! Only this crate knows that hardware can be virtual.

pub mod air;
#[cfg(feature = "ble")]
pub mod bluetooth;
pub mod native;
#[cfg(feature = "ble")]
pub mod network_manager;
#[cfg(feature = "ble")]
pub mod private_bus;
#[cfg(feature = "qemu")]
pub mod probe;
#[cfg(feature = "qemu")]
pub mod qemu;
pub mod wire;
