//! What came of the mutants, by module, and those that nothing noticed.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

use serde::Deserialize;

use super::mutant::Mutant;
use super::results::{Outcome, Results};
use crate::command::root;

/// Where the reasons stand for mutants that change nothing anybody could see.
const REASONS: &str = "xtask/src/mutants/reasons.toml";

/// The file of reasons.
#[derive(Deserialize)]
struct Reasons {
    #[serde(default)]
    mutant: Vec<Reason>,
}

/// Why a mutant that survives is none to worry about.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    id: String,
    /// A sentence that proves it.
    because: String,
}

/// The table of those that are meant, as Markdown.
pub fn table(mutants: &[&Mutant], results: &Results) -> Result<String, String> {
    let text = fs::read_to_string(root().join(REASONS))
        .map_err(|error| format!("failed to read {REASONS}: {error}"))?;
    let reasons: Reasons =
        toml::from_str(&text).map_err(|error| format!("failed to read {REASONS}: {error}"))?;
    let reasons: BTreeMap<&str, &str> = reasons
        .mutant
        .iter()
        .map(|reason| (&*reason.id, &*reason.because))
        .collect();
    Ok(written(mutants, results, &reasons))
}

/// Numbers of one module.
#[derive(Default)]
struct Row {
    viable: u32,
    killed: u32,
    excused: u32,
    others: u32,
}

fn written(mutants: &[&Mutant], results: &Results, reasons: &BTreeMap<&str, &str>) -> String {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    let mut survivors = String::new();
    let (mut seconds, mut tried) = (0.0, 0_u32);
    for mutant in mutants {
        let Some(record) = results.record(&mutant.id) else {
            continue;
        };
        tried += 1;
        seconds += record.build_s + record.judge_s;
        for row in [mutant.module(), "all"] {
            let row = rows.entry(row.to_owned()).or_default();
            let excused = reasons.contains_key(&*mutant.id);
            match record.outcome {
                Outcome::Killed => (row.viable, row.killed) = (row.viable + 1, row.killed + 1),
                Outcome::Survived if excused => row.excused += 1,
                Outcome::Survived => row.viable += 1,
                Outcome::Broken | Outcome::Unbuildable | Outcome::TimedOut => row.others += 1,
            }
        }
        if record.outcome == Outcome::Survived {
            let because = reasons
                .get(&*mutant.id)
                .map(|because| format!(" ({because})"));
            // Writing to a text cannot fail.
            let _ = writeln!(survivors, "- {mutant}{}", because.unwrap_or_default());
        }
    }
    let mut table = String::from(
        "| module | viable | killed | % | equivalent | no verdict |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for (module, row) in &rows {
        let Row {
            viable,
            killed,
            excused,
            others,
        } = row;
        let percent = 100 * killed / (*viable).max(1);
        let _ = writeln!(
            table,
            "| {module} | {viable} | {killed} | {percent} | {excused} | {others} |"
        );
    }
    let each = seconds / tried.max(1) as f32;
    let _ = writeln!(
        table,
        "\n{tried} of {} mutants were tried, {each:.0} s each.\n",
        mutants.len()
    );
    if !survivors.is_empty() {
        let _ = write!(table, "Survivors:\n\n{survivors}");
    }
    table
}
