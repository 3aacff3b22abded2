//! Turns of provisioning with a real BlueZ and NetworkManager in between: `proving prov set` beside
//! Espressif's client modules (esp-rainmaker-cli), by turns, on the same device.

mod device;
#[path = "../../../harness/bench/src/figures.rs"]
#[expect(dead_code, reason = "shared with the benches, which measure more")]
mod figures;
mod peer;
#[path = "../../../harness/bench/src/table.rs"]
#[expect(dead_code, reason = "shared with the benches, which have targets")]
mod table;

use std::fs;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::cases::{SHARED, Tally, home, proving};
use device::{Device, Label};
use figures::Figure;
use table::Row;

pub use peer::share;

/// Turns of each of both.
const SAMPLES: usize = 3;
/// From one question for the status to the next, on both sides.
const POLL_S: &str = "0.5";
/// As scenarios name them, with `sec_ver`.
const CASES: [(&str, &str, &str); 3] = [
    ("ble", "v1", "1"),
    ("ble", "v2", "2"),
    ("softap", "v1", "1"),
];

/// What a turn has taken.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Turn {
    /// From the start of the command to its end.
    command: Duration,
    /// From the first look for the device to the answer that says "connected".
    connected: Duration,
}

/// Measures all of it, and prints the table. What fails to be measured is a failure.
pub fn measure(tally: &mut Tally) {
    tally.check("provisioning beside Espressif's client", || {
        let (ssid, passphrase) = home()?;
        let note = format!(
            "in a virtual machine, whose processor is emulated, over its BlueZ or Wi-Fi; of a device that \
             the host meets for the first time; both ask for the status every {POLL_S} s, and the peer \
             listens for Bluetooth devices for 5 s whatever it hears; {}",
            peer::versions()?
        );
        let mut rows = Vec::new();
        let measured = CASES.iter().try_for_each(|case| {
            rows.extend(rows_of(*case, [&ssid, &passphrase], &note)?);
            Ok(())
        });
        // What was measured is told whatever came behind it.
        println!("{}", table::render(&rows));
        let json = table::json(&rows).to_string();
        let kept = fs::write(format!("{SHARED}/out/bench.json"), json)
            .map_err(|error| format!("failed to keep the figures: {error}"));
        measured.and(kept)
    });
}

/// Turns of both, each in its turn.
fn rows_of(
    (over, security, number): (&str, &str, &str),
    home: [&str; 2],
    note: &str,
) -> Result<[Row; 2], String> {
    let device = Device::make(over, security)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..SAMPLES {
        ours.push(device.turn(|label| our_turn(over, label, home))?);
        theirs.push(device.turn(|label| peer::turn(over, number, label, home, POLL_S))?);
    }
    let name = format!("provisioning over {over}, security {security}");
    let row = |what: &str, of: fn(&Turn) -> Duration| {
        let figure = |turns: &[Turn]| Figure::of_times(turns.iter().map(of));
        let row = Row::new(format!("{name}: {what}"), figure(&ours));
        row.peer(peer::NAME, figure(&theirs)).note(note)
    };
    Ok([
        row("connected", |turn| turn.connected),
        row("as a command", |turn| turn.command),
    ])
}

fn our_turn(over: &str, label: &Label, [ssid, passphrase]: [&str; 2]) -> Result<Turn, String> {
    let trace = format!("{SHARED}/out/turn.jsonl");
    // One of the turn before must not stand in for it.
    let _ = fs::remove_file(&trace);
    let mut set = proving();
    set.args(["prov", "--transport", over, "--name", &label.name]);
    match label.username.is_empty() {
        true => set.args(["--pop", &format!("text:{}", label.pop)]),
        false => set
            .args(["--username", &label.username])
            .args(["--password", &format!("text:{}", label.pop)]),
    };
    set.args(["--trace", &trace, "set", "--ssid", ssid])
        .args(["--passphrase", &format!("text:{passphrase}")])
        .args(["--poll", "500ms"]);
    let (command, _) = timed(&mut set)?;
    Ok(Turn {
        command,
        connected: connected(&trace)?,
    })
}

/// From the beginning of a trace to the outcome in it.
fn connected(trace: &str) -> Result<Duration, String> {
    let text = fs::read_to_string(trace).map_err(|error| format!("no trace: {error}"))?;
    let events: Vec<Value> = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let outcome = events.iter().find(|event| event["kind"] == "outcome");
    let us = outcome.and_then(|event| event["lab_us"].as_u64());
    us.map(Duration::from_micros)
        .ok_or_else(|| "the trace has no outcome".to_owned())
}

/// Runs `command` to its end, which has to be a success, and takes its time.
fn timed(command: &mut Command) -> Result<(Duration, Output), String> {
    let began = Instant::now();
    let ended = command.stdin(Stdio::null()).output();
    let took = began.elapsed();
    let ended = ended.map_err(|error| format!("failed to start it: {error}"))?;
    if ended.status.success() {
        return Ok((took, ended));
    }
    let said = [&ended.stdout[..], &ended.stderr].concat();
    Err(format!(
        "{}: {}",
        ended.status,
        String::from_utf8_lossy(&said)
    ))
}
