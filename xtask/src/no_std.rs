//! Checking the firmware for a Cortex-M, with whichever toolchain is there.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{cargo, command, run, target};

/// Soft float, because the C library that images link is built so.
pub const TARGET: &str = "thumbv7em-none-eabi";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/core/src/lib.rs";

/// What can build for [`TARGET`].
#[derive(Clone, Copy)]
pub enum Toolchain {
    /// The current one has the target.
    Installed,
    /// Debian's compiler, which builds the core library from source.
    Debian,
}

/// The toolchain to use, if there is one.
pub fn toolchain() -> Option<Toolchain> {
    let output = command("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .output()
        .ok()?;
    let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if output.status.success() && folder.is_dir() {
        return Some(Toolchain::Installed);
    }
    let debian = Path::new(DEBIAN_RUSTC).exists() && Path::new(DEBIAN_SOURCE).exists();
    debian.then_some(Toolchain::Debian)
}

/// Checks that the firmware needs no standard library.
pub fn check() -> Result<(), String> {
    let Some(toolchain) = toolchain() else {
        return Err(format!(
            "nothing here builds for {TARGET}: `rustup target add {TARGET}`, or on Debian \
             `apt-get install rustc-web rust-web-src`"
        ));
    };
    let mut check = cargo();
    check.args(["check", "--package", "device", "--target", TARGET]);
    prepare(&mut check, toolchain);
    run(&mut check)
}

/// Sets what the toolchain needs. Each has a target folder of its own: their outputs do not mix.
fn prepare(cargo: &mut Command, toolchain: Toolchain) {
    cargo.env("CARGO_TARGET_DIR", target().join("bare-metal"));
    if let Toolchain::Debian = toolchain {
        cargo
            .env("RUSTC", DEBIAN_RUSTC)
            .env("RUSTC_BOOTSTRAP", "1")
            .arg("-Zbuild-std=core,alloc");
    }
}
