//! Everything that must hold before a change is taken.

use std::num::NonZeroUsize;
use std::thread;

use crate::command::{building_release, cargo, command, root, run, start, target};
use crate::{bugs, firmware, fuzz, on_target, readme, release, requirements, rig};

/// What a build for the tests has that one to hand on has not: it needs libssl-dev.
pub const LEGACY: &str = "proving/legacy,cloud/legacy";
/// All cases but those that want a TLS on the device which can ask for short records.
pub const NATIVE: &str = "!tag(mfln)";

/// Runs all of it; ends at the first thing that does not hold.
pub fn run_all(yes: bool) -> Result<(), String> {
    requirements::install(yes)?;
    run(cargo().args(["fmt", "--all", "--check"]))?;
    run(cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--features",
        LEGACY,
        "--",
        "-D",
        "warnings",
    ]))?;
    for workspace in firmware::FOLDERS {
        run(cargo()
            .args(["fmt", "--all", "--check"])
            .current_dir(root().join(workspace)))?;
    }
    fuzz::check()?;
    firmware::check_on_host()?;
    firmware::build(None)?;
    // Tests wait more than they compute: the build that all the rest is run with needs the cores meanwhile.
    let release = start(&mut building_release(), "release-build")?;
    let threads = 2 * thread::available_parallelism().map_or(1, NonZeroUsize::get);
    // The judges were installed above, so a missing one is a failure, not a skip.
    run(cargo()
        .args(["test", "--workspace", "--features", LEGACY])
        // Many a test waits for a radio, a judge or a deadline: more of them than cores.
        .env("RUST_TEST_THREADS", threads.to_string())
        .env("PROVING_JUDGES", requirements::judges())
        .env("PROVING_JUDGES_REQUIRED", "1"))?;
    release.end()?;
    let out = target().join("proving-out");
    let proving = target().join("release/proving");
    release::small_enough(&proving)?;
    run(command(&proving)
        .args(["run", "--no-skips", "-E", NATIVE, "--out"])
        .arg(&out))?;
    // All of them passed on the native board; here it is the other board that is tried, by every fourth one.
    // Nightly, by all.
    run(command(&proving)
        .args(["run", "--board", "qemu", "--shard", "1/4", "--out"])
        .arg(&out))?;
    on_target::run_all(&proving)?;
    bugs::run_all()?;
    readme::readme(true)?;
    match rig::cannot() {
        Some(why) => println!("the rig of real parts: skipped, because {why}"),
        None => rig::rig(&rig::Plan::gate(proving))?,
    }
    Ok(())
}
