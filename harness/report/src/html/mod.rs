//! A page for a browser: a run, its attempts, and everything that happened in each, in one file.
//!
//! The file needs no network and asks for none: script and style stand in it, and its policy
//! (CSP) lets nothing else run. What devices and networks sent reaches the page as JSON, and the
//! page shows it as text only.
//!
//! Each attempt's events stand in an element of their own, as gzip in base64, and are unpacked
//! when somebody looks at the attempt. So a run of hundreds of attempts opens as quickly as one.

mod attempt;
mod claim;
mod columns;
mod embed;
mod events;
mod lane;
mod opened;
mod source_text;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::result::verdict_word;
use crate::setup::setup_text;
use crate::{CaseResult, RunSummary};

use attempt::{Head, Page};
use embed::{Compressed, inline_json};
pub(crate) use events::each as each_event;
pub(crate) use lane::{LANES, of as lane_of};

/// Version of what stands in a page for its script.
const FORMAT: u32 = 1;
/// Bytes of events, packed, that one page holds at most. A page of more than some ten MB is slow to
/// load, and attempts that passed are left out first.
const MOST_PACKED: usize = 10_000_000;

/// What a page shows besides its attempts.
#[derive(Serialize)]
struct Overview<'a> {
    format: u32,
    tool: &'static str,
    title: String,
    run: Option<RunHead>,
    cases: Vec<CaseHead<'a>>,
    attempts: &'a [Head],
    /// Text of each scenario file, by its path.
    sources: BTreeMap<String, String>,
    sections: Vec<PageSection>,
}

/// What a page says above its cases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PageSection {
    /// The heading.
    pub title: String,
    /// Each in a line of its own, with its spaces.
    pub lines: Vec<String>,
}

/// What there is to say of a run as a whole.
#[derive(Serialize)]
struct RunHead {
    name: String,
    seed: u64,
    started_ms: u64,
    wall_ms: u64,
    interrupted: bool,
    setups: Vec<String>,
}

/// A case, and which of the page's attempts are its.
#[derive(Serialize)]
struct CaseHead<'a> {
    id: &'a str,
    name: &'a str,
    scenario: String,
    board: &'a str,
    verdict: &'static str,
    skipped: Option<&'a str>,
    difference: Option<&'a str>,
    attempts: Vec<usize>,
}

/// The page of a run, with the events of its attempts as far as there is room.
pub fn html_of_run(summary: &RunSummary) -> Result<String, HtmlError> {
    of_run(summary, Path::new(""), Vec::new(), &source_text::of)
}

/// The same with `sections` above the cases, and of scenarios the texts in `sources`, by their paths: no scenario
/// is read. Folders of attempts that are no absolute paths are looked for below `root`, which the page does not name.
pub fn html_of_run_with(
    summary: &RunSummary,
    root: &Path,
    sections: Vec<PageSection>,
    sources: &BTreeMap<String, String>,
) -> Result<String, HtmlError> {
    of_run(summary, root, sections, &|files| {
        let named = sources
            .iter()
            .filter(|(file, _)| files.contains(&file.as_str()));
        named
            .map(|(file, text)| (file.clone(), text.clone()))
            .collect()
    })
}

/// The text of each of these files, as far as the page may have it.
type Sources<'s> = &'s dyn Fn(&[&str]) -> BTreeMap<String, String>;

fn of_run(
    summary: &RunSummary,
    root: &Path,
    sections: Vec<PageSection>,
    sources: Sources<'_>,
) -> Result<String, HtmlError> {
    let mut page = Page::default();
    let mut of_case = Vec::new();
    for case in &summary.cases {
        let attempts = case.attempts.iter();
        of_case.push(
            attempts
                .map(|attempt| page.add(case, attempt, root))
                .collect(),
        );
    }
    page.fill(MOST_PACKED);
    let run = RunHead {
        name: summary.run.clone(),
        seed: summary.seed,
        started_ms: summary.started_ms,
        wall_ms: summary.wall_ms,
        interrupted: summary.interrupted,
        setups: summary.setups.iter().map(setup_text).collect(),
    };
    let title = format!("Run {}", summary.run);
    let above = (Some(run), sections);
    render(title, above, &summary.cases, of_case, page, sources)
}

/// The page of what stands at `paths`: traces, folders of attempts, or the folder of a run alone.
pub fn html_of_traces(paths: &[PathBuf]) -> Result<String, HtmlError> {
    if let [folder] = paths
        && let Some(summary) = opened::summary_in(folder)?
    {
        return html_of_run(&summary);
    }
    let mut page = Page::default();
    let mut cases = Vec::new();
    for path in paths {
        let file = opened::trace_at(path)?;
        cases.push(page.open(&file)?);
    }
    let of_case = (0..cases.len()).map(|index| vec![index]).collect();
    let title = match &cases[..] {
        [only] => only.case.clone(),
        several => format!("{} attempts", several.len()),
    };
    let above = (None, Vec::new());
    render(title, above, &cases, of_case, page, &source_text::of)
}

fn render(
    title: String,
    (run, sections): (Option<RunHead>, Vec<PageSection>),
    cases: &[CaseResult],
    of_case: Vec<Vec<usize>>,
    page: Page,
    sources: Sources<'_>,
) -> Result<String, HtmlError> {
    let (heads, traces) = page.into_parts();
    let mut files: Vec<&str> = heads.iter().flat_map(Head::files).collect();
    files.sort_unstable();
    files.dedup();
    let overview = Overview {
        format: FORMAT,
        tool: concat!("proving ", env!("CARGO_PKG_VERSION")),
        title: title.clone(),
        run,
        cases: (cases.iter().zip(of_case))
            .map(|(case, attempts)| case_head(case, attempts, &heads))
            .collect(),
        attempts: &heads,
        sources: sources(&files),
        sections,
    };
    let overview = inline_json(&overview).map_err(HtmlError::Write)?;
    Ok(embed::document(&title, &overview, &traces))
}

fn case_head<'a>(case: &'a CaseResult, attempts: Vec<usize>, heads: &[Head]) -> CaseHead<'a> {
    // A trace that was opened by itself may have no verdict.
    let verdict = match &attempts[..] {
        [only] => heads[*only].verdict,
        _ => verdict_word(case.verdict),
    };
    CaseHead {
        id: &case.case,
        name: &case.name,
        scenario: case.scenario.to_string_lossy().into_owned(),
        board: &case.board,
        verdict,
        skipped: case.skipped.as_deref(),
        difference: case.difference.as_deref(),
        attempts,
    }
}

/// The events of an attempt, packed; none if they are not in the page.
type Traces = Vec<Option<Compressed>>;

/// A page could not be made.
#[derive(Debug, thiserror::Error)]
pub enum HtmlError {
    /// A trace, or the summary of a run, could not be read.
    #[error("failed to open {}", path.display())]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system, or of the format.
        source: io::Error,
    },
    /// Folder with neither.
    #[error(
        "{} is neither a trace nor the folder of an attempt or a run: there is no trace.jsonl and no summary.json in it",
        .0.display()
    )]
    NoTrace(PathBuf),
    /// The summary of a later version.
    #[error("{} was written by a later version of proving: open it with that one", .0.display())]
    Later(PathBuf),
    /// The events could not be packed.
    #[error("failed to pack the events of the page")]
    Write(#[source] io::Error),
}

impl HtmlError {
    fn read(path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Read {
            path: path.to_owned(),
            source: source.into(),
        }
    }
}
