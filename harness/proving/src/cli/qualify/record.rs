//! What stands in `qualification.json`.

use std::collections::BTreeSet;

use ::evidence::compare::{Comparison, SLOWER};
use ::evidence::rate;
use ::trace::{Setup, Verdict};
use report::{ExitStatus, RunSummary};
use serde::Serialize;

use super::arguments::Qualify;
use super::sources::Sources;
use super::{TOOL, percent, several};

/// Version of its form.
const VERSION: u32 = 1;

/// A qualification, but for its attempts, which `summary.json` has. Numbers are whole: rates are in parts of a
/// million.
#[derive(Debug, Serialize)]
pub(super) struct Record {
    version: u32,
    tool: &'static str,
    /// SHA-256 of the program that ran it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_sha256: Option<String>,
    /// What was qualified, in the words of the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) release: Option<String>,
    /// Whether there is no reason against it.
    pub(super) qualified: bool,
    /// Why not, in words.
    pub(super) reasons: Vec<String>,
    pub(super) plan: Planned,
    started_ms: u64,
    wall_ms: u64,
    /// Tool, host, board and firmware, with hashes.
    setups: Vec<Setup>,
    pub(super) attempts: Attempts,
    pub(super) cases: Vec<CaseRate>,
    /// Sources of the scenarios, as they were before the first attempt.
    pub(super) sources: Vec<Source>,
    /// Certificates that were shown in handshakes with the broker.
    pub(super) certificates_seen: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) against: Option<Origin>,
    /// Files that said something else in the earlier evidence: a case of theirs may be another one now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) changed_sources: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) comparison: Option<Comparison>,
    /// What the comparison means by slower.
    #[serde(skip_serializing_if = "Option::is_none")]
    slower_means: Option<&'static str>,
    /// Fingerprint of the key; the signature itself says more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signed_by: Option<String>,
    /// Whether anything failed, and not only broke.
    #[serde(skip)]
    is_failed: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Planned {
    /// Paths of scenarios, as given.
    scenarios: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<String>,
    boards: Vec<String>,
    pub(super) repeats: u32,
    pub(super) cases: usize,
    /// Of the first attempt at each case; each further one has the next.
    seed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    below_ppm: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bug: Option<String>,
}

/// All attempts at all cases.
#[derive(Debug, Default, Serialize)]
pub(super) struct Attempts {
    pub(super) passed: u32,
    pub(super) failed: u32,
    pub(super) broken: u32,
    /// Cases, not attempts.
    pub(super) skipped_cases: u32,
}

/// What the attempts at a case say of its failure rate.
#[derive(Debug, Serialize)]
pub(super) struct CaseRate {
    pub(super) case: String,
    pub(super) verdict: Verdict,
    /// Attempts that failed.
    pub(super) failed: u32,
    /// Those that failed or passed.
    pub(super) of: u32,
    pub(super) broken: u32,
    /// With a confidence of 95 %.
    pub(super) rate_from_ppm: u64,
    /// Likewise.
    pub(super) rate_to_ppm: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) skipped: Option<String>,
    /// Where its sources stand in the evidence, its scenario first.
    pub(super) sources: Vec<String>,
}

/// A file that was run.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Source {
    /// As the user gave it.
    pub(super) file: String,
    /// Where it stands in the evidence.
    pub(super) stored: String,
    /// Of the file; the stored one has another if a private key was taken out.
    pub(super) sha256: String,
}

/// The evidence that was compared with.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Origin {
    pub(super) tool: String,
    pub(super) run: String,
    pub(super) manifest_sha256: String,
    /// Fingerprint of the key whose signature it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signed_by: Option<String>,
}

/// What a verdict rests on besides the attempts.
#[derive(Debug, Default)]
pub(super) struct Circumstances {
    /// Whether a board was taken out before the run.
    pub(super) taken_out: bool,
    /// Cases that need not be run.
    pub(super) excused: BTreeSet<String>,
    /// Files that were changed during the run.
    pub(super) changed: Vec<String>,
}

