//! Provisioning over Bluetooth LE: btleplug and a stand-in for BlueZ on one side, the device's GATT
//! service on the other, and a medium without the delays of a real one between them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use phone::Exchange;
use trace::{Event, LogLine};

use crate::boards::firmware;
use crate::figures::{Figure, Unit};
use crate::setup::{Outcome, Setup, timed};
use crate::table::{Measured, Row};

const SAMPLES: usize = 5;
/// Requests to a custom endpoint, each written and read.
const EXCHANGES: usize = 200;
const HEAD: &str = "name: Exchanges
world: { devices: { device: { provisioning: { over: ble, custom_endpoints: [custom-data] } } } }
";
const EVERY: &str = "provisioning/every_transport.yaml";
const SCAN: &str = "provisioning/scan_keeps_sixteen.yaml";
/// What the device logs of what security 2 has cost it.
const COMPUTED: &str = "security 2 computed for ";

/// Whole cases, then what they are made of.
pub fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    let file = |name: &str| setup.scenarios.join(name);
    let mut rows = Vec::new();
    for security in ["none", "v1", "v2"] {
        let wall = |over: &str| -> Measured {
            let case = format!("name(~over={over},security={security}])");
            let walls = (0..SAMPLES).map(|_| Ok(run(setup, &file(EVERY), &case, &[])?.wall));
            let walls: Outcome<Vec<Duration>> = walls.collect();
            Figure::of_times(walls.map_err(|error| error.to_string())?)
        };
        rows.push(
            Row::new(
                format!("provisioning over ble, security {security}: as a scenario"),
                wall("ble"),
            )
            .peer("the same over softap", wall("softap"))
            .note("wall time of `proving run`, in which lab time runs ahead"),
        );
    }
    rows.push(Row::new("ble: a scan that finds 16 networks", scan(setup, &file(SCAN))).note(
        "from the answer before the scan to the last page of its results, as an app over btleplug \
         sees it; the device's own waiting for each channel is passed by",
    ));
    rows.push(
        Row::new("ble: characteristics written and read", exchanges(setup))
            .note("a custom endpoint's, by btleplug over D-Bus, within a session of security 1"),
    );
    rows.push(
        Row::new(
            "ble: SRP6a on the emulated Cortex-M4",
            srp(setup, &file(EVERY)),
        )
        .note(
            "what the device says it has computed for, in ms of its own time, which runs up to ten \
             times faster than the host's: of the emulator, not of a chip",
        ),
    );
    Ok(rows)
}

/// What a case was.
struct Ran {
    wall: Duration,
    events: Vec<Event>,
}

/// Runs the one case of `file` that the filter leaves.
fn run(setup: &Setup, file: &Path, filter: &str, more: &[&str]) -> Outcome<Ran> {
    let out = setup.folder()?;
    let mut command = Command::new(&setup.proving);
    command.arg("run").arg(file).args(["-E", filter]).args(more);
    let (wall, _) = timed(command.arg("--out").arg(&out))?;
    // RUN/CASE/ATTEMPT
    let mut folder = out;
    for _ in 0..2 {
        folder = only_folder(&folder)?;
    }
    let events = trace::read(&folder.join("1/trace.jsonl"))?;
    Ok(Ran { wall, events })
}

fn only_folder(folder: &Path) -> Outcome<PathBuf> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            return Ok(entry.path());
        }
    }
    Err(format!("{} is empty", folder.display()).into())
}

/// When, in host time, the phone had each answer from `endpoint`.
fn answers(events: &[Event], endpoint: &str) -> Vec<Duration> {
    let answers = events.iter().filter(|event| {
        let exchange = event.payload::<Exchange>();
        exchange.is_some_and(|exchange| exchange.endpoint == endpoint)
    });
    answers
        .map(|event| Duration::from_micros(event.wall_us))
        .collect()
}

fn scan(setup: &Setup, file: &Path) -> Measured {
    let sample = || -> Outcome<Duration> {
        let ran = run(setup, file, "name(~over=ble)", &[])?;
        let session = answers(&ran.events, "prov-session");
        let scan = answers(&ran.events, "prov-scan");
        let (Some(began), Some(ended)) = (session.last(), scan.last()) else {
            return Err("there was no scan".into());
        };
        Ok(ended.saturating_sub(*began))
    };
    let samples: Outcome<Vec<_>> = (0..SAMPLES).map(|_| sample()).collect();
    Figure::of_times(samples.map_err(|error| error.to_string())?)
}

fn exchanges(setup: &Setup) -> Measured {
    let step = "  - custom: { phone: alice, endpoint: custom-data, send: hello }\n";
    let steps = step.repeat(EXCHANGES);
    let text = format!(
        "{HEAD}steps:\n  - power: on\n  - expect: {{ log: {{ text: Provisioning started }}, within: 5s }}\n{steps}"
    )
    .replacen("world: {", "world: { phones: [alice],", 1);
    let sample = || -> Outcome<f64> {
        let file = setup.file("exchanges.yaml", &text)?;
        let ran = run(setup, &file, "name(~Exchanges)", &[])?;
        let times = answers(&ran.events, "custom-data");
        let (Some(first), Some(last)) = (times.first(), times.last()) else {
            return Err("nothing was exchanged".into());
        };
        Ok((times.len() - 1) as f64 / last.saturating_sub(*first).as_secs_f64())
    };
    let samples: Outcome<Vec<_>> = (0..SAMPLES).map(|_| sample()).collect();
    let samples = samples.map_err(|error| error.to_string())?;
    Figure::of(samples, Unit::PerSecond("exchanges"))
}

fn srp(setup: &Setup, file: &Path) -> Measured {
    let sample = || -> Outcome<Duration> {
        let image = firmware(setup)?;
        let image = image.to_str().ok_or("the image's path is no text")?;
        let more = ["--board", "qemu", "--image", image];
        let ran = run(setup, file, "name(~over=ble,security=v2])", &more)?;
        let lines = ran.events.iter().filter_map(Event::payload::<LogLine>);
        let told = lines.filter_map(|line| {
            let ms = line.text.strip_prefix(COMPUTED)?.strip_suffix(" ms")?;
            Some(Duration::from_millis(ms.parse().ok()?))
        });
        told.max().ok_or_else(|| "the device told no times".into())
    };
    let samples: Outcome<Vec<_>> = (0..SAMPLES).map(|_| sample()).collect();
    Figure::of_times(samples.map_err(|error| error.to_string())?)
}
