//! What a run came to.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use trace::{Failure, FirmwareBooted, Setup, Verdict};

use crate::{Conditions, Quarantine};

/// How one attempt at a case ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptResult {
    /// The case's identifier, unique in its run.
    pub case: String,
    /// From 1; above 1 only with `--repeat`.
    pub attempt: u32,
    /// Never [`Verdict::Flaky`], which only a case can be.
    pub verdict: Verdict,
    /// The seed of the attempt's chances.
    pub seed: u64,
    /// The bug that was in the devices on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bug: Option<String>,
    /// What else it was made with.
    #[serde(default, skip_serializing_if = "Conditions::is_plain")]
    pub conditions: Conditions,
    /// Wall time in ms from the worker's start to its end.
    pub wall_ms: u64,
    /// Lab time in ms of the last event, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lab_ms: Option<u64>,
    /// The attempt's folder: job, trace, and what the worker wrote.
    pub folder: PathBuf,
    /// Which firmware the devices' boot logs told, once for each that differs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub booted: Vec<FirmwareBooted>,
    /// Why it did not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The last lines that the worker wrote to its standard error, if it did not end by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stderr_tail: Vec<String>,
    /// Processes that outlived the worker and were killed, as `pid 4711 (name)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaked: Vec<String>,
}

impl AttemptResult {
    /// Name of the trace in an attempt's folder.
    pub const TRACE: &'static str = "trace.jsonl";

    /// The attempt's trace; missing if the worker never came to write one.
    pub fn trace(&self) -> PathBuf {
        self.folder.join(Self::TRACE)
    }
}

/// How all attempts at one case ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseResult {
    /// The case's identifier, unique in its run.
    pub case: String,
    /// The scenario's name, for people.
    pub name: String,
    /// The scenario's file as the user gave it.
    pub scenario: PathBuf,
    /// The board that ran it.
    pub board: String,
    /// Why it is otherwise on this board than on others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<String>,
    /// What the attempts say together.
    pub verdict: Verdict,
    /// Why it was not run, or not to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// By their numbers.
    pub attempts: Vec<AttemptResult>,
}

impl CaseResult {
    /// What several attempts at the same say together; none if there was no attempt with a verdict.
    ///
    /// An attempt that broke proves nothing about the device: it never makes a case flaky, and it
    /// counts only if no attempt failed.
    pub fn verdict_of(attempts: &[AttemptResult]) -> Option<Verdict> {
        let any = |verdict| attempts.iter().any(|attempt| attempt.verdict == verdict);
        match (any(Verdict::Passed), any(Verdict::Failed)) {
            (true, true) => Some(Verdict::Flaky),
            (false, true) => Some(Verdict::Failed),
            _ if any(Verdict::Broken) => Some(Verdict::Broken),
            (true, false) => Some(Verdict::Passed),
            (false, false) => None,
        }
    }

    /// The attempt that explains the verdict: the first that did not pass.
    pub fn telling_attempt(&self) -> Option<&AttemptResult> {
        let wanted = match self.verdict {
            Verdict::Flaky => Verdict::Failed,
            other => other,
        };
        self.attempts
            .iter()
            .find(|attempt| attempt.verdict == wanted)
    }

    /// Wall time in ms of all attempts.
    pub fn wall_ms(&self) -> u64 {
        self.attempts.iter().map(|attempt| attempt.wall_ms).sum()
    }
}

/// How a run ended; also the content of `summary.json` in its folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// [`crate::FORMAT_VERSION`] of the writer.
    pub version: u32,
    /// The run's name, also of its folder.
    pub run: String,
    /// Where everything that the run wrote stands.
    pub folder: PathBuf,
    /// The seed that `--seed` takes to run the same again.
    pub seed: u64,
    /// Unix time in ms at the start.
    pub started_ms: u64,
    /// Wall time of the run in ms.
    pub wall_ms: u64,
    /// Whether a signal ended it early.
    pub interrupted: bool,
    /// Tool, host, board and firmware, for each board that was run, by its name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setups: Vec<Setup>,
    /// In the order of the plan.
    pub cases: Vec<CaseResult>,
    /// Flaky cases that do not make the run fail.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub allowed_flaky: usize,
    /// Cases whose verdict does not count, by their identifiers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub quarantined: BTreeMap<String, Quarantine>,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl RunSummary {
    /// Name of its file in the run's folder.
    pub const FILE: &'static str = "summary.json";

    /// How many cases ended in which way.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for case in &self.cases {
            counts.add(case.verdict);
        }
        counts
    }

    /// Whether this case's verdict counts: it is in no quarantine, or in one that has ended.
    pub fn counts_for_exit(&self, case: &CaseResult) -> bool {
        let quarantine = self.quarantined.get(&case.case);
        quarantine.is_none_or(|quarantine| quarantine.expired)
    }

    /// How the run as a whole ended. Of a case in quarantine only that it ran counts, and of flaky ones as
    /// many as are allowed do not.
    pub fn exit_status(&self) -> ExitStatus {
        let mut counts = Counts::default();
        for case in &self.cases {
            let verdict = match case.verdict {
                verdict if self.counts_for_exit(case) => verdict,
                Verdict::Skipped => Verdict::Skipped,
                _ => Verdict::Passed,
            };
            counts.add(verdict);
        }
        if counts.flaky <= self.allowed_flaky {
            counts.passed += std::mem::take(&mut counts.flaky);
        }
        if self.interrupted {
            ExitStatus::Interrupted
        } else if self.cases.is_empty() {
            ExitStatus::NothingSelected
        } else if counts.failed + counts.flaky > 0 {
            ExitStatus::Failed
        } else if counts.broken > 0 {
            ExitStatus::Broken
        } else if counts.passed == 0 {
            // All were skipped: nothing ran.
            ExitStatus::NothingSelected
        } else {
            ExitStatus::Passed
        }
    }
}