impl Record {
    pub(super) fn of(
        arguments: &Qualify,
        summary: &RunSummary,
        comparison: Option<Comparison>,
        around: &Circumstances,
        sources: &Sources,
    ) -> Self {
        let cases = summary.cases.iter();
        let cases: Vec<CaseRate> = cases.map(|case| rate_of(case, sources)).collect();
        let mut attempts = Attempts::default();
        for case in &cases {
            attempts.failed += case.failed;
            attempts.passed += case.of - case.failed;
            attempts.broken += case.broken;
            attempts.skipped_cases += u32::from(case.verdict == Verdict::Skipped);
        }
        let mut reasons = failures(arguments, &cases);
        reasons.extend(comparison.as_ref().into_iter().flat_map(regressions));
        let is_failed = !reasons.is_empty();
        reasons.extend(gaps(arguments, &cases, comparison.as_ref(), around));
        Self {
            version: VERSION,
            tool: TOOL,
            tool_sha256: None,
            release: arguments.release.clone(),
            qualified: reasons.is_empty(),
            reasons,
            plan: planned(arguments, summary),
            started_ms: summary.started_ms,
            wall_ms: summary.wall_ms,
            setups: summary.setups.clone(),
            attempts,
            cases,
            sources: sources.records(),
            certificates_seen: Vec::new(),
            against: None,
            changed_sources: Vec::new(),
            slower_means: comparison.is_some().then_some(SLOWER),
            comparison,
            signed_by: None,
            is_failed,
        }
    }

    pub(super) fn exit_status(&self) -> ExitStatus {
        match (self.qualified, self.is_failed) {
            (true, _) => ExitStatus::Passed,
            (false, true) => ExitStatus::Failed,
            (false, false) => ExitStatus::Broken,
        }
    }
}

fn planned(arguments: &Qualify, summary: &RunSummary) -> Planned {
    let paths = arguments.selection.paths.iter();
    let mut boards: Vec<String> = Vec::new();
    for case in &summary.cases {
        if !boards.contains(&case.board) {
            boards.push(case.board.clone());
        }
    }
    Planned {
        scenarios: paths.map(|path| path.display().to_string()).collect(),
        filter: arguments.selection.filter.clone(),
        boards,
        repeats: arguments.repeats,
        cases: summary.cases.len(),
        seed: summary.seed,
        below_ppm: arguments.below.map(ppm),
        bug: arguments.bug.clone(),
    }
}

fn rate_of(case: &report::CaseResult, sources: &Sources) -> CaseRate {
    let attempts = |verdict| {
        let attempts = case.attempts.iter();
        attempts
            .filter(|attempt| attempt.verdict == verdict)
            .count() as u32
    };
    let failed = attempts(Verdict::Failed);
    let of = failed + attempts(Verdict::Passed);
    let (from, to) = rate::bounds(failed, of);
    CaseRate {
        case: case.case.clone(),
        verdict: case.verdict,
        failed,
        of,
        broken: attempts(Verdict::Broken),
        // Bounds stay such.
        rate_from_ppm: (from * 1e6 + 1e-6).floor() as u64,
        rate_to_ppm: (to * 1e6 - 1e-6).ceil() as u64,
        skipped: case.skipped.clone(),
        sources: sources.stored_of(&case.case),
    }
}

/// What speaks against the device by itself.
fn failures(arguments: &Qualify, cases: &[CaseRate]) -> Vec<String> {
    let mut reasons = Vec::new();
    for (verdict, what) in [
        (Verdict::Failed, "failed"),
        (Verdict::Flaky, "failed at times"),
    ] {
        let found = count(cases, |case| case.verdict == verdict);
        if found > 0 {
            reasons.push(format!("{} {what}", several(found, "case", "cases")));
        }
    }
    if let Some(below) = arguments.below {
        let above = count(cases, |case| case.of > 0 && !is_shown(case, below));
        reasons.extend(not_shown(above, below));
    }
    if let Some(bug) = &arguments.bug {
        reasons.push(format!("the bug {bug} is in the devices on purpose"));
    }
    reasons
}

