//! Everything that must hold before a change is taken.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::num::NonZeroUsize;
use std::process::Command;
use std::thread;

use serde::Deserialize;

use crate::command::{building_release, cargo, command, itself, root, run, start, target};
use crate::{bugs, firmware, on_target, readme, release, requirements, rig};

/// What a build for the tests has that one to hand on has not: it needs libssl-dev.
pub const LEGACY: &str = "proving/legacy,cloud/legacy";
/// Test programs that wait for radios, judges and machines more than they compute.
const WAITING: [&str; 3] = ["bluez", "judges", "phone_on_a_rig"];
/// All cases but those that want a TLS on the device which can ask for short records.
pub const NATIVE: &str = "!tag(mfln)";

/// Runs all of it; ends at the first thing that does not hold.
pub fn run_all(yes: bool) -> Result<(), String> {
    requirements::install(yes)?;
    // What is left of the cores while the host's own is checked and built.
    let images = start(&mut itself(&["firmware"])?, "images")?;
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
    firmware::check_on_host()?;
    run(&mut testing(&["--no-run"]))?;
    images.end()?;
    // Tests wait more than they compute: the build that all the rest is run with needs the cores meanwhile.
    let release = start(&mut building_release(), "release-build")?;
    tests()?;
    release.end()?;
    let out = target().join("proving-out");
    let proving = target().join("release/proving");
    release::small_enough(&proving)?;
    run(command(&proving)
        .args(["run", "--no-skips", "-E", NATIVE, "--out"])
        .arg(&out))?;
    // All of them passed on the native board; here it is the other board that is tried, by every sixth one.
    // Nightly, by all.
    run(command(&proving)
        .args(["run", "--board", "qemu", "--shard", "1/6", "--out"])
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

/// Every test: those that wait beside all others, and what documentation shows.
fn tests() -> Result<(), String> {
    let named = |programs: &[String]| -> Vec<String> {
        programs
            .iter()
            .map(|name| format!("--test={name}"))
            .collect()
    };
    let (waiting, others): (Vec<_>, Vec<_>) = programs()?
        .into_iter()
        .partition(|name| WAITING.contains(&name.as_str()));
    if waiting.len() != WAITING.len() {
        return Err(format!(
            "of the test programs {WAITING:?} there are only {waiting:?}"
        ));
    }
    let waiting = start(&mut testing(&named(&waiting)), "waiting-tests")?;
    let others = run(testing(&["--lib", "--bins"]).args(named(&others)));
    let shown = run(&mut testing(&["--doc"]));
    // Those that wait are not left alone if others fail.
    print!("{}", waiting.end()?);
    others.and(shown)
}

/// `cargo test` for the whole workspace.
fn testing(arguments: &[impl AsRef<OsStr>]) -> Command {
    let threads = 2 * thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let mut cargo = cargo();
    cargo
        .args(["test", "--workspace", "--exclude", "proving-fuzz"])
        .args(["--features", LEGACY])
        .args(arguments)
        // Many a test waits for a radio, a judge or a deadline: more of them than cores.
        .env("RUST_TEST_THREADS", threads.to_string())
        // The judges were installed before, so a missing one is a failure, not a skip.
        .env("PROVING_JUDGES", requirements::judges())
        .env("PROVING_JUDGES_REQUIRED", "1");
    cargo
}

/// Names of the test programs beside the crates' own.
fn programs() -> Result<BTreeSet<String>, String> {
    let output = cargo()
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .map_err(|error| format!("failed to start cargo: {error}"))?;
    let metadata: Metadata = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("failed to read what cargo metadata says: {error}"))?;
    let targets = metadata
        .packages
        .into_iter()
        .flat_map(|package| package.targets);
    Ok(targets
        .filter(|target| target.kind.iter().any(|kind| kind == "test"))
        .map(|target| target.name)
        .collect())
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}
