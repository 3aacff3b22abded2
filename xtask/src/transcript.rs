//! What the pinned probe-rs sends to a probe, which guards its upgrades.

use crate::command::{cargo, run};

/// Writes the transcript anew.
pub fn renew() -> Result<(), String> {
    run(cargo()
        .args(["test", "--package", "lab"])
        .args(["--test", "probe", "transcript"])
        .env("PROVING_RENEW", "1"))?;
    run(cargo()
        .args(["test", "--package", "lab"])
        .args(["--test", "probe", "transcript"]))
}
