//! A qualification in words.

use std::path::Path;

use ::evidence::compare::{Change, Comparison};
use ::evidence::rate;
use ::trace::Verdict;

use super::percent;
use super::record::{CaseRate, Record};

/// Lines of a log, or cases of a kind, that are told one by one.
const SHOWN: usize = 10;

/// What `proving qualify` prints in the end.
pub(super) fn told(record: &Record, out: &Path, files: usize) -> String {
    let mut lines = vec![String::new(), verdict(record)];
    lines.extend(numbers(record));
    if let Some(comparison) = &record.comparison {
        lines.extend(differences(comparison, &record.changed_sources));
    }
    let out = out.display();
    lines.push(match &record.signed_by {
        Some(key) => format!("evidence        {out}: {files} files, signed by {key}"),
        None => format!(
            "evidence        {out}: {files} files, unsigned: whoever changes a file can change the manifest, too"
        ),
    });
    lines.push(format!("verify it       proving evidence verify {out}"));
    lines.join("\n") + "\n"
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
        several(plan.cases),
        plan.repeats,
        attempts.passed,
        attempts.failed,
        attempts.broken,
        several(attempts.skipped_cases as usize)
    )];
    let never_failed = record.cases.iter().filter(|case| case.tally.failed == 0);
    // Of cases that broke at times, fewer attempts say less.
    let judged = never_failed.map(|case| case.tally.of).filter(|of| *of > 0);
    if let Some(least) = judged.min() {
        let (_, bound) = rate::bounds(0, least);
        let mut line = format!(
            "failure rate    of a case that never failed in {least}: below {} % (95 % confidence)",
            percent(bound)
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
    let failing = record.cases.iter().filter(|case| case.tally.failed > 0);
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
        case.tally.failed,
        case.tally.of,
        percent(case.rate_from_ppm as f64 / 1e6),
        percent(case.rate_to_ppm as f64 / 1e6),
    )
}

/// What is otherwise than in the earlier evidence.
pub(super) fn differences(comparison: &Comparison, changed_sources: &[String]) -> Vec<String> {
    let mut lines = vec![format!(
        "compared        {} judged both times",
        several(comparison.compared)
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
    for (what, cases) in [("gone", &comparison.gone), ("new", &comparison.new)] {
        lines.extend(cut(cases
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
    lines
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

fn several(cases: usize) -> String {
    match cases {
        1 => "1 case".to_owned(),
        cases => format!("{cases} cases"),
    }
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
