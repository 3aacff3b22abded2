//! Field failures come back on the virtual board, and attempts travel in bundles.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod sandbox;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde::Deserialize;
use serde_json::Value;

/// Stages that no world brings about: what happens before the firmware runs, or by its own mistake.
const OUT_OF_REACH: [&str; 3] = ["none", "power", "storage"];
/// Logs that are brought back, and how many of them must be.
const TRIED: usize = 30;
const BACK: usize = 25;

#[derive(Deserialize)]
struct Expected {
    stage: String,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../diagnose/fixtures/field")
}

fn proving(folder: &Path, arguments: &[&str]) -> Output {
    sandbox::command(env!("CARGO_BIN_EXE_proving"), folder)
        .args(arguments)
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[test]
fn field_logs_come_back_with_the_same_stage() {
    let folder = sandbox::folder();
    let expected = fs::read_to_string(fixtures().join("expected.toml")).unwrap();
    let expected: BTreeMap<String, Expected> = toml::from_str(&expected).unwrap();
    let logs: Vec<(&String, &Expected)> = expected
        .iter()
        .filter(|(_, expected)| !OUT_OF_REACH.contains(&expected.stage.as_str()))
        .collect();
    // Spread over the folder, in which logs of one kind stand side by side.
    let step = logs.len() as f64 / TRIED as f64;
    let (mut back, mut lost) = (0, String::new());
    for number in 0..TRIED {
        let (name, expected) = logs[(number as f64 * step) as usize];
        let log = fixtures().join(format!("{name}.log"));
        let arguments = ["reproduce", "--most", "3", "--message-format", "json"];
        let output = sandbox::command(env!("CARGO_BIN_EXE_proving"), folder.path())
            .args(arguments)
            .arg(log)
            .output()
            .unwrap();
        let told: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{name}: {}", text(&output)));
        let nearest = &told["tried"][0];
        let stage = nearest["causes"][0]["stage"].as_str();
        // A log that ends well again has no open cause; what was over counts then.
        if nearest["same_stage"] == true && stage.is_none_or(|stage| stage == expected.stage) {
            back += 1;
        } else {
            let _ = writeln!(lost, "{name}: {} expected, {stage:?}", expected.stage);
        }
    }
    println!("{back} of {TRIED} came back\n{lost}");
    assert!(back >= BACK, "{back} of {TRIED} came back:\n{lost}");
}

#[test]
fn a_reproduction_is_a_scenario_that_fails_and_says_what_it_is_made_from() {
    let folder = sandbox::folder();
    let log = fixtures().join("idf-tls-expired.log");
    let output = proving(
        folder.path(),
        &["reproduce", log.to_str().unwrap(), "--out", "lamp.yaml"],
    );
    assert!(output.status.success(), "{}", text(&output));
    let told = text(&output);
    assert!(told.contains("same stage and cause"), "{told}");
    let scenario = fs::read_to_string(folder.path().join("lamp.yaml")).unwrap();
    assert!(
        scenario.contains("certificate: server-expired"),
        "{scenario}"
    );
    let output = proving(folder.path(), &["run", "lamp.yaml", "--seed", "1"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let told = text(&output);
    assert!(
        told.contains("tls: the server's certificate has expired"),
        "{told}"
    );
}

#[test]
fn a_log_that_tells_nothing_is_not_reproduced() {
    let folder = sandbox::folder();
    fs::write(folder.path().join("empty.log"), "hello\n").unwrap();
    let output = proving(folder.path(), &["reproduce", "empty.log"]);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output));
    assert!(text(&output).contains("no cause"), "{}", text(&output));
}

/// Runs a scenario that fails, and returns its attempt's folder.
fn failed_attempt(folder: &Path) -> PathBuf {
    let scenario = "name: Lamp\nworld:\n  cloud: { broker: { certificate: server-expired } }\n  \
                    devices: { device: { on_network: true, telemetry: { topic: t, payload: x, qos: 1 } } }\n\
                    steps:\n  - power: on\n  - expect: { mqtt: session_opened, within: 30s }\n";
    fs::write(folder.join("lamp.yaml"), scenario).unwrap();
    let output = proving(folder, &["run", "lamp.yaml", "--seed", "1", "--out", "out"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let run = fs::read_dir(folder.join("out")).unwrap().next().unwrap();
    run.unwrap().path().join("Lamp/1")
}

#[test]
fn a_bundle_is_diagnosed_reproduced_and_replayed_elsewhere() {
    let here = sandbox::folder();
    let attempt = failed_attempt(here.path());
    let bundle = here.path().join("lamp.tar.gz");
    let output = proving(
        here.path(),
        &["bundle", attempt.to_str().unwrap(), "--out", "lamp.tar.gz"],
    );
    assert!(output.status.success(), "{}", text(&output));

    let elsewhere = sandbox::folder();
    let bundle = bundle.to_str().unwrap();
    let output = proving(elsewhere.path(), &["diagnose", bundle]);
    assert!(text(&output).contains("expired"), "{}", text(&output));
    let output = proving(elsewhere.path(), &["reproduce", bundle]);
    assert!(output.status.success(), "{}", text(&output));
    let output = proving(elsewhere.path(), &["bundle", "--unpack", "lamp", bundle]);
    assert!(output.status.success(), "{}", text(&output));
    let scenario = "lamp/1-Lamp/scenario/lamp.yaml";
    assert!(text(&output).contains(scenario), "{}", text(&output));
    let output = proving(elsewhere.path(), &["run", scenario, "--seed", "1"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    // What is there already is not written over.
    let output = proving(elsewhere.path(), &["bundle", "--unpack", "lamp", bundle]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
}

#[test]
fn no_bundle_is_written_while_it_would_hold_secrets() {
    let folder = sandbox::folder();
    let log =
        "I (9910) app: Received Wi-Fi credentials\n\tSSID     : shed\n\tPassword : kaffeekanne\n";
    fs::write(folder.path().join("device.log"), log).unwrap();
    let output = proving(
        folder.path(),
        &["bundle", "device.log", "--out", "b.tar.gz"],
    );
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let told = text(&output);
    assert!(told.contains("device.log:3: Password"), "{told}");
    assert!(!told.contains("kaffeekanne"), "{told}");
    assert!(!folder.path().join("b.tar.gz").exists());
    let output = proving(
        folder.path(),
        &["bundle", "device.log", "--redact", "--out", "b.tar.gz"],
    );
    assert!(output.status.success(), "{}", text(&output));
    let output = proving(folder.path(), &["bundle", "--unpack", "b", "b.tar.gz"]);
    assert!(output.status.success(), "{}", text(&output));
    let unpacked = fs::read_to_string(folder.path().join("b/1-device.log")).unwrap();
    assert!(unpacked.contains("Password : <removed>"), "{unpacked}");
}
