//! The cases, run inside the machine.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use super::plan::{Plan, What};
use super::{bench, killed, radios, refusals};

/// Says outside that everything has passed.
pub const PASSED: &str = "rig: passed";
/// Where the machine has what it shares with its host.
pub const SHARED: &str = "/host";
/// What every change is judged by.
const CASES: [&str; 6] = [
    "rig-scenarios/whole_way.yaml",
    "rig-scenarios/bound_by_notify.yaml",
    "rig-scenarios/bound_by_query.yaml",
    "scenarios/provisioning/wrong_pop_everywhere.yaml",
    "scenarios/provisioning/wrong_passphrase_everywhere.yaml",
    "scenarios/provisioning/reset_after_failure.yaml",
];
/// Which cases of those: the console is no radio.
const CASES_FILTER: &str = "path(rig-scenarios) | !name(over=console) & !name(security=none) \
     & !name(security=v1)";

/// Everything but what waits for an hour of device time; what does not fit is skipped.
const ALL: [&str; 6] = [
    "-E",
    "!tag(long)",
    "scenarios",
    "rig-scenarios/whole_way.yaml",
    "rig-scenarios/bound_by_notify.yaml",
    "rig-scenarios/bound_by_query.yaml",
];

/// How the checks have ended so far.
#[derive(Default)]
pub struct Tally {
    passed: usize,
    failed: Vec<String>,
}

impl Tally {
    /// Runs one check, and says how it ended.
    pub fn check(&mut self, name: &str, check: impl FnOnce() -> Result<(), String>) {
        let began = Instant::now();
        let done = check();
        let took = began.elapsed().as_secs_f64();
        match done {
            Ok(()) => {
                println!("PASSED {took:7.3} s  {name}");
                self.passed += 1;
            }
            Err(why) => {
                println!("FAILED {took:7.3} s  {name}: {why}");
                self.failed.push(name.to_owned());
            }
        }
    }
}

/// Runs what the plan says, and says how each part ended.
pub fn run_inside() -> Result<(), String> {
    let written = fs::read_to_string(format!("{SHARED}/plan"))
        .map_err(|error| format!("failed to read the plan: {error}"))?;
    let plan = Plan::of(&written.lines().map(str::to_owned).collect::<Vec<_>>())?;
    let mut tally = Tally::default();
    match plan.what {
        What::Cases => {
            let filter = ["-E", CASES_FILTER, "--no-skips"];
            scenarios(&mut tally, &[CASES.as_slice(), &filter].concat());
            checks(&mut tally, false);
        }
        What::All => {
            let part = plan.named.iter().map(String::as_str);
            scenarios(&mut tally, &ALL.into_iter().chain(part).collect::<Vec<_>>());
            checks(&mut tally, true);
        }
        What::Checks => checks(&mut tally, true),
        What::Bench => bench::measure(&mut tally),
        What::Named => {
            let named: Vec<&str> = plan.named.iter().map(String::as_str).collect();
            scenarios(&mut tally, &named);
        }
    }
    println!("{} passed, {} failed", tally.passed, tally.failed.len());
    if tally.failed.is_empty() && tally.passed > 0 {
        println!("{PASSED}");
        Ok(())
    } else {
        Err(format!("failed: {}", tally.failed.join(", ")))
    }
}

fn scenarios(tally: &mut Tally, arguments: &[&str]) {
    tally.check("scenarios", || succeeds(&mut proving_run(arguments)?));
}

/// What no scenario can show; `all` of it takes minutes longer.
fn checks(tally: &mut Tally, all: bool) {
    refusals::check_all(tally);
    killed::check_all(tally);
    radios::check_all(tally, all);
}

/// `proving run` on the board of the rig, with these arguments.
pub fn proving_run(arguments: &[&str]) -> Result<Command, String> {
    let mut run = proving();
    run.args(["run", "--rig", "rig/rig.toml", "--board", "device"])
        .args(["--out", "out/runs"])
        .args(arguments);
    let env = fs::read_to_string(format!("{SHARED}/rig/env"))
        .map_err(|error| format!("failed to read the rig's env: {error}"))?;
    for line in env.lines() {
        if let Some((name, value)) = line
            .strip_prefix("export ")
            .and_then(|line| line.split_once('='))
        {
            run.env(name, value.trim_matches('\''));
        }
    }
    Ok(run)
}

/// Name and passphrase of the home's access point.
pub fn home() -> Result<(String, String), String> {
    let told = fs::read(format!("{SHARED}/rig/endpoints.json"));
    let told = told.map_err(|error| format!("failed to read the rig's endpoints: {error}"))?;
    let told: serde_json::Value =
        serde_json::from_slice(&told).map_err(|error| format!("the rig's endpoints: {error}"))?;
    let text = |field: &str| {
        told["access_points"]["home"][field]
            .as_str()
            .map(str::to_owned)
    };
    text("ssid")
        .zip(text("passphrase"))
        .ok_or_else(|| "the rig does not tell of its home".to_owned())
}

/// The build that is judged, in the shared folder.
pub fn proving() -> Command {
    let mut command = Command::new(format!("{SHARED}/bin/proving"));
    command.current_dir(SHARED);
    command
}

/// Runs it, and fails if it does.
pub fn succeeds(command: &mut Command) -> Result<(), String> {
    let status = command
        .status()
        .map_err(|error| format!("failed to start it: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(status.to_string())
    }
}

/// The folder of the last run.
pub fn last_run() -> Result<PathBuf, String> {
    let runs = fs::read_dir(format!("{SHARED}/out/runs"));
    let runs = runs.map_err(|error| format!("failed to look for the last run: {error}"))?;
    let last = runs.flatten().map(|run| run.path()).max();
    last.ok_or_else(|| "there was no run".to_owned())
}

/// The traces of the last run, one after the other.
pub fn traces() -> Result<String, String> {
    let failed = |error: std::io::Error| format!("failed to read the last run: {error}");
    let mut folders = vec![last_run()?];
    let mut all = String::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).map_err(failed)?.flatten() {
            let path = entry.path();
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name == "trace.jsonl") {
                all += &String::from_utf8_lossy(&fs::read(path).map_err(failed)?);
            }
        }
    }
    Ok(all)
}
