//! A qualification in words.

use std::path::Path;

use ::evidence::compare::{Change, Comparison};
use ::evidence::{printable, rate};
use ::trace::Verdict;

use super::record::{CaseRate, Record};
use super::{percent, percent_down, percent_up, several};

/// Lines of a log, or cases of a kind, that are told one by one.
const SHOWN: usize = 10;

/// What `proving qualify` prints before the evidence is written.
pub(super) fn judged(record: &Record) -> String {
    let mut lines = vec![String::new(), verdict(record)];
    lines.extend(numbers(record));
    if let Some(comparison) = &record.comparison {
        lines.extend(differences(comparison, &record.changed_sources));
    }
    lines.join("\n") + "\n"
}

/// What `proving qualify` prints in the end.
pub(super) fn kept(record: &Record, out: &Path, files: usize) -> String {
    let out = out.display();
    let signed = match &record.signed_by {
        Some(key) => format!("signed by {key}"),
        None => "unsigned: whoever changes a file can change the manifest, too".to_owned(),
    };
    format!(
        "evidence        {out}: {files} files, {signed}\n\
         verify it       proving evidence verify {out}\n"
    )
}

/// One line: qualified or not, and why not.
pub(super) fn verdict(record: &Record) -> String {
    let release = record.release.as_deref().unwrap_or_default();
    let release = match release {
        "" => String::new(),
        release => format!("{release}: "),
    };
    match record.qualified {
        true => format!("{release}QUALIFIED"),
        false => format!("{release}NOT QUALIFIED: {}", record.reasons.join("; ")),
    }
}

/// What the attempts say of failure rates.
pub(super) fn numbers(record: &Record) -> Vec<String> {
    let (attempts, plan) = (&record.attempts, &record.plan);
    let mut lines = vec![format!(
        "attempts        {}, {} times each: {} passed, {} failed, {} broken; {} skipped",
        cases(plan.cases),
        plan.repeats,
        attempts.passed,
        attempts.failed,
        attempts.broken,
        cases(attempts.skipped_cases as usize)
    )];
    let never_failed = record.cases.iter().filter(|case| case.failed == 0);
    // Of cases that broke at times, fewer attempts say less.
    let judged = never_failed.map(|case| case.of).filter(|of| *of > 0);
    if let Some(least) = judged.min() {
        let (_, bound) = rate::bounds(0, least);
        let mut line = format!(
            "failure rate    of a case that never failed in {least}: below {} % (95 % confidence)",
            percent_up(bound)
        );
        for wanted in [0.05, 0.01] {
            if bound > wanted {
                let needed = rate::attempts_for(wanted);
                line += &format!("; {needed} times would say below {} %", percent(wanted));
                break;
            }
        }
        lines.push(line);
    }
    let failing = record.cases.iter().filter(|case| case.failed > 0);
    lines.extend(cut(failing.map(failing_case).collect()));
    lines
}

fn failing_case(case: &CaseRate) -> String {
    let what = match case.verdict {
        Verdict::Failed => "failed",
        _ => "failed at times",
    };
    format!(
        "{what:<16}{}: {} of {}, a rate of {} to {} % (95 % confidence)",
        case.case,
        case.failed,
        case.of,
        percent_down(case.rate_from_ppm as f64 / 1e6),
        percent_up(case.rate_to_ppm as f64 / 1e6),
    )
}

/// What is otherwise than in the earlier evidence, whose names and lines may be a stranger's.
pub(super) fn differences(comparison: &Comparison, changed_sources: &[String]) -> Vec<String> {
    let mut lines = vec![format!(
        "compared        {} judged both times",
        cases(comparison.compared)
    )];
    for (what, changes) in [
        ("newly failing", &comparison.newly_failing),
        ("flakier", &comparison.flakier),
        ("steadier", &comparison.steadier),
        ("fixed", &comparison.fixed),
    ] {
        lines.extend(cut(changes
            .iter()
            .map(|change| changed(what, change))
            .collect()));
    }
    let slower = comparison.slower.iter().map(|slower| {
        format!(
            "slower          {}: {} ms of lab time, before {} ms",
            slower.case, slower.now_ms, slower.before_ms
        )
    });
    lines.extend(cut(slower.collect()));
    let lost = comparison.no_longer_judged.iter();
    lines.extend(cut(lost
        .map(|(case, why)| format!("not judged      {case}: {why}"))
        .collect()));
    for (what, names) in [("gone", &comparison.gone), ("new", &comparison.new)] {
        lines.extend(cut(names
            .iter()
            .map(|case| format!("{what:<16}{case}"))
            .collect()));
    }
    let sources = changed_sources.iter();
    lines.extend(cut(sources
        .map(|file| format!("other scenario  {file}: what it asks for has changed, too"))
        .collect()));
    for logs in comparison.logs.iter().take(SHOWN) {
        lines.push(format!("other log       {}", logs.case));
        let gone = logs
            .gone
            .iter()
            .map(|line| format!("              - {line}"));
        lines.extend(cut(gone.collect()));
        let new = logs
            .new
            .iter()
            .map(|line| format!("              + {line}"));
        lines.extend(cut(new.collect()));
    }
    if let Some(more @ 1..) = comparison.logs.len().checked_sub(SHOWN) {
        lines.push(format!("                and of {more} more cases"));
    }
    lines.iter().map(|line| printable(line)).collect()
}

fn changed(what: &str, change: &Change) -> String {
    let chance = match change.beyond_chance {
        true => "",
        false => ", which may be chance",
    };
    format!(
        "{what:<16}{}: failed {} of {}, before {} of {}{chance}",
        change.case, change.now.failed, change.now.of, change.before.failed, change.before.of
    )
}

fn cases(count: usize) -> String {
    several(count, "case", "cases")
}

/// The first of many lines.
fn cut(mut lines: Vec<String>) -> Vec<String> {
    if let Some(more @ 1..) = lines.len().checked_sub(SHOWN) {
        lines.truncate(SHOWN);
        lines.push(format!(
            "                and {more} more; qualification.json has all"
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stranger_calls_a_case_is_not_acted_upon_by_the_terminal() {
        let comparison = Comparison {
            gone: vec!["a\u{1b}[2J".to_owned()],
            ..Comparison::default()
        };
        let lines = differences(&comparison, &[]);
        assert_eq!(lines[1], "gone            a\\u{1b}[2J");
    }
}
