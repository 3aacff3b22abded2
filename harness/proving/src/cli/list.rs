//! `proving list` and `proving check`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use language::Case;
use report::ExitStatus;
use serde_json::json;

use super::arguments::{Check, List, MessageFormat};
use super::selection::all_cases;
use super::{CommandError, chosen_boards, print};

pub(super) fn list(arguments: &List) -> Result<ExitStatus, CommandError> {
    let cases = arguments.selection.cases()?;
    if arguments.bugs {
        return bugs(&cases, arguments.message_format);
    }
    if let Some(board) = &arguments.board {
        return on_board(board, &cases, arguments);
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

/// The cases that would run on the board called `name`, and what is missing for the others.
fn on_board(name: &str, cases: &[Case], arguments: &List) -> Result<ExitStatus, CommandError> {
    let boards = chosen_boards::of(&[name.to_owned()], &arguments.rig.path, None)?;
    let mut text = String::new();
    for board in &boards {
        let missing: Vec<Vec<String>> = cases.iter().map(|case| board.missing_for(case)).collect();
        let listed: Vec<_> = cases.iter().zip(&missing).collect();
        text += &match arguments.message_format {
            MessageFormat::Human => grouped(&board.name, &listed),
            MessageFormat::Json => listed
                .iter()
                .map(|(case, missing)| {
                    let mut line = case_object(case);
                    line["board"] = json!(board.name);
                    line["needs"] = json!(missing);
                    format!("{line}\n")
                })
                .collect(),
        };
    }
    print(&text)?;
    Ok(match cases {
        [] => ExitStatus::NothingSelected,
        _ => ExitStatus::Passed,
    })
}

/// What would run, and behind that what the others need, the most frequent first.
fn grouped(board: &str, listed: &[(&Case, &Vec<String>)]) -> String {
    let (run, rest): (Vec<_>, Vec<_>) = listed.iter().partition(|(_, missing)| missing.is_empty());
    let (all, run_count) = (listed.len(), run.len());
    let mut text = format!("{run_count} of {all} cases would run on {board}:\n");
    for (case, _) in run {
        text += "  ";
        text += &human(case);
    }
    if rest.is_empty() {
        return text;
    }
    let mut reasons: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (_, missing) in &rest {
        for reason in *missing {
            let (all, alone) = reasons.entry(reason).or_default();
            *all += 1;
            *alone += usize::from(missing.len() == 1);
        }
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(reason, (all, _))| (Reverse(*all), *reason));
    let rest = rest.len();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{rest} would not; so many of them need, and so many nothing else:"
    );
    for (reason, (all, alone)) in reasons {
        let _ = writeln!(text, "  {all:>4} {alone:>4}  {reason}");
    }
    text
}

/// Every bug, also those that no case claims.
fn bugs(cases: &[Case], format: MessageFormat) -> Result<ExitStatus, CommandError> {
    let mut text = String::new();
    for bug in language::bugs() {
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
    format!("{}\n", case_object(case))
}

fn case_object(case: &Case) -> serde_json::Value {
    let values: serde_json::Map<_, _> = case
        .values
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    json!({
        "type": "case",
        "case": case.id,
        "name": case.scenario.name.value,
        "scenario": case.file,
        "values": values,
        "tags": case.scenario.tags,
        "catches": case.catches(),
    })
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
