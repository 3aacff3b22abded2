//! What a page holds of an attempt.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;
use trace::{Failure, Finished, Setup, StepStarted, Verdict};

use super::claim::{self, Claim};
use super::columns::Columns;
use super::embed::Compressed;
use super::events::{self, Extent};
use super::{HtmlError, Traces};
use crate::failure::again;
use crate::result::verdict_word;
use crate::setup::setup_text;
use crate::{AttemptResult, CaseResult, Conditions};

/// Verdict of a trace that has no end.
const UNFINISHED: &str = "unfinished";
/// Scenario files that one attempt may name.
const MOST_FILES: usize = 16;

/// An attempt without its events.
#[derive(Serialize)]
pub(super) struct Head {
    case: String,
    number: u32,
    pub(super) verdict: &'static str,
    seed: Option<u64>,
    bug: Option<String>,
    wall_ms: Option<u64>,
    again: Option<String>,
    trace: String,
    setup: Option<String>,
    failure: Option<Failure>,
    claim: Option<Claim>,
    stderr: Vec<String>,
    leaked: Vec<String>,
    /// Number of its events; none if they could not be read.
    events: Option<u64>,
    left_out: u64,
    /// Why its events end before the trace does.
    cut: Option<String>,
    /// Why its events are not in the page.
    absent: Option<String>,
    #[serde(skip)]
    files: BTreeSet<String>,
    #[serde(skip)]
    path: PathBuf,
}

impl Head {
    /// The scenario files that its steps stand in.
    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }
}

/// The attempts of a page.
#[derive(Default)]
pub(super) struct Page {
    heads: Vec<Head>,
    traces: Traces,
}

impl Page {
    /// Adds an attempt of a run, whose folder is below `root`, and returns its index. Its events come with
    /// [`Page::fill`].
    pub(super) fn add(&mut self, case: &CaseResult, attempt: &AttemptResult, root: &Path) -> usize {
        let mut head = head(case, attempt);
        head.path = root.join(&head.path);
        head.files
            .insert(case.scenario.to_string_lossy().into_owned());
        self.push(head)
    }

    fn push(&mut self, head: Head) -> usize {
        self.heads.push(head);
        self.traces.push(None);
        self.heads.len() - 1
    }

    /// Reads the events of the attempts, first of those that did not pass, until `most` bytes are
    /// full.
    pub(super) fn fill(&mut self, most: usize) {
        let passed = verdict_word(Verdict::Passed);
        let mut order: Vec<usize> = (0..self.heads.len()).collect();
        order.sort_by_key(|index| self.heads[*index].verdict == passed);
        let mut used = 0;
        for index in order {
            let head = &mut self.heads[index];
            if used >= most {
                head.absent = Some("the page is full: open the trace by itself".to_owned());
                continue;
            }
            match read(&head.path) {
                Ok(read) => {
                    used += read.packed.len();
                    self.traces[index] = Some(read.packed);
                    head.take(read.extent, read.told);
                }
                Err(error) => head.absent = Some(crate::event_text::with_source(&error)),
            }
        }
    }

    /// Adds the trace at `file` and what it says of its attempt.
    pub(super) fn open(&mut self, file: &Path) -> Result<CaseResult, HtmlError> {
        let read = read(file)?;
        let (name, number) = name_of(file);
        let finished = read.told.finished.as_ref();
        let verdict = finished.map_or(Verdict::Broken, |finished| finished.verdict);
        let scenario = read.told.files.first().cloned().unwrap_or_default();
        let attempt = AttemptResult {
            case: name.clone(),
            attempt: number,
            verdict,
            seed: 0,
            bug: None,
            conditions: Conditions::default(),
            wall_ms: 0,
            lab_ms: None,
            folder: file.parent().unwrap_or(Path::new(".")).to_owned(),
            booted: Vec::new(),
            failure: finished.and_then(|finished| finished.failure.clone()),
            stderr_tail: Vec::new(),
            leaked: Vec::new(),
        };
        let case = CaseResult {
            case: name.clone(),
            name,
            scenario: scenario.into(),
            board: read.told.board.clone().unwrap_or_default(),
            difference: None,
            verdict,
            skipped: None,
            attempts: Vec::new(),
        };
        let mut head = head(&case, &attempt);
        if finished.is_none() {
            head.verdict = UNFINISHED;
        }
        // Only a run knows these.
        (head.seed, head.wall_ms, head.again) = (None, None, None);
        head.trace = file.to_string_lossy().into_owned();
        head.take(read.extent, read.told);
        let index = self.push(head);
        self.traces[index] = Some(read.packed);
        Ok(case)
    }

