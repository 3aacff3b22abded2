//! The cases, run inside the machine.

use std::fs;
use std::process::Command;

/// Runs the cases and says how each ended.
pub fn run_inside() -> Result<(), String> {
    let arguments = fs::read_to_string("/host/arguments").unwrap_or_default();
    let arguments: Vec<&str> = arguments.lines().collect();
    let chosen: Vec<&str> = match arguments.iter().position(|argument| *argument == "--") {
        Some(place) => arguments[place + 1..].to_vec(),
        None => vec!["scenarios/ble/advertised.yaml"],
    };
    let mut run = Command::new("/host/bin/proving");
    run.current_dir("/host")
        .args(["run", "--rig", "/host/rig/rig.toml", "--board", "device"])
        .args(["--out", "/host/out/runs"])
        .args(chosen);
    let env = fs::read_to_string("/host/rig/env").map_err(|error| error.to_string())?;
    for line in env.lines() {
        if let Some((name, value)) = line.strip_prefix("export ").and_then(|l| l.split_once('=')) {
            run.env(name, value.trim_matches('\''));
        }
    }
    let status = run.status().map_err(|error| error.to_string())?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("proving run: {status}"))
    }
}
