//! Which cases a run takes, whose verdicts count, and who reads its output.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod sandbox;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

/// Three cases that pass, and two that fail.
fn folder() -> tempfile::TempDir {
    let folder = sandbox::folder();
    let scenarios = folder.path().join("scenarios");
    fs::create_dir(&scenarios).unwrap();
    let scenario = |name: &str, values: &str, expect: &str| {
        format!(
            "name: {name}\nmatrix: {{ text: [{values}] }}\nworld: {{ devices: {{ device: {{ on_network: true }} }} }}\n\
             steps:\n  - power: on\n  - expect: {{ {expect} }}\n"
        )
    };
    let line = "{ log: { text: \"never ${text}\" } }";
    let good = scenario("Good", "a, b, c", &format!("never: [{line}], for: 1s"));
    let bad = scenario(
        "Bad",
        "d, e",
        "log: { text: \"never ${text}\" }, within: 1s",
    );
    fs::write(scenarios.join("good.yaml"), good).unwrap();
    fs::write(scenarios.join("bad.yaml"), bad).unwrap();
    folder
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    sandbox::command(env!("CARGO_BIN_EXE_proving"), folder)
        .args(["run", "--seed", "1", "--out", "out"])
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

/// The cases that a run came to.
fn cases(output: &Output) -> BTreeSet<String> {
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let cases = lines.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).unwrap();
        let is_case = message["type"] == "case_finished";
        is_case.then(|| message["result"]["case"].as_str().unwrap().to_owned())
    });
    cases.collect()
}

#[test]
fn shards_run_every_case_once_between_them() {
    let folder = folder();
    let mut all = BTreeSet::new();
    let mut count = 0;
    for shard in ["1/2", "2/2"] {
        let output = run(folder.path(), &["--shard", shard, "--reporter", "json"]);
        let cases = cases(&output);
        count += cases.len();
        all.extend(cases);
    }
    assert_eq!((all.len(), count), (5, 5), "{all:?}");
}

#[test]
fn the_last_failed_run_again_and_nothing_else() {
    let folder = folder();
    let output = run(folder.path(), &["--last-failed"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    run(folder.path(), &[]);
    let output = run(folder.path(), &["--last-failed", "--reporter", "json"]);
    let names: Vec<String> = cases(&output).into_iter().collect();
    assert_eq!(names, ["Bad[text=d]", "Bad[text=e]"]);
}

#[test]
fn a_quarantine_that_has_ended_counts_no_more() {
    let folder = folder();
    let file = |until: &str| {
        format!(
            "[[quarantine]]\ncases = \"name(Bad)\"\nowner = \"radio team\"\nreason = \"loses beacons\"\nuntil = \"{until}\"\n"
        )
    };
    let path = folder.path().join("quarantine.toml");
    fs::write(&path, file("9999-12-31")).unwrap();
    let output = run(folder.path(), &["--quarantine", "quarantine.toml"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let told = text(&output);
    assert!(told.contains("2 failed"), "{told}");
    assert!(
        told.contains("Bad[text=d]: in quarantine until 9999-12-31: loses beacons (radio team)"),
        "{told}"
    );
    fs::write(&path, file("2020-01-01")).unwrap();
    let output = run(folder.path(), &["--quarantine", "quarantine.toml"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("its quarantine ended on 2020-01-01"));
    fs::write(&path, file("soon")).unwrap();
    let output = run(folder.path(), &["--quarantine", "quarantine.toml"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
}

#[test]
fn github_gets_annotations_at_the_scenario_s_line_and_the_diagnosis_first() {
    let folder = folder();
    let summary = folder.path().join("summary.md");
    let output = sandbox::command(env!("CARGO_BIN_EXE_proving"), folder.path())
        .args(["run", "--seed", "1", "--out", "out", "--reporter", "github"])
        .env("GITHUB_STEP_SUMMARY", &summary)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let first = told.lines().next().unwrap();
    let token = first.strip_prefix("::stop-commands::").expect(first);
    // Nothing that is logged is a command until the stretch ends.
    let (_, commands) = told.split_once(&format!("\n::{token}::\n")).unwrap();
    let errors: Vec<&str> = commands.lines().collect();
    assert_eq!(errors.len(), 2, "{commands}");
    assert!(
        errors[0]
            .starts_with("::error file=scenarios/bad.yaml,line=6,col=5,title=failed Bad[text=d]::"),
        "{commands}"
    );
    let summary = fs::read_to_string(summary).unwrap();
    assert!(
        summary.starts_with("## Proving: 3 passed, 2 failed"),
        "{summary}"
    );
    let (heading, quoted) = (
        summary.find("### failed").unwrap(),
        summary.find("\n> ").unwrap(),
    );
    assert!(
        heading < quoted && quoted < summary.find("```text").unwrap(),
        "{summary}"
    );
}

#[test]
fn junit_on_standard_output_is_a_whole_report() {
    let folder = folder();
    let output = run(folder.path(), &["--reporter", "junit"]);
    let xml = String::from_utf8(output.stdout).unwrap();
    assert!(xml.starts_with("<?xml"), "{xml}");
    assert_eq!(xml.matches("<testcase ").count(), 5, "{xml}");
    assert_eq!(
        xml.matches("file=\"scenarios/bad.yaml\"").count(),
        2,
        "{xml}"
    );
}
