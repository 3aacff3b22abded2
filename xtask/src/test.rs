//! Everything that must hold before a change is taken.

use crate::command::{cargo, run, target};
use crate::{bugs, no_std, readme, requirements};

/// Runs all of it; ends at the first thing that does not hold.
pub fn run_all(yes: bool) -> Result<(), String> {
    requirements::install(yes)?;
    run(cargo().args(["fmt", "--all", "--check"]))?;
    run(cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    no_std::check()?;
    // The judges were installed above, so a missing one is a failure, not a skip.
    run(cargo()
        .args(["test", "--workspace"])
        .env("PROVING_JUDGES", requirements::judges())
        .env("PROVING_JUDGES_REQUIRED", "1"))?;
    let out = target().join("proving-out");
    run(cargo()
        .args(["run", "--release", "--", "run", "--no-skips", "--out"])
        .arg(out))?;
    bugs::run_all()?;
    readme::readme(true)
}
