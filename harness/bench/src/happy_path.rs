//! From factory-fresh to bound, and how much of that is the harness.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use engine::run::Job;
use language::Case;
use serde_json::{Value, json};

use crate::figures::Figure;
use crate::processor;
use crate::setup::{Outcome, Setup, timed};
use crate::table::{Row, Target};
use crate::walls::{self, walls};

const SCENARIO: &str = "softap/bound_by_notify.yaml";
const SAMPLES: usize = 10;

/// The hidden subcommand that makes an attempt and says what it cost.
pub const WORKER: &str = "__measured-worker";

/// Wall time of `proving run`, for every security, then of one attempt the harness's share.
pub fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    let cases = walls::cases(setup, SCENARIO)?;
    let mut rows = Vec::new();
    for case in &cases {
        let security = case.values.iter().map(|(_, value)| value.as_str());
        let security: Vec<&str> = security.collect();
        let security = security.join(", ");
        let walls = walls(setup, case, &[], SAMPLES).map_err(|error| error.to_string());
        rows.push(
            Row::new(format!("happy path to bound, security {security}"), walls)
                .target(Target::Below(1000.0))
                .note("wall time of `proving run`, with the 5 s of lab time for which it settles"),
        );
        let share = shares(setup, case).map_err(|error| error.to_string());
        rows.push(
            Row::new(
                format!("  of it not the device, security {security}"),
                share.clone().map(|share| share.other),
            )
            .note(
                "one attempt in a process of its own, as `proving run` makes it: wall time of that \
                 process less the processor time of the device (getrusage of the worker's ended \
                 children). What is left is the harness, waiting for it, and waiting for the host",
            ),
        );
        rows.push(
            Row::new(
                format!("  processor time of the harness, security {security}"),
                share.map(|share| share.harness),
            )
            .note("getrusage of the worker itself, all threads: lab, cloud, phones, engine, trace"),
        );
    }
    Ok(rows)
}

#[derive(Clone)]
struct Share {
    harness: Figure,
    other: Figure,
}

fn shares(setup: &Setup, case: &Case) -> Outcome<Share> {
    let mut harness = Vec::new();
    let mut other = Vec::new();
    for seed in 0..SAMPLES as u64 {
        let job = Job {
            scenario_file: PathBuf::from(&case.file),
            case_id: case.id.clone(),
            bindings: case.values.iter().cloned().collect(),
            seed,
            speed: 1000.0,
            accept: false,
            bug: None,
            out: setup.folder()?,
            own_transcripts: false,
            board: "native".to_owned(),
            device: None,
            image: None,
            rig: None,
            setup: trace::Setup::default(),
            flash: engine::run::Flash::default(),
            uses_host_radios: false,
            probe_fault: None,
            pcap: engine::run::Pcap::Off,
        };
        let (wall, output) = timed(Command::new(&setup.own).arg(WORKER).arg(job.write()?))?;
        let used: Value = serde_json::from_slice(&output.stdout)?;
        let used = |whose: &str| -> Outcome<Duration> {
            let micros = used[whose].as_u64().ok_or("the worker told no times")?;
            Ok(Duration::from_micros(micros))
        };
        harness.push(used("harness_us")?);
        other.push(wall.saturating_sub(used("device_us")?));
    }
    Ok(Share {
        harness: Figure::of_times(harness)?,
        other: Figure::of_times(other)?,
    })
}

/// Makes the attempt of the job at `path` and prints what it cost; fails unless it passes.
pub fn worker(path: &Path) -> Outcome<ExitCode> {
    let job = Job::read(path)?;
    let code = engine::attempt::run(&job);
    let events = trace::read(&job.trace())?;
    let finished: Option<trace::Finished> = events.last().and_then(|event| event.payload());
    let finished = finished.ok_or("the attempt came to no verdict")?;
    if let Some(failure) = finished.failure {
        return Err(format!("{}: {}", failure.label, failure.message).into());
    }
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let used = json!({
        "harness_us": micros(processor::own()),
        "device_us": micros(processor::children()),
    });
    println!("{used}");
    Ok(code)
}
