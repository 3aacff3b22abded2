//! Building the images for boards, each in a workspace of its own, with the toolchain that is installed.
//!
//! rustup's toolchain has the targets as `rust-toolchain.toml` or a person installed them. Debian's
//! compiler has none, but its package of the library's source builds them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::command::{cargo, command, root, run, shown, target};

/// Soft float, because the C library that images link is built so.
pub const CORTEX_M: &str = "thumbv7em-none-eabi";
/// The ESP32-C6.
pub const RISC_V: &str = "riscv32imac-unknown-none-elf";

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/core/src/lib.rs";
const DEBIAN_LINKER: &str = "/usr/bin/ld.lld";

/// A workspace whose build ends in programs for a board.
struct Workspace {
    folder: &'static str,
    target: &'static str,
    /// What cargo is told to build.
    build: &'static [&'static str],
}

const MPS2: Workspace = Workspace {
    folder: "firmware/mps2",
    target: CORTEX_M,
    build: &["build", "--release", "--package", "mps2"],
};
const ESP32C6: Workspace = Workspace {
    folder: "firmware/esp32c6",
    target: RISC_V,
    build: &["build", "--release"],
};
const ON_TARGET: Workspace = Workspace {
    folder: "firmware/on-target",
    target: CORTEX_M,
    build: &["test", "--release", "--no-run", "--workspace"],
};

/// Folders of the workspaces that the root's leaves out.
pub const FOLDERS: [&str; 3] = [MPS2.folder, ON_TARGET.folder, ESP32C6.folder];

/// Crates of [`MPS2`]'s workspace that know no board, and have tests for the host.
const ON_HOST: [&str; 3] = ["cmsdk-uart", "embedded", "lan9118"];

/// Checks and tests on the host what of the images can run there.
pub fn check_on_host() -> Result<(), String> {
    for arguments in [&["clippy", "--all-targets"][..], &["test"]] {
        let mut check = cargo();
        check
            .current_dir(root().join(MPS2.folder))
            .args(arguments)
            .args(ON_HOST.iter().flat_map(|name| ["--package", name]))
            // Beside the images, as the root's profiles are others.
            .env("CARGO_TARGET_DIR", target().join("firmware"))
            // For a processor that has time enough.
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", "0")
            .env("CARGO_PROFILE_DEV_DEBUG", "0");
        if arguments[0] == "clippy" {
            check.args(["--", "-D", "warnings"]);
        }
        run(&mut check)?;
    }
    Ok(())
}

/// The test suites for the emulated board, built.
pub fn on_target_suites() -> Result<Vec<PathBuf>, String> {
    ON_TARGET.build()
}

/// Builds one image, or all of them if none is named, and prints where each is.
pub fn build(image: Option<&str>) -> Result<(), String> {
    let workspaces = match image {
        None => vec![MPS2, ON_TARGET, ESP32C6],
        Some("mps2") => vec![MPS2],
        Some("on-target") => vec![ON_TARGET],
        Some("esp32c6") => vec![ESP32C6],
        Some(other) => {
            return Err(format!(
                "no image {other}: there are mps2, on-target and esp32c6"
            ));
        }
    };
    for workspace in workspaces {
        for elf in workspace.build()? {
            println!("{}", elf.display());
        }
    }
    Ok(())
}

impl Workspace {
    /// The programs that were built.
    fn build(&self) -> Result<Vec<PathBuf>, String> {
        let toolchain = Toolchain::for_target(self.target)?;
        let mut build = cargo();
        build
            .current_dir(root().join(self.folder))
            .args(self.build)
            .args(["--target", self.target])
            .args(["--message-format", "json-render-diagnostics"])
            // Images name their sources, and do not depend on where this folder lies. Beside what
            // the workspace's own settings say.
            .arg("--config")
            .arg(format!(
                "target.{}.rustflags=[\"--remap-path-prefix={}/=\"]",
                self.target,
                root().display()
            ))
            // Its own folder, as the outputs of different compilers do not mix.
            .env("CARGO_TARGET_DIR", target().join("firmware"));
        toolchain.prepare(&mut build, self.target);
        executables(&run_for_output(&mut build)?)
    }
}

