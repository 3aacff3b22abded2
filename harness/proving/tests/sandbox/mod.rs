//! A folder in which `proving` runs without a trace of this host: its leases and its state are there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A new one.
pub fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let runtime = folder.path().join("runtime");
    fs::create_dir(&runtime).unwrap();
    fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).unwrap();
    folder
}

/// This program with the variables of the sandbox in `folder`, started there.
pub fn command(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .env("XDG_RUNTIME_DIR", folder.join("runtime"))
        .env("XDG_STATE_HOME", folder.join("state"))
        .env("NO_COLOR", "1");
    command
}