/// What keeps the numbers from saying all that was asked for, by no fault of the device's.
fn gaps(
    arguments: &Qualify,
    cases: &[CaseRate],
    comparison: Option<&Comparison>,
    around: &Circumstances,
) -> Vec<String> {
    let mut reasons = Vec::new();
    let attempts = |case: &CaseRate| case.of + case.broken;
    let is_excused = |case: &CaseRate| attempts(case) == 0 && around.excused.contains(&case.case);
    let broken = count(cases, |case| case.verdict == Verdict::Broken);
    if broken > 0 {
        let what = several(broken, "case", "cases");
        reasons.push(format!("{what} broke, which says nothing of the device"));
    }
    let not_run = count(cases, |case| attempts(case) == 0 && !is_excused(case));
    if not_run > 0 {
        let what = several(not_run, "case was", "cases were");
        reasons.push(format!("{what} not run"));
    }
    let cut = count(cases, |case| {
        (1..arguments.repeats).contains(&attempts(case))
    });
    if cut > 0 {
        let what = several(cut, "case was", "cases were");
        reasons.push(format!("{what} not run {} times", arguments.repeats));
    }
    if let Some(below) = arguments.below {
        let unknown = count(cases, |case| case.of == 0 && !is_excused(case));
        reasons.extend(not_shown(unknown, below));
    }
    if comparison.is_some_and(|comparison| comparison.compared == 0) {
        reasons.push("no case was judged in the earlier evidence and in this one".to_owned());
    }
    if around.taken_out {
        reasons.push("a board was taken out of the run".to_owned());
    }
    let changed = around.changed.iter();
    reasons.extend(changed.map(|file| format!("{file} was changed during the run")));
    reasons
}

/// Whether the attempts at `case` show that it fails in less than this share.
fn is_shown(case: &CaseRate, below: f64) -> bool {
    let (_, most) = rate::bounds(case.failed, case.of);
    most <= below * (1.0 + 1e-9)
}

fn not_shown(cases: usize, below: f64) -> Option<String> {
    let what = several(cases, "case is", "cases are");
    let below = percent(below);
    (cases > 0).then(|| format!("{what} not shown to fail in less than {below} %"))
}

/// What has become worse. Cases that fail are told already, those that log something else may be right.
fn regressions(comparison: &Comparison) -> Vec<String> {
    let parts = [
        (
            comparison.slower.len(),
            "case is slower",
            "cases are slower",
        ),
        (comparison.gone.len(), "case is gone", "cases are gone"),
        (
            comparison.no_longer_judged.len(),
            "case is no longer judged",
            "cases are no longer judged",
        ),
    ];
    let found = parts.into_iter().filter(|(count, ..)| *count > 0);
    found
        .map(|(count, one, many)| several(count, one, many))
        .collect()
}

fn count(cases: &[CaseRate], which: impl Fn(&&CaseRate) -> bool) -> usize {
    cases.iter().filter(which).count()
}

fn ppm(share: f64) -> u64 {
    (share * 1e6).round() as u64
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        qualify: Qualify,
    }

    fn qualify(arguments: &[&str]) -> Qualify {
        let all = ["qualify", "--out", "x", "--repeats", "5"];
        Line::parse_from(all.iter().chain(arguments)).qualify
    }

    fn case(name: &str, of: u32, broken: u32) -> CaseRate {
        CaseRate {
            case: name.to_owned(),
            verdict: Verdict::Passed,
            failed: 0,
            of,
            broken,
            rate_from_ppm: 0,
            rate_to_ppm: 1_000_000,
            skipped: None,
            sources: Vec::new(),
        }
    }

    #[test]
    fn what_was_not_run_as_often_as_planned_is_a_reason() {
        let cases = [
            case("all", 5, 0),
            case("with a broken one", 4, 1),
            case("cut", 3, 1),
            case("excused, and not run", 0, 0),
            case("excused, and cut", 2, 0),
            case("not run", 0, 0),
            case("all broken", 0, 5),
        ];
        let around = Circumstances {
            excused: ["excused, and not run", "excused, and cut"]
                .map(str::to_owned)
                .into(),
            changed: vec!["a.yaml".to_owned()],
            ..Circumstances::default()
        };
        let nothing = Comparison::default();
        let reasons = gaps(
            &qualify(&["--below", "50%"]),
            &cases,
            Some(&nothing),
            &around,
        );
        assert_eq!(
            reasons,
            [
                "1 case was not run",
                "2 cases were not run 5 times",
                "2 cases are not shown to fail in less than 50 %",
                "no case was judged in the earlier evidence and in this one",
                "a.yaml was changed during the run",
            ]
        );
        assert_eq!(
            gaps(&qualify(&[]), &cases[..2], None, &Circumstances::default()),
            [""; 0]
        );
    }
}
