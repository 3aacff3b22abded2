//! Each bug put into the device must be caught, exactly where a scenario claims it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::command::{command, release, shown, target};

/// Puts every bug into the device, one after the other, and runs the cases that claim it.
pub fn run_all() -> Result<(), String> {
    let proving = release()?;
    let mut escaped = Vec::new();
    let bugs = claims(&proving)?;
    eprintln!(
        "==> {} bugs, each in the scenarios that claim it",
        bugs.len()
    );
    for (bug, cases) in &bugs {
        match caught(&proving, bug, cases) {
            Ok(times) => eprintln!("    caught   {bug} ({times} of {times} cases)"),
            Err(why) => {
                eprintln!("    ESCAPED  {bug}: {why}");
                escaped.push(bug.as_str());
            }
        }
    }
    println!(
        "bugs: {} passed, {} failed",
        bugs.len() - escaped.len(),
        escaped.len()
    );
    if escaped.is_empty() {
        Ok(())
    } else {
        Err(format!("not caught as claimed: {}", escaped.join(", ")))
    }
}

/// Every bug that the device has, and the cases that claim it.
pub fn claims(proving: &Path) -> Result<BTreeMap<String, BTreeSet<String>>, String> {
    let listed = messages(proving, &["list", "--bugs", "--message-format", "json"])?;
    Ok(listed
        .iter()
        .filter_map(|message| {
            let name = message["bug"].as_str()?.to_owned();
            Some((name, texts(&message["cases"]).into_iter().collect()))
        })
        .collect())
}

/// How many cases caught `bug`; all that claim it have to, at the claimed step.
fn caught(proving: &Path, bug: &str, cases: &BTreeSet<String>) -> Result<usize, String> {
    if cases.is_empty() {
        return Err("no scenario claims it".into());
    }
    let out = target().join("bugs");
    let filter = format!("catches({bug})");
    let arguments = [
        "run",
        "--bug",
        bug,
        "-E",
        &filter,
        "--message-format",
        "json",
        "--out",
        &out.to_string_lossy(),
    ];
    let mut seen = BTreeSet::new();
    for message in messages(proving, &arguments)? {
        if message["type"] != "attempt_finished" {
            continue;
        }
        let result = &message["result"];
        let case = result["case"].as_str().unwrap_or_default();
        if result["verdict"] != "failed" {
            return Err(format!("{case} ended {}", result["verdict"]));
        }
        let failure = &result["failure"];
        if !texts(&failure["catches"]).contains(&bug.to_owned()) {
            return Err(format!(
                "{case} failed elsewhere: {}: {}",
                failure["label"], failure["message"]
            ));
        }
        seen.insert(case.to_owned());
    }
    if seen == *cases {
        Ok(seen.len())
    } else {
        Err(format!("{} of {} cases were run", seen.len(), cases.len()))
    }
}

/// What `proving` says, line by line. Its exit code is part of that: bugs make runs fail.
fn messages(proving: &Path, arguments: &[&str]) -> Result<Vec<Value>, String> {
    let mut command = command(proving);
    command.args(arguments);
    let output = command
        .output()
        .map_err(|error| format!("failed to start {}: {error}", proving.display()))?;
    let parsed: Result<Vec<Value>, _> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(serde_json::from_slice)
        .collect();
    match parsed {
        Ok(messages) if !messages.is_empty() => Ok(messages),
        _ => Err(format!(
            "{}: {}\n{}",
            shown(&command),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}
