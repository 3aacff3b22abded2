//! Judges in Python, in the environment that `cargo xtask setup` makes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn judges() -> PathBuf {
    let judges = std::env::var_os("PROVING_JUDGES").map(PathBuf::from);
    judges.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/judges"))
}

/// Its Python, with the packages of this folder.
fn python(packages: &str) -> Command {
    let mut command = Command::new(judges().join("bin/python"));
    command.env("PYTHONPATH", judges().join(packages));
    command
}

/// A script of `fixtures/strangers`, with the packages of this folder.
pub fn judge(packages: &str, script: &str, arguments: &[&str]) -> Command {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/strangers");
    let mut command = python(packages);
    command
        .arg(fixtures.join(script))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Whether `modules` cannot be imported, which is said of `name`. Where the judges must be there, that is a failure.
pub fn is_missing(packages: &str, modules: &str, name: &str) -> bool {
    let found = python(packages)
        .args(["-c", &format!("import {modules}")])
        .stderr(Stdio::null())
        .status();
    if found.is_ok_and(|status| status.success()) {
        return false;
    }
    let message = format!("{name} is not installed: `cargo xtask setup` installs it");
    assert!(
        std::env::var_os("PROVING_JUDGES_REQUIRED").is_none(),
        "{message}"
    );
    eprintln!("skipped, because {message}");
    true
}
