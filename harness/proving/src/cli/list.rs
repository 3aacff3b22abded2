//! `proving list` and `proving check`.

use std::collections::BTreeSet;
use std::fmt::Write;

use report::ExitStatus;
use serde_json::json;

use super::arguments::{Check, List, MessageFormat};
use super::selection::all_cases;
use super::{CommandError, print};
use engine::language::Case;

pub(super) fn list(arguments: &List) -> Result<ExitStatus, CommandError> {
    let cases = arguments.selection.cases()?;
    if arguments.bugs {
        return bugs(&cases, arguments.message_format);
    }
    let line = match arguments.message_format {
        MessageFormat::Human => human,
        MessageFormat::Json => json,
    };
    print(&cases.iter().map(line).collect::<String>())?;
    Ok(match cases[..] {
        [] => ExitStatus::NothingSelected,
        _ => ExitStatus::Passed,
    })
}

/// Every bug, also those that no case claims.
fn bugs(cases: &[Case], format: MessageFormat) -> Result<ExitStatus, CommandError> {
    let mut text = String::new();
    for bug in engine::bugs() {
        let claiming: Vec<&str> = cases
            .iter()
            .filter(|case| case.catches().contains(&bug.as_str()))
            .map(|case| case.id.as_str())
            .collect();
        // Writing to a String cannot fail.
        let _ = match format {
            MessageFormat::Human => writeln!(text, "{bug}: claimed by {}", claiming.len()),
            MessageFormat::Json => {
                writeln!(
                    text,
                    "{}",
                    json!({ "type": "bug", "bug": bug, "cases": claiming })
                )
            }
        };
    }
    print(&text)
}

fn human(case: &Case) -> String {
    let mut line = case.id.clone();
    for tag in &case.scenario.tags {
        // Writing to a String cannot fail.
        let _ = write!(line, " #{tag}");
    }
    line.push('\n');
    line
}

fn json(case: &Case) -> String {
    let values: serde_json::Map<_, _> = case
        .values
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    let mut line = json!({
        "type": "case",
        "case": case.id,
        "name": case.scenario.name.value,
        "scenario": case.file,
        "values": values,
        "tags": case.scenario.tags,
        "catches": case.catches(),
    })
    .to_string();
    line.push('\n');
    line
}

pub(super) fn check(arguments: &Check) -> Result<ExitStatus, CommandError> {
    let cases = all_cases(&arguments.paths)?;
    let files: BTreeSet<_> = cases.iter().map(|case| &case.file).collect();
    let count = |number: usize, what: &str| {
        let plural = if number == 1 { "" } else { "s" };
        format!("{number} {what}{plural}")
    };
    let scenarios = count(files.len(), "scenario");
    let cases = count(cases.len(), "case");
    print(&format!("{scenarios} with {cases}: no mistakes\n"))
}
