//! What must hold on the board, for embedded-test: each test runs after a reset of its own.
//!
//! `proving test ELF --board qemu` runs them; `cargo xtask firmware on-target` prints the ELF.

#![no_std]
#![no_main]
#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

extern crate alloc;

mod clock;
mod crypto;
mod ethernet;
mod memory;
mod random;
mod storage;
mod tls;

use core::panic::PanicInfo;

#[embedded_test::setup]
fn setup() {
    mps2::start();
}

/// Reports as the image does, then tells the host instead of starting anew.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    mps2::faults::report_panic(info);
    semihosting::process::abort()
}
