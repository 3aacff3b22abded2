//! What happens while a run goes on.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{AttemptResult, CaseResult, RunSummary};

/// One thing that happened in a run; with `--message-format json`, one line on standard output.
///
/// A reader must ignore messages and fields that it does not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Message {
    /// First message.
    RunStarted {
        /// [`crate::FORMAT_VERSION`] of the writer.
        version: u32,
        /// The run's name, also of its folder.
        run: String,
        /// Where everything that the run writes stands.
        folder: PathBuf,
        /// The seed that `--seed` takes to run the same again.
        seed: u64,
        /// How many cases will be run; those that are skipped from the start count.
        cases: usize,
        /// How many attempts at each.
        repeat: u32,
        /// How many workers run at the same time at most.
        jobs: usize,
    },
    /// A worker was started.
    AttemptStarted {
        /// The case's identifier.
        case: String,
        /// From 1.
        attempt: u32,
        /// The attempt's folder.
        folder: PathBuf,
    },
    /// The attempt came to a step.
    StepStarted {
        /// The case's identifier.
        case: String,
        /// From 1.
        attempt: u32,
        /// From 1.
        step: usize,
        /// The step in a few words.
        label: String,
    },
    /// The step is done.
    StepEnded {
        /// The case's identifier.
        case: String,
        /// From 1.
        attempt: u32,
        /// From 1.
        step: usize,
        /// Whether it did what it should.
        ok: bool,
    },
    /// A worker ended and was judged.
    AttemptFinished {
        /// How it ended.
        result: Box<AttemptResult>,
    },
    /// Every attempt at a case ended, or the case was skipped.
    CaseFinished {
        /// How they ended.
        result: Box<CaseResult>,
    },
    /// Something that people should know while they wait.
    Notice {
        /// One sentence.
        text: String,
    },
    /// Last message.
    RunFinished {
        /// How the run ended.
        summary: Box<RunSummary>,
        /// The exit status that follows.
        exit: u8,
    },
}

/// Takes the messages of a run in their order.
pub trait Reporter {
    /// Takes the next message. An error means that the output is gone; no more messages come.
    fn take(&mut self, message: &Message) -> io::Result<()>;

    /// Called some ten times a second while the run goes on.
    fn tick(&mut self) {}
}

/// Says nothing: what comes of the run is told by the caller.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Reporter for Silent {
    fn take(&mut self, _: &Message) -> io::Result<()> {
        Ok(())
    }
}
