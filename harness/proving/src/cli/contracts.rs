//! `proving contracts`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use ::trace::{ContractBroken, ContractsJudged};
use report::ExitStatus;
use serde_json::json;

use super::arguments::{ContractsArguments, MessageFormat};
use super::{CommandError, print};

/// What a run's traces say of one contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    /// Attempts in which it was exercised.
    attempts: u64,
    /// Times that it was exercised in all of them.
    exercised: u64,
    /// Times that it was broken, where no scenario excepts it.
    broken: u64,
    /// Times that it was broken where a scenario excepts it.
    excepted: u64,
}

/// Lists every contract, and how often each was exercised in a run.
pub(super) fn contracts(arguments: &ContractsArguments) -> Result<ExitStatus, CommandError> {
    let counts = match &arguments.run {
        Some(run) => Some(count(run)?),
        None => None,
    };
    let mut text = String::new();
    for contract in ::contracts::ALL.iter().copied().flatten() {
        let count = counts
            .as_ref()
            .map(|counts| counts.get(contract.id).copied().unwrap_or_default());
        // Writing to a String cannot fail.
        let _ = match arguments.message_format {
            MessageFormat::Human => human(&mut text, contract, count),
            MessageFormat::Json => json(&mut text, contract, count),
        };
    }
    print(&text)
}

fn human(
    text: &mut String,
    contract: &::contracts::Contract,
    count: Option<Count>,
) -> std::fmt::Result {
    writeln!(text, "{}", contract.id)?;
    writeln!(text, "  {}", contract.says)?;
    writeln!(text, "  source: {}", contract.source)?;
    match count {
        None => Ok(()),
        Some(Count { attempts: 0, .. }) => writeln!(text, "  never exercised in this run"),
        Some(count) => {
            write!(
                text,
                "  exercised {} times in {} attempts",
                count.exercised, count.attempts
            )?;
            if count.broken > 0 {
                write!(text, ", broken {} times", count.broken)?;
            }
            if count.excepted > 0 {
                write!(text, ", excepted {} times", count.excepted)?;
            }
            writeln!(text)
        }
    }
}

fn json(
    text: &mut String,
    contract: &::contracts::Contract,
    count: Option<Count>,
) -> std::fmt::Result {
    let mut line = json!({
        "type": "contract",
        "id": contract.id,
        "says": contract.says,
        "source": contract.source,
    });
    if let Some(count) = count {
        line["attempts"] = count.attempts.into();
        line["exercised"] = count.exercised.into();
        line["broken"] = count.broken.into();
        line["excepted"] = count.excepted.into();
    }
    writeln!(text, "{line}")
}

/// Counts over all traces of the run in `folder`.
fn count(folder: &Path) -> Result<BTreeMap<String, Count>, CommandError> {
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    let traces = traces(folder)?;
    if traces.is_empty() {
        return Err(CommandError::NoTraces(folder.to_owned()));
    }
    for trace in traces {
        for event in ::trace::read(&trace)? {
            if let Some(judged) = event.payload::<ContractsJudged>() {
                for (contract, times) in judged.exercised {
                    let count = counts.entry(contract).or_default();
                    count.attempts += 1;
                    count.exercised += times;
                }
            } else if let Some(broken) = event.payload::<ContractBroken>() {
                let count = counts.entry(broken.contract).or_default();
                match broken.excepted {
                    Some(_) => count.excepted += 1,
                    None => count.broken += 1,
                }
            }
        }
    }
    Ok(counts)
}

/// The traces of a run: `CASE/ATTEMPT/trace.jsonl` below its folder.
fn traces(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let mut found = Vec::new();
    for case in entries(folder)? {
        if !case.is_dir() {
            continue;
        }
        for attempt in entries(&case)? {
            let trace = attempt.join("trace.jsonl");
            if trace.is_file() {
                found.push(trace);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let wrap = |source| CommandError::Folder {
        path: folder.to_owned(),
        source,
    };
    let entries = fs::read_dir(folder).map_err(wrap)?;
    let paths: Result<Vec<_>, _> = entries.map(|entry| entry.map(|e| e.path())).collect();
    paths.map_err(wrap)
}
