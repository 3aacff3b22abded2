//! Provisioning over Bluetooth LE: btleplug and a stand-in for BlueZ on one side, the device's GATT
//! service on the other, and a medium without the delays of a real one between them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use phone::Exchange;
use trace::{Event, LogLine};

use crate::boards::firmware;
use crate::figures::{Figure, Unit};
use crate::setup::{Outcome, Setup, timed};
use crate::table::{Measured, Row};
use crate::walls::{case, only};

const SAMPLES: usize = 5;
/// Requests to a custom endpoint, each written and read.
const EXCHANGES: usize = 200;
const HEAD: &str = "\
name: Exchanges
world:
  devices: { device: { provisioning: { over: ble, custom_endpoints: [custom-data] } } }
  phones: [alice]
steps:
  - power: on
  - expect: { log: { text: Provisioning started }, within: 5s }
";
const STEP: &str = "  - custom: { phone: alice, endpoint: custom-data, send: hello }\n";
const EVERY: &str = "provisioning/every_transport.yaml";
const SCAN: &str = "provisioning/scan_keeps_sixteen.yaml";

const COMPUTED: &str = "what the device says it has computed for, in ms of its own time, which runs up \
                        to ten times faster than the host's: of the emulator, not of a chip";

/// What a scenario over it is made of; the whole is measured with the other transports.
pub fn measure(setup: &Setup) -> Outcome<Vec<Row>> {
    Ok(vec![
        Row::new("ble: a scan that finds 16 networks", scan(setup)).note(
            "from the session to the last page of the results, as an app over btleplug sees it; the \
             device's own waiting for each channel is passed by",
        ),
        Row::new("ble: characteristics written and read", exchanges(setup))
            .note("a custom endpoint's, by btleplug over D-Bus, within a session of security 1"),
        Row::new("ble: X25519 on the emulated Cortex-M4", computed(setup, 1)).note(COMPUTED),
        Row::new("ble: SRP6a on the emulated Cortex-M4", computed(setup, 2)).note(COMPUTED),
    ])
}

/// Several samples of the same.
fn sampled<T>(sample: impl Fn() -> Outcome<T>) -> Result<Vec<T>, String> {
    let samples: Outcome<Vec<T>> = (0..SAMPLES).map(|_| sample()).collect();
    samples.map_err(|error| error.to_string())
}

/// What happened in the case of `file` that the filter leaves.
fn run(setup: &Setup, file: &Path, filter: &str, more: &[&OsStr]) -> Outcome<Vec<Event>> {
    let out = setup.folder()?;
    let mut command = Command::new(&setup.proving);
    command.arg("run").arg(file).args(["-E", filter]).args(more);
    timed(command.arg("--out").arg(&out))?;
    let case = only_folder(&only_folder(&out)?)?;
    Ok(trace::read(&case.join("1/trace.jsonl"))?)
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

fn scan(setup: &Setup) -> Measured {
    let case = case(setup, SCAN, &[("over", "ble")]).map_err(|error| error.to_string())?;
    let times = sampled(|| {
        let events = run(setup, Path::new(&case.file), &only(&case), &[])?;
        let session = answers(&events, "prov-session");
        let scan = answers(&events, "prov-scan");
        let (Some(began), Some(ended)) = (session.last(), scan.last()) else {
            return Err("there was no scan".into());
        };
        Ok(ended.saturating_sub(*began))
    });
    Figure::of_times(times?)
}

fn exchanges(setup: &Setup) -> Measured {
    let text = HEAD.to_owned() + &STEP.repeat(EXCHANGES);
    let rates = sampled(|| {
        let file = setup.file("exchanges.yaml", &text)?;
        let events = run(setup, &file, "name(~Exchanges)", &[])?;
        let times = answers(&events, "custom-data");
        let (Some(first), Some(last)) = (times.first(), times.last()) else {
            return Err("nothing was exchanged".into());
        };
        Ok((times.len() - 1) as f64 / last.saturating_sub(*first).as_secs_f64())
    });
    Figure::of(rates?, Unit::PerSecond("exchanges"))
}

/// What the device logs about the longest answer of a handshake.
fn computed(setup: &Setup, security: u8) -> Measured {
    let values = [("over", "ble"), ("security", &format!("v{security}"))];
    let prefix = format!("security {security} computed for ");
    let case = case(setup, EVERY, &values).map_err(|error| error.to_string())?;
    let times = sampled(|| {
        let image = firmware(setup)?;
        let qemu = ["--board", "qemu", "--image"].map(OsStr::new);
        let more = [&qemu[..], &[image.as_os_str()]].concat();
        let events = run(setup, Path::new(&case.file), &only(&case), &more)?;
        let lines = events.iter().filter_map(Event::payload::<LogLine>);
        let told = lines.filter_map(|line| {
            let ms = line.text.strip_prefix(&prefix)?.strip_suffix(" ms")?;
            Some(Duration::from_millis(ms.parse().ok()?))
        });
        told.max().ok_or_else(|| "the device told no times".into())
    });
    Figure::of_times(times?)
}
