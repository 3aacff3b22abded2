//! Checking the firmware for a Cortex-M, with the toolchain that is installed.

use crate::command::{cargo, run, target};
use crate::firmware::{CORTEX_M, Toolchain};

/// Checks that the firmware needs no standard library.
pub fn check() -> Result<(), String> {
    let toolchain = Toolchain::for_target(CORTEX_M)?;
    let mut check = cargo();
    check
        .args(["check", "--package", "device", "--target", CORTEX_M])
        // Its own folder, as the outputs of different compilers do not mix.
        .env("CARGO_TARGET_DIR", target().join("bare-metal"));
    toolchain.prepare(&mut check, CORTEX_M);
    run(&mut check)
}
