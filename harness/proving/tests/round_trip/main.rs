//! Every fault that the lab can inject is named from the device's own log alone, or is listed as not
//! tellable, with why: injected, run on the native board, and diagnosed.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

#[path = "../sandbox/mod.rs"]
mod sandbox;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use diagnose::{Certainty, Diagnosis, Log};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    fault: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    fault: String,
    case: String,
    /// The event of the fault, until whose end the log counts; the whole log if none.
    during: Option<String>,
    stage: Option<String>,
    #[serde(default)]
    cause: Vec<String>,
    untellable: Option<String>,
}

/// Faults of a hundred that must be named, of those that a log can tell.
const NAMED: usize = 95;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn table() -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/round_trip/faults.toml");
    let table: Table = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    table.fault
}

#[test]
fn every_fault_is_named_from_the_device_s_log_alone_or_listed_with_why_not() {
    let rows = table();
    let traces = run(&rows);
    let (mut told, mut named, mut confident, mut report) = (0, 0, 0, String::new());
    for row in &rows {
        let diagnosis = diagnose(&traces[&row.case], row.during.as_deref());
        let first = diagnosis.causes.first();
        let is_sure = first.is_some_and(|cause| cause.certainty > Certainty::Possible);
        if let Some(why) = &row.untellable {
            assert!(why.len() > 20, "{}: {why}", row.fault);
            if is_sure {
                confident += 1;
                let _ = writeln!(report, "{}: not tellable, but {first:?}", row.fault);
            }
            continue;
        }
        told += 1;
        if is_named(row, &diagnosis) {
            named += 1;
            continue;
        }
        confident += usize::from(is_sure);
        let said = first.map(|cause| (cause.stage.name(), cause.id.as_str(), cause.certainty));
        let _ = writeln!(
            report,
            "{}: {:?} {:?} expected, {said:?} said",
            row.fault, row.stage, row.cause
        );
    }
    println!("{named} of {told} named, {confident} wrong with confidence\n{report}");
    assert_eq!(confident, 0, "wrong with confidence:\n{report}");
    assert!(
        named * 100 >= told * NAMED,
        "{named} of {told} named:\n{report}"
    );
}

#[test]
fn every_fault_of_the_language_is_in_the_table() {
    let told: BTreeSet<String> = table()
        .iter()
        .map(|row| row.fault.split(':').next().unwrap().to_owned())
        .collect();
    let schema = language::schema();
    let mut missing = Vec::new();
    for name in names_of_faults(&schema) {
        if !told.contains(&name) {
            missing.push(name);
        }
    }
    assert_eq!(missing, [""; 0]);
}

/// The names of faults by the scenario language's schema.
fn names_of_faults(schema: &Value) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let fault = &schema["$defs"]["Fault"];
    for variant in fault["anyOf"].as_array().into_iter().flatten() {
        let plain = variant["enum"].as_array().into_iter().flatten();
        names.extend(plain.filter_map(Value::as_str).map(str::to_owned));
        names.extend(variant["const"].as_str().map(str::to_owned));
        let keyed = variant["properties"].as_object();
        names.extend(keyed.into_iter().flat_map(|map| map.keys().cloned()));
    }
    assert!(names.len() > 15, "{names:?}");
    names
}

/// Runs the cases of the table, and returns each one's trace.
fn run(rows: &[Row]) -> BTreeMap<String, PathBuf> {
    let folder = sandbox::folder();
    let wanted: BTreeSet<&str> = rows.iter().map(|row| row.case.as_str()).collect();
    let filter: Vec<String> = wanted
        .iter()
        .map(|case| format!("name(={})", case.replace('\\', "\\\\").replace(')', "\\)")))
        .collect();
    let output = sandbox::command(env!("CARGO_BIN_EXE_proving"), folder.path())
        .args(["run", "--seed", "7", "--message-format", "json", "-E"])
        .arg(filter.join(" | "))
        .arg("--out")
        .arg(folder.path().join("out"))
        .arg(repository().join("scenarios"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{}\n{text}",
        String::from_utf8_lossy(&output.stderr)
    );
    let kept = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("round_trip");
    let _ = fs::remove_dir_all(&kept);
    fs::create_dir_all(&kept).unwrap();
    let mut traces = BTreeMap::new();
    for message in text.lines().map(serde_json::from_str::<Value>) {
        let result = &message.unwrap()["result"];
        let (Some(case), Some(attempt)) = (result["case"].as_str(), result["folder"].as_str())
        else {
            continue;
        };
        let trace = kept.join(format!("{}.jsonl", traces.len()));
        fs::copy(Path::new(attempt).join("trace.jsonl"), &trace).unwrap();
        traces.insert(case.to_owned(), trace);
    }
    for case in wanted {
        assert!(traces.contains_key(case), "{case} was not run");
    }
    traces
}

/// What the log of the first device tells while the fault is on.
fn diagnose(trace: &Path, during: Option<&str>) -> Diagnosis {
    let text = fs::read_to_string(trace).unwrap();
    let (mut log, mut device, mut is_on) = (Log::new("device"), None, false);
    for line in text.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let data = &event["data"];
        if event["kind"] == "fault" && during.is_some_and(|name| data["name"] == name) {
            if data["on"] == false {
                break;
            }
            is_on = true;
        }
        if event["source"] == "board" && event["kind"] == "power" && data["power"] == "on" {
            log.power_on();
        }
        if event["source"] != "log" {
            continue;
        }
        let of = event["device"].as_str().map(str::to_owned);
        if *device.get_or_insert_with(|| of.clone()) != of {
            continue;
        }
        let level = data["level"].as_str().unwrap().chars().next().unwrap();
        log.record(
            level.to_ascii_uppercase(),
            data["tag"].as_str().unwrap_or_default(),
            data["text"].as_str().unwrap(),
            data["device_ms"].as_u64(),
        );
    }
    assert!(is_on || during.is_none(), "{during:?} is never on");
    log.end()
}

/// Whether the first cause is the fault, or, in a log that ends well, a past one or a hint.
fn is_named(row: &Row, diagnosis: &Diagnosis) -> bool {
    let fits = |id: &str, stage: diagnose::Stage| {
        row.stage.as_deref() == Some(stage.name()) && row.cause.iter().any(|cause| cause == id)
    };
    match diagnosis.causes.first() {
        Some(cause) => fits(&cause.id, cause.stage),
        None => {
            let past = diagnosis
                .history
                .iter()
                .any(|past| fits(&past.id, past.stage));
            past || diagnosis
                .hints
                .iter()
                .any(|hint| fits(&hint.id, hint.stage))
        }
    }
}