/// What can build for a target.
#[derive(Debug)]
pub enum Toolchain {
    /// The current one has the target.
    Installed,
    /// Debian's compiler, which builds the core library from source, and the linker for it.
    Debian {
        /// LLVM's linker.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// The toolchain to use; an error says what to install.
    pub fn for_target(target: &str) -> Result<Self, String> {
        if print(&["target-libdir", "--target", target]).is_some_and(|folder| folder.is_dir()) {
            return Ok(Self::Installed);
        }
        match linker().filter(|_| debian_is_new_enough()) {
            Some(linker) => Ok(Self::Debian { linker }),
            None => Err(format!(
                "nothing here builds for {target}: `rustup target add {target}`, or on Debian \
                 `apt-get install rustc-web rust-web-src lld`"
            )),
        }
    }

    /// Sets what the toolchain needs.
    pub fn prepare(&self, cargo: &mut Command, target: &str) {
        let Self::Debian { linker } = self else {
            return;
        };
        let variable = target.to_uppercase().replace('-', "_");
        cargo
            .env("RUSTC", DEBIAN_RUSTC)
            .env("RUSTC_BOOTSTRAP", "1")
            .env(format!("CARGO_TARGET_{variable}_LINKER"), linker)
            .arg("-Zbuild-std=core,alloc");
    }
}

/// Debian's packages that would bring a toolchain, if there is none.
pub fn missing_packages() -> Vec<&'static str> {
    if [CORTEX_M, RISC_V]
        .into_iter()
        .all(|target| Toolchain::for_target(target).is_ok())
    {
        return Vec::new();
    }
    let mut packages = vec!["rustc-web", "rust-web-src"];
    if linker().is_none() {
        packages.push("lld");
    }
    packages
}

/// Whether Debian's compiler is there with its sources, and not older than the workspace wants:
/// package lists that were never renewed bring one of long ago.
fn debian_is_new_enough() -> bool {
    if !Path::new(DEBIAN_SOURCE).exists() {
        return false;
    }
    let Ok(output) = Command::new(DEBIAN_RUSTC).arg("--version").output() else {
        return false;
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = said.split_whitespace().nth(1).and_then(minor);
    version.is_some() && version >= minor(env!("CARGO_PKG_RUST_VERSION"))
}

/// Major and minor number of a version such as `1.95` or `1.96.0`.
fn minor(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.');
    let major = numbers.next()?.parse().ok()?;
    Some((major, numbers.next()?.parse().ok()?))
}

/// rustup's linker, as Debian's compiler brings none, or else Debian's.
fn linker() -> Option<PathBuf> {
    let rustup = print(&["sysroot"])
        .map(|sysroot| sysroot.join("lib/rustlib/x86_64-unknown-linux-gnu/bin/rust-lld"));
    rustup
        .into_iter()
        .chain([PathBuf::from(DEBIAN_LINKER)])
        .find(|linker| linker.exists())
}

/// A path that the compiler prints.
fn print(arguments: &[&str]) -> Option<PathBuf> {
    let output = command("rustc")
        .arg("--print")
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(text.trim()))
}

/// Shows the command, runs it, and returns what it says on standard output.
fn run_for_output(command: &mut Command) -> Result<String, String> {
    let shown = shown(command);
    eprintln!("==> {shown}");
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("failed to start {shown}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{shown}: {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("{shown}: {error}"))
}

/// The programs that cargo names in its messages.
fn executables(messages: &str) -> Result<Vec<PathBuf>, String> {
    let found: Vec<PathBuf> = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?)))
        .collect();
    if found.is_empty() {
        return Err("cargo built no program".into());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::minor;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(minor("1.96.0") > minor("1.95"));
        assert!(minor("1.85.0") < minor("1.95"));
        assert!(minor("1.100.0") > minor("1.95"));
        assert_eq!(minor("nightly"), None);
    }
}