    pub(super) fn into_parts(self) -> (Vec<Head>, Traces) {
        (self.heads, self.traces)
    }
}

impl Head {
    fn take(&mut self, extent: Extent, told: Told) {
        self.events = Some(extent.events);
        self.left_out = extent.left_out;
        self.cut = extent.cut;
        self.setup = told.setup;
        let room = MOST_FILES.saturating_sub(self.files.len());
        self.files.extend(told.files.into_iter().take(room));
    }
}

fn head(case: &CaseResult, attempt: &AttemptResult) -> Head {
    let failure = attempt.failure.clone();
    Head {
        case: case.case.clone(),
        number: attempt.attempt,
        verdict: verdict_word(attempt.verdict),
        seed: Some(attempt.seed),
        bug: attempt.bug.clone(),
        wall_ms: Some(attempt.wall_ms),
        again: Some(again(case, attempt)),
        trace: attempt.trace().to_string_lossy().into_owned(),
        setup: None,
        claim: failure
            .as_ref()
            .and_then(|failure| claim::of(&failure.message)),
        failure,
        stderr: attempt.stderr_tail.clone(),
        leaked: attempt.leaked.clone(),
        events: None,
        left_out: 0,
        cut: None,
        absent: None,
        files: BTreeSet::new(),
        path: attempt.trace(),
    }
}

/// What a trace says of its attempt.
#[derive(Default)]
struct Told {
    finished: Option<Finished>,
    setup: Option<String>,
    board: Option<String>,
    /// In the order in which they are named first.
    files: Vec<String>,
}

struct Read {
    packed: Compressed,
    extent: Extent,
    told: Told,
}

fn read(file: &Path) -> Result<Read, HtmlError> {
    let mut columns = Columns::new();
    let mut told = Told::default();
    let extent = events::each(file, |event| {
        if let Some(step) = event.payload::<StepStarted>() {
            let file = step.place.file;
            if told.files.len() < MOST_FILES && !told.files.contains(&file) {
                told.files.push(file);
            }
        } else if let Some(setup) = event.payload::<Setup>() {
            told.setup = Some(setup_text(&setup));
            told.board = Some(setup.board.name);
        } else if let Some(finished) = event.payload::<Finished>() {
            told.finished = Some(finished);
        }
        columns.add(&event);
    });
    let extent = extent.map_err(|error| HtmlError::read(file, error))?;
    let packed = Compressed::json(&columns).map_err(HtmlError::Write)?;
    Ok(Read {
        packed,
        extent,
        told,
    })
}

/// The case and the number of an attempt whose trace lies where a run puts it:
/// `…/CASE/NUMBER/trace.jsonl`. Any other file has its own name.
fn name_of(file: &Path) -> (String, u32) {
    let name = |path: Option<&Path>| {
        let name = path.and_then(Path::file_name)?;
        Some(name.to_string_lossy().into_owned())
    };
    let full = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let folder = full.parent();
    if full
        .file_name()
        .is_some_and(|name| name == AttemptResult::TRACE)
        && let Some(number) = name(folder).and_then(|name| name.parse().ok())
        && let Some(case) = name(folder.and_then(Path::parent))
    {
        return (case, number);
    }
    (name(Some(file)).unwrap_or_default(), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_called_by_its_case_or_by_its_file() {
        let named = |file: &str| name_of(Path::new(file));
        assert_eq!(named("out/run/happy/2/trace.jsonl"), ("happy".into(), 2));
        assert_eq!(named("field.jsonl"), ("field.jsonl".into(), 1));
        assert_eq!(named("happy/two/trace.jsonl"), ("trace.jsonl".into(), 1));
    }
}
