//! What became of tests.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use trace::LogLine;

use crate::probe::{Crash, Progress};

/// What became of the tests of one image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestReport {
    /// The image's file name.
    pub suite: String,
    /// The board that they ran on.
    pub board: String,
    /// What became of each, in the order in which they ran.
    pub tests: Vec<TestResult>,
    /// How long all of it took, flashing included.
    pub took: Duration,
}

/// What became of one test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestResult {
    /// Its full name, such as `tests::storage::survives_reset`.
    pub name: String,
    /// What became of it.
    pub outcome: Outcome,
    /// How long it took, the reset before it included.
    pub took: Duration,
    /// What it logged.
    pub log: Vec<LogLine>,
    /// What the processor was doing when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crash: Option<Crash>,
}

/// What becomes of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It did what it should.
    Passed,
    /// It did not, and this is what it said.
    Failed(String),
    /// It ran longer than it may.
    TimedOut(Duration),
    /// It is marked so.
    Ignored,
    /// An earlier one ended the image that they share.
    NotRun,
    /// The probe or the way to the chip failed.
    Broken(String),
}

/// What happens while tests run.
#[derive(Clone, Debug)]
pub enum TestEvent {
    /// The image is brought onto the chip.
    Flashing(Progress),
    /// Before the first test.
    Planned {
        /// How many will run or be ignored.
        tests: usize,
        /// How many do not fit the filter.
        filtered: usize,
    },
    /// A test begins.
    Started {
        /// Its name.
        name: String,
    },
    /// A test logs.
    Line(LogLine),
    /// A test has ended.
    Finished(TestResult),
}

impl Outcome {
    /// Whether a suite with it can be called passed.
    pub fn is_good(&self) -> bool {
        matches!(self, Self::Passed | Self::Ignored)
    }
}

impl TestReport {
    /// Whether every test passed or is ignored.
    pub fn is_passed(&self) -> bool {
        self.tests.iter().all(|test| test.outcome.is_good())
    }

    /// How many tests became this, told apart by kind only.
    pub fn count(&self, outcome: &Outcome) -> usize {
        let kind = std::mem::discriminant(outcome);
        self.tests
            .iter()
            .filter(|test| std::mem::discriminant(&test.outcome) == kind)
            .count()
    }
}

/// Passes a test that has ended on, and keeps it.
pub(super) fn finish(
    result: TestResult,
    results: &mut Vec<TestResult>,
    on_event: &mut impl FnMut(TestEvent),
) {
    on_event(TestEvent::Finished(result.clone()));
    results.push(result);
}
