//! What the harness costs, beside its peers.

use crate::command::{cargo, command, run, target};
use crate::requirements;

/// Installs the peers, builds what is measured, and prints the table.
pub fn bench(yes: bool) -> Result<(), String> {
    requirements::install(yes)?;
    run(cargo().args([
        "build",
        "--release",
        "--package",
        "proving",
        "--package",
        "bench",
    ]))?;
    run(command(target().join("release/bench")).env("PROVING_JUDGES", requirements::judges()))
}
