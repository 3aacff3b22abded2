//! The binary that is handed on, and the symbols of its backtraces in a file of their own.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{cargo, command, exists, run, target};

/// Largest size of the binary, in bytes.
const LARGEST: u64 = 40_000_000;
/// The file of symbols. Rust's backtraces, gdb and perf look for it beside the binary, which names it
/// in its section `.gnu_debuglink`.
const SYMBOLS: &str = "proving.debug";

/// Builds both into `target/dist`. The code is that of one build, so that every address of a backtrace
/// has its line in the symbols.
pub fn release() -> Result<(), String> {
    if !exists("objcopy") {
        return Err("objcopy is missing; apt-get install binutils".into());
    }
    run(cargo().args(["build", "--profile", "lines", "--package", "proving"]))?;
    let built = target().join("lines/proving");
    let dist = fresh(target().join("dist"))?;
    run(command("objcopy")
        .arg("--only-keep-debug")
        .args([&built, &dist.join(SYMBOLS)]))?;
    // Only the name of the file goes into the link.
    run(command("objcopy")
        .arg("--strip-all")
        .arg("--add-gnu-debuglink")
        .args([&dist.join(SYMBOLS), &built, &dist.join("proving")]))?;
    small_enough(&dist.join("proving"))?;
    eprintln!("    {} and {SYMBOLS}", dist.join("proving").display());
    Ok(())
}

/// Fails if the binary at `path` is larger than one that is handed on may be.
pub fn small_enough(path: &Path) -> Result<(), String> {
    let size = fs::metadata(path)
        .map_err(|error| format!("failed to look at {}: {error}", path.display()))?
        .len();
    within(path, size)
}

fn within(path: &Path, size: u64) -> Result<(), String> {
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    let told = format!(
        "release binary {}: {:.1} MB",
        path.display(),
        megabytes(size)
    );
    if size >= LARGEST {
        return Err(format!(
            "{told}; it has to be smaller than {} MB",
            megabytes(LARGEST)
        ));
    }
    eprintln!("==> {told}");
    Ok(())
}

fn fresh(folder: PathBuf) -> Result<PathBuf, String> {
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(format!("failed to clear {}: {error}", folder.display()));
        }
        _ => {}
    }
    fs::create_dir_all(&folder)
        .map_err(|error| format!("failed to make {}: {error}", folder.display()))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_binary_that_is_too_large_is_named() {
        let path = Path::new("target/release/proving");
        assert_eq!(within(path, LARGEST - 1), Ok(()));
        let error = within(path, 44_123_456).expect_err("too large");
        assert_eq!(
            error,
            "release binary target/release/proving: 44.1 MB; it has to be smaller than 40 MB"
        );
        let missing = small_enough(Path::new("no/such/binary")).expect_err("not there");
        assert!(missing.contains("no/such/binary"), "{missing}");
    }
}
