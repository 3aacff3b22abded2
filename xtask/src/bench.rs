//! What the harness costs, beside its peers.

use crate::command::{cargo, command, run, target};
use crate::{firmware, release, requirements};

/// Installs the peers, builds what is measured, and prints the table.
pub fn bench(yes: bool) -> Result<(), String> {
    requirements::install(yes)?;
    firmware::build(Some("mps2"))?;
    run(cargo().args([
        "build",
        "--release",
        "--package",
        "proving",
        "--package",
        "bench",
        "--features",
        "bench/legacy",
    ]))?;
    run(command(target().join("release/bench")).env("PROVING_JUDGES", requirements::judges()))?;
    release::small_enough(&target().join("release/proving"))
}