/// The exit status of `proving`; the numbers are a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// Nothing failed and nothing broke.
    Passed = 0,
    /// At least one case failed or was flaky.
    Failed = 1,
    /// A mistake in the command line or in a scenario; nothing was run.
    Usage = 2,
    /// None failed, but some broke.
    Broken = 3,
    /// No case was selected, or every one was skipped: nothing ran.
    NothingSelected = 4,
    /// SIGINT or SIGTERM ended the run.
    Interrupted = 130,
}

/// How many cases ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Everything happened as it should.
    pub passed: usize,
    /// The device's fault.
    pub failed: usize,
    /// The lab's or the host's fault.
    pub broken: usize,
    /// Failed and passed under the same conditions.
    pub flaky: usize,
    /// Not run.
    pub skipped: usize,
}

impl Counts {
    /// Counts one more case.
    pub fn add(&mut self, verdict: Verdict) {
        *match verdict {
            Verdict::Passed => &mut self.passed,
            Verdict::Failed => &mut self.failed,
            Verdict::Broken => &mut self.broken,
            Verdict::Flaky => &mut self.flaky,
            Verdict::Skipped => &mut self.skipped,
        } += 1;
    }
}

/// A verdict in one word.
pub(crate) fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::Broken => "broken",
        Verdict::Flaky => "flaky",
        Verdict::Skipped => "skipped",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_in_which_every_case_was_skipped_ends_as_if_none_was_selected() {
        let status = |verdicts: &[Verdict]| summary(verdicts).exit_status();
        use Verdict::{Broken, Passed, Skipped};
        assert_eq!(status(&[Skipped, Skipped]), ExitStatus::NothingSelected);
        assert_eq!(status(&[Skipped, Passed]), ExitStatus::Passed);
        assert_eq!(status(&[Skipped, Broken]), ExitStatus::Broken);
    }

    fn summary(verdicts: &[Verdict]) -> RunSummary {
        let cases = verdicts
            .iter()
            .enumerate()
            .map(|(number, verdict)| CaseResult {
                case: number.to_string(),
                name: "a".into(),
                scenario: "a.yaml".into(),
                board: "native".into(),
                difference: None,
                verdict: *verdict,
                skipped: (*verdict == Verdict::Skipped).then(|| "needs power".into()),
                attempts: Vec::new(),
            });
        RunSummary {
            version: crate::FORMAT_VERSION,
            run: "run".into(),
            folder: "folder".into(),
            seed: 1,
            started_ms: 0,
            wall_ms: 0,
            interrupted: false,
            setups: Vec::new(),
            cases: cases.collect(),
            allowed_flaky: 0,
            quarantined: BTreeMap::new(),
        }
    }

    #[test]
    fn as_many_flaky_cases_as_are_allowed_do_not_fail_a_run() {
        use Verdict::{Failed, Flaky, Passed};
        let mut run = summary(&[Passed, Flaky, Flaky]);
        assert_eq!(run.exit_status(), ExitStatus::Failed);
        run.allowed_flaky = 1;
        assert_eq!(run.exit_status(), ExitStatus::Failed);
        run.allowed_flaky = 2;
        assert_eq!(run.exit_status(), ExitStatus::Passed);
        let mut run = summary(&[Failed, Flaky]);
        run.allowed_flaky = 2;
        assert_eq!(run.exit_status(), ExitStatus::Failed);
    }

    #[test]
    fn a_case_in_quarantine_counts_again_when_that_has_ended() {
        use Verdict::{Failed, Passed};
        let mut run = summary(&[Passed, Failed]);
        let quarantine = |expired| Quarantine {
            owner: "radio team".into(),
            reason: "the driver loses beacons".into(),
            until: "2026-12-31".into(),
            expired,
        };
        run.quarantined.insert("1".into(), quarantine(false));
        assert_eq!(run.exit_status(), ExitStatus::Passed);
        assert_eq!(run.counts().failed, 1);
        run.quarantined.insert("1".into(), quarantine(true));
        assert_eq!(run.exit_status(), ExitStatus::Failed);
    }
}
