//! JUnit, for CI services.
//!
//! A suite per scenario file, a test case per case. A failed case is a `failure`, a broken one an
//! `error`, a skipped one is `skipped`; a flaky one passes with a `flakyFailure` for each attempt
//! that failed, and further failures of a failed one are `rerunFailure`s. Services show both kinds as
//! passed or failed and no more, so the count of flaky cases stands in the summary's properties, too; the
//! exit status counts them. One in quarantine that does not pass is `skipped` with what became of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestRerun, TestSuite};
use trace::Verdict;

use crate::failure::attempt_block;
use crate::{AttemptResult, CaseResult, Paint, RunSummary, failure_block};

/// `text` as XML 1.0 can hold it. Sequences that set colours are left out; any other character that
/// XML forbids or that its readers change, such as a control character, is written as in Rust
/// (`\u{fffe}`).
pub fn text(text: &str) -> String {
    let mut allowed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = match colour_sequence(rest) {
            Some(behind) => behind,
            None => {
                match c {
                    '\n' => allowed.push(c),
                    '\u{fffe}' | '\u{ffff}' => allowed.extend(c.escape_unicode()),
                    c if c.is_control() => allowed.extend(c.escape_default()),
                    c => allowed.push(c),
                }
                &rest[c.len_utf8()..]
            }
        };
    }
    allowed
}

/// What stands behind the colour sequence (`ESC [ 1;31 m`) with which `text` starts.
fn colour_sequence(text: &str) -> Option<&str> {
    let parameters = text.strip_prefix("\x1b[")?;
    let parameter = |c: char| c.is_ascii_digit() || c == ';';
    parameters.trim_start_matches(parameter).strip_prefix('m')
}

/// The run as JUnit's XML. The error is one of a text that XML cannot hold, which quick-junit
/// prevents.
pub fn to_xml(summary: &RunSummary) -> Result<String, quick_junit::SerializeError> {
    let mut report = Report::new("proving");
    report.set_time(Duration::from_millis(summary.wall_ms));
    let mut suites: BTreeMap<&Path, TestSuite> = BTreeMap::new();
    for case in &summary.cases {
        suites
            .entry(&case.scenario)
            .or_insert_with(|| suite(&case.scenario, summary))
            .add_test_case(test_case(case, summary));
    }
    report.add_test_suites(suites.into_values());
    report.to_string()
}

fn suite(scenario: &Path, summary: &RunSummary) -> TestSuite {
    let mut suite = TestSuite::new(text(&scenario.to_string_lossy()));
    if let Some(setup) = summary.setups.first() {
        suite.add_property(("tool", text(&setup.tool).as_str()));
        suite.add_property(("host", text(&setup.host).as_str()));
    }
    suite
}

/// What ran on the case's board.
fn firmware_properties(test: &mut TestCase, case: &CaseResult, summary: &RunSummary) {
    let mut add = |name: &str, value: &str| {
        test.add_property((name, text(value).as_str()));
    };
    let mut setups = summary.setups.iter();
    if let Some(setup) = setups.find(|setup| setup.board.name == case.board) {
        if let Some(reached_by) = &setup.board.reached_by {
            add(&setup.board.kind, reached_by);
        }
        for firmware in &setup.board.firmware {
            add("firmware", &crate::setup::firmware_text(firmware));
        }
    }
    let booted = case.telling_attempt().into_iter().flat_map(|a| &a.booted);
    for booted in booted {
        add("firmware booted", &crate::setup::booted_text(booted));
    }
}

fn test_case(case: &CaseResult, summary: &RunSummary) -> TestCase {
    let mut test = TestCase::new(text(&case.case), status(case, summary));
    test.extra
        .insert("file".into(), text(&case.scenario.to_string_lossy()).into());
    let class = case.scenario.with_extension("");
    test.set_classname(text(&class.to_string_lossy()));
    test.set_time(Duration::from_millis(case.wall_ms()));
    test.add_property(("board", text(&case.board).as_str()));
    if let Some(attempt) = case.telling_attempt() {
        test.add_property(("seed", attempt.seed.to_string().as_str()));
        let trace = text(&attempt.trace().to_string_lossy());
        test.add_property(("trace", trace.as_str()));
    }
    if case.attempts.len() > 1 {
        for attempt in &case.attempts {
            let name = format!("trace of attempt {}", attempt.attempt);
            let trace = text(&attempt.trace().to_string_lossy());
            test.add_property((name.as_str(), trace.as_str()));
        }
    }
    if let Some(quarantine) = summary.quarantined.get(&case.case) {
        test.add_property(("quarantine", text(&quarantine.told()).as_str()));
    }
    firmware_properties(&mut test, case, summary);
    test
}

fn status(case: &CaseResult, summary: &RunSummary) -> TestCaseStatus {
    let is_quarantined = !summary.counts_for_exit(case);
    match case.verdict {
        Verdict::Failed | Verdict::Broken | Verdict::Flaky if is_quarantined => {
            let mut status = TestCaseStatus::skipped();
            let word = crate::result::verdict_word(case.verdict);
            let told = summary.quarantined.get(&case.case);
            let told = told.map_or_else(String::new, crate::Quarantine::told);
            status.set_message(text(&format!("{word}, {told}")));
            status.set_description(text(&failure_block(case, Paint::new(false))));
            status
        }
        Verdict::Passed => TestCaseStatus::success(),
        Verdict::Skipped => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(text(case.skipped.as_deref().unwrap_or_default()));
            status
        }
        Verdict::Failed => trouble(case, NonSuccessKind::Failure),
        Verdict::Broken => trouble(case, NonSuccessKind::Error),
        Verdict::Flaky => {
            let mut status = TestCaseStatus::success();
            for attempt in &case.attempts {
                if attempt.verdict != Verdict::Passed {
                    status.add_rerun(rerun(case, attempt));
                }
            }
            status
        }
    }
}

fn trouble(case: &CaseResult, kind: NonSuccessKind) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(crate::result::verdict_word(case.verdict));
    let message = case
        .telling_attempt()
        .map(message)
        .or(case.skipped.as_deref());
    status.set_message(text(message.unwrap_or_default()));
    status.set_description(text(&failure_block(case, Paint::new(false))));
    let telling = case.telling_attempt().map(|attempt| attempt.attempt);
    let others = case.attempts.iter().filter(|attempt| {
        let bad = matches!(attempt.verdict, Verdict::Failed | Verdict::Broken);
        bad && Some(attempt.attempt) != telling
    });
    for attempt in others {
        status.add_rerun(rerun(case, attempt));
    }
    status
}

fn rerun(case: &CaseResult, attempt: &AttemptResult) -> TestRerun {
    let kind = match attempt.verdict {
        Verdict::Broken => NonSuccessKind::Error,
        _ => NonSuccessKind::Failure,
    };
    let mut rerun = TestRerun::new(kind);
    rerun.set_time(Duration::from_millis(attempt.wall_ms));
    rerun.set_type(crate::result::verdict_word(attempt.verdict));
    rerun.set_message(text(message(attempt)));
    rerun.set_description(text(&attempt_block(case, attempt, Paint::new(false))));
    rerun
}

fn message(attempt: &AttemptResult) -> &str {
    attempt
        .failure
        .as_ref()
        .map_or("", |failure| &failure.message)
}
