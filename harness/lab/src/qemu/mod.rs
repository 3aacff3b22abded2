//! The board that QEMU emulates, behind a debug probe.
//!
//! A [`Machine`] is an ARM MPS2 board (AN386, Cortex-M4F) without anything that a real one would not
//! have: every program that controls it goes through its debug probe ([`crate::probe`]). Ethernet
//! carries its radio, its first UART is a console, its second one leads to a Bluetooth controller.

mod backend;
mod board;
mod flash;
mod gdb;
mod machine;
mod memory;
mod process;
mod qmp;
mod qtest;
mod registers;
mod serial;
mod step;
mod wire;

use std::time::Duration;

/// The emulator's program.
pub const EMULATOR: &str = "qemu-system-arm";

pub use board::QemuBoard;
pub use machine::{CHIP, Cables, Machine, MachineSettings, MachineSwitch, TARGET_DESCRIPTION};

/// Whatever the emulator does is done within this, or it is given up. It answers in milliseconds, unless
/// other programs keep it from the processor.
const LIMIT: Duration = Duration::from_secs(20);
