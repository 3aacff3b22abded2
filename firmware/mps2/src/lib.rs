//! The reference device as an image for QEMU's mps2-an386, a Cortex-M4 with an Ethernet controller.
//!
//! The device itself is [`device::run`]; here is what the board needs around it. `memory.x` says
//! what lies where. Ethernet carries the virtual radio ([`embedded::radio`]), and the board's SSRAM
//! stands in for flash. Its first UART is the console's, its second one leads to the Bluetooth
//! controller.

#![no_std]

extern crate alloc;

mod board;
pub mod clock;
pub mod ethernet;
pub mod executor;
#[cfg(target_os = "none")]
pub mod faults;
pub mod flash;
pub mod heap;
mod interrupts;
pub mod memory;
mod reset;
mod start;
pub mod uart;
pub mod vectors;
pub mod watchdog;

pub use board::{Mps2Board, Refusal};
pub use reset::{dark, restart};
pub use start::start;
