//! Fifty devices at once.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::figures::{Figure, Unit};
use crate::setup::{Outcome, Setup, timed};
use crate::table::{Measured, Row};

const DEVICES: usize = 50;
const ROUNDS: usize = 3;
/// What the step that waits while memory is measured is called.
const PAUSE: &str = "wait 30m";

/// Wall times and memory. Fails to measure anything that does not pass.
pub fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    let memory = memory(setup).map_err(|error| error.to_string());
    let of = |select: fn(&Memory) -> &Figure| memory.clone().map(|memory| select(&memory).clone());
    Ok(vec![
        Row::new("50 devices in one world, until all are connected", one_world(setup)).note(
            "wall time of `proving run`: power on, all boot, one phone provisions each over SoftAP \
             with security 1, all are connected to the broker over mutual TLS at the end; every one \
             of these is expected",
        ),
        Row::new("  memory of each device's process", of(|memory| &memory.device)).note(
            "PSS from /proc/PID/smaps_rollup, when all 50 are connected: private memory, and its \
             share of what several processes share",
        ),
        Row::new("  memory of their worker", of(|memory| &memory.worker))
            .note("PSS: the lab with 50 access points of devices, the cloud and the trace"),
        Row::new("50 attempts at once, each to bound", many_worlds(setup)).note(
            "wall time of `proving run --repeat 50 --jobs 50` of the happy path with security 1: 50 \
             workers and 50 devices; all pass",
        ),
    ])
}

fn one_world(setup: &Setup) -> Measured {
    let wall = || -> Outcome<Duration> {
        let scenario = setup.file("crowd.yaml", scenario(false))?;
        Ok(timed(&mut setup.run(&scenario)?)?.0)
    };
    let walls = (0..ROUNDS).map(|_| wall().map_err(|error| error.to_string()));
    Figure::of_times(walls.collect::<Result<Vec<_>, _>>()?)
}

fn many_worlds(setup: &Setup) -> Measured {
    let wall = || -> Outcome<Duration> {
        let mut command = setup.run(&setup.scenarios.join("softap/bound_by_notify.yaml"))?;
        let devices = DEVICES.to_string();
        command.args([
            "-E",
            "name(/security=v1]/)",
            "--repeat",
            &devices,
            "--jobs",
            &devices,
        ]);
        Ok(timed(&mut command)?.0)
    };
    let walls = (0..ROUNDS).map(|_| wall().map_err(|error| error.to_string()));
    Figure::of_times(walls.collect::<Result<Vec<_>, _>>()?)
}

#[derive(Clone)]
struct Memory {
    device: Figure,
    worker: Figure,
}

/// Runs the same with a pause at its end, in which memory is looked at.
fn memory(setup: &Setup) -> Outcome<Memory> {
    let scenario = setup.file("crowd_with_pause.yaml", scenario(true))?;
    let mut command = setup.run(&scenario)?;
    let child = command
        .args(["--message-format", "json"])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut run = Ended(child);
    let stdout = run.0.stdout.take().ok_or("the run has no output")?;
    for line in BufReader::new(stdout).lines() {
        let message: Value = serde_json::from_str(&line?)?;
        let started = message["type"] == "step_started";
        if started && message["label"] == PAUSE {
            return look_at(run.0.id());
        }
    }
    Err("the run ended before all devices were connected".into())
}

/// The run must not go on without us.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // Its workers die with it.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn look_at(run: u32) -> Outcome<Memory> {
    let [worker] = children_of(run)?[..] else {
        return Err("the run does not have one worker".into());
    };
    let devices = children_of(worker)?;
    if devices.len() != DEVICES {
        return Err(format!("{} processes, not {DEVICES}", devices.len()).into());
    }
    let sizes = devices.into_iter().map(proportional_set_size);
    Ok(Memory {
        device: Figure::of(sizes.collect::<Outcome<Vec<_>>>()?, Unit::Kilobytes)?,
        worker: Figure::single(proportional_set_size(worker)?, Unit::Kilobytes),
    })
}

/// Process ids, from `/proc/PID/task/TID/children` of every thread (proc(5)).
fn children_of(process: u32) -> Outcome<Vec<u32>> {
    let mut children = Vec::new();
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let list = fs::read_to_string(thread?.path().join("children"))?;
        for child in list.split_whitespace() {
            children.push(child.parse()?);
        }
    }
    Ok(children)
}

/// kB of 1000 bytes.
fn proportional_set_size(process: u32) -> Outcome<f64> {
    let rollup = fs::read_to_string(
        Path::new("/proc")
            .join(process.to_string())
            .join("smaps_rollup"),
    )?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix("kB"));
    let kibibytes: f64 = kibibytes.ok_or("smaps_rollup has no Pss")?.trim().parse()?;
    Ok(kibibytes * 1.024)
}

fn scenario(pause: bool) -> String {
    let devices: Vec<String> = (1..=DEVICES)
        .map(|number| format!("d{number:02}"))
        .collect();
    let mut text = String::from(
        "name: Fifty at once\nworld:\n  access_points: { home: {} }\n  cloud: {}\n  phones: [alice]\n  devices:\n",
    );
    // Writing to a String cannot fail.
    for device in &devices {
        let _ = writeln!(text, "    {device}: {{}}");
    }
    text.push_str("steps:\n");
    for device in &devices {
        let _ = writeln!(text, "  - power: {{ device: {device}, turn: on }}");
    }
    text.push_str("  - expect:\n      any_order:\n");
    for device in &devices {
        let _ = writeln!(
            text,
            "        - {{ device: {device}, log: {{ text: Provisioning started }} }}"
        );
    }
    text.push_str("      within: 30s\n");
    for device in &devices {
        let _ = writeln!(
            text,
            "  - provision: {{ phone: alice, device: {device}, join: home, outcome: connected }}"
        );
    }
    text.push_str("  - expect:\n      any_order:\n");
    for device in &devices {
        let _ = writeln!(
            text,
            "        - {{ device: {device}, mqtt: session_opened }}"
        );
    }
    text.push_str("      within: 60s\n");
    if pause {
        let _ = writeln!(text, "  - {}", PAUSE.replacen(' ', ": ", 1));
    }
    text.push_str("never:\n  - { log: { level: error } }\nsettle: 0s\n");
    text
}
