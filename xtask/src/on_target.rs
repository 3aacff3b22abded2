//! The suites that run on the board itself, through the debug probe.

use std::path::Path;

use crate::command::{command, run};
use crate::firmware;

/// Runs every suite on the emulated board.
pub fn run_all(proving: &Path) -> Result<(), String> {
    for suite in firmware::on_target_suites()? {
        run(command(proving)
            .arg("test")
            .arg(suite)
            .args(["--board", "qemu"]))?;
    }
    Ok(())
}
