//! The cases, run inside the machine.

use std::fs;
use std::process::Command;
use std::time::Instant;

use super::killed;

/// Says outside that everything has passed.
pub const PASSED: &str = "rig: passed";
/// Where the machine has what it shares with its host.
const SHARED: &str = "/host";
/// What every change is judged by.
const GATE: [&str; 6] = [
    "rig-scenarios/whole_way.yaml",
    "rig-scenarios/bound_by_notify.yaml",
    "rig-scenarios/bound_by_query.yaml",
    "scenarios/provisioning/wrong_pop_everywhere.yaml",
    "scenarios/provisioning/wrong_passphrase_everywhere.yaml",
    "scenarios/provisioning/reset_after_failure.yaml",
];
/// Which cases of those: the console is no radio.
const GATE_FILTER: &str = "path(rig-scenarios) | !name(over=console) & !name(security=none) \
     & !name(security=v1)";

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

/// Runs the cases and says how each ended.
pub fn run_inside() -> Result<(), String> {
    let arguments = fs::read_to_string(format!("{SHARED}/arguments")).unwrap_or_default();
    let arguments: Vec<&str> = arguments.lines().collect();
    let chosen = arguments.iter().position(|argument| *argument == "--");
    let mut tally = Tally::default();
    if let Some(place) = chosen {
        tally.check("the cases that were named", || {
            succeeds(&mut proving_run(&arguments[place + 1..])?)
        });
    } else {
        let all = arguments.contains(&"--all");
        let filter = ["-E", GATE_FILTER, "--no-skips"];
        let cases = match all {
            true => vec![
                "scenarios",
                "rig-scenarios/whole_way.yaml",
                "rig-scenarios/bound_by_notify.yaml",
                "rig-scenarios/bound_by_query.yaml",
            ],
            false => [GATE.as_slice(), &filter].concat(),
        };
        tally.check("scenarios", || succeeds(&mut proving_run(&cases)?));
        killed::check_all(&mut tally);
    }
    println!("{} passed, {} failed", tally.passed, tally.failed.len());
    if tally.failed.is_empty() {
        println!("{PASSED}");
        Ok(())
    } else {
        Err(format!("failed: {}", tally.failed.join(", ")))
    }
}

/// `proving run` on the board of the rig, with these arguments.
pub fn proving_run(arguments: &[&str]) -> Result<Command, String> {
    let mut run = Command::new(format!("{SHARED}/bin/proving"));
    run.current_dir(SHARED)
        .args(["run", "--rig", "rig/rig.toml", "--board", "device"])
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
