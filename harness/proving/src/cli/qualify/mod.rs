//! `proving qualify`: a release, judged so that it can be shown later what was run and what came of it.
//!
//! The run itself is one as of `proving run --repeat N`. What is kept of it, with the numbers and the sources,
//! goes into an evidence folder, which has its name only once it is whole.

mod arguments;
mod certificates;
mod earlier;
mod pages;
mod record;
mod sources;
mod store;
mod told;

use std::time::{SystemTime, UNIX_EPOCH};

use ::evidence::compare::{Comparison, Measured};
use ::evidence::{Folder, FolderError, KeyError, Signer, rate};
use engine::run::{Plan, Settings, run as run_plan};
use miette::Diagnostic;
use report::{ExitStatus, RunSummary};

pub(super) use arguments::Qualify;
use earlier::{Earlier, EarlierError};
use record::Record;

use super::arguments::ReporterName;
use super::run::{any_seed, reporter};
use super::{CommandError, print, ready_boards};

/// Name and version of this program.
const TOOL: &str = concat!("proving ", env!("CARGO_PKG_VERSION"));

/// A qualification could not be made.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(super) enum QualifyError {
    /// So many repeats cannot show what is asked for.
    #[error("{repeats} repeats cannot show that a failure rate is below {} %", percent(*wanted))]
    #[diagnostic(help("it takes {needed} without a failure: --repeats {needed}"))]
    TooFew {
        /// What the user gave.
        repeats: u32,
        /// From 0 to 1.
        wanted: f64,
        /// What it takes.
        needed: u32,
    },
    /// The key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The evidence of an earlier release.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Earlier(#[from] EarlierError),
    /// The evidence that is written.
    #[error(transparent)]
    Folder(#[from] FolderError),
}

impl QualifyError {
    /// Whether it is a mistake of the user's, and nothing was run.
    pub(super) fn is_usage(&self) -> bool {
        match self {
            Self::TooFew { .. } | Self::Key(_) | Self::Earlier(_) => true,
            Self::Folder(error) => matches!(error, FolderError::Exists(_)),
        }
    }
}

pub(super) fn qualify(arguments: &Qualify) -> Result<ExitStatus, CommandError> {
    // Better now than after a night.
    Folder::is_free(&arguments.out).map_err(QualifyError::from)?;
    enough_repeats(arguments)?;
    let signer = arguments.sign_with.as_deref().map(Signer::open);
    let signer = signer.transpose().map_err(QualifyError::from)?;
    let earlier = arguments.against.as_deref().map(Earlier::open);
    let earlier = earlier.transpose().map_err(QualifyError::from)?;
    let cases = arguments.selection.cases()?;
    let prepared = arguments.boards.prepare(&cases)?;

    let plan = Plan {
        cases: prepared.cases.clone(),
        repeat: arguments.repeats,
    };
    let executable = std::env::current_exe().map_err(CommandError::Executable)?;
    let mut settings = Settings {
        out: arguments.runs.clone(),
        timeout: arguments.timeout,
        seed: arguments.seed.unwrap_or_else(any_seed),
        speed: arguments.speed,
        bug: arguments.bug.clone(),
        device: prepared.device.clone(),
        image: arguments.boards.image.clone(),
        flash: arguments.boards.flash.into(),
        recheck: Some(ready_boards::recheck(&prepared.boards)),
        ..Settings::new(executable)
    };
    if let Some(jobs) = arguments.jobs {
        settings.jobs = jobs;
    }
    let summary = run_plan(&plan, &settings, &mut *reporter(ReporterName::Human))?;
    match summary.exit_status() {
        ExitStatus::Interrupted => {
            eprintln!("interrupted: there is no evidence of a part of a qualification");
            return Ok(ExitStatus::Interrupted);
        }
        ExitStatus::NothingSelected => {
            eprintln!("nothing was run, so there is no evidence");
            return Ok(ExitStatus::NothingSelected);
        }
        _ => {}
    }
    let comparison = earlier.as_ref().map(|earlier| earlier.compare(&summary));
    let (sources, texts) = sources::of(&summary)?.into_iter().unzip();
    let mut record = Record::of(arguments, &summary, comparison, prepared.taken_out);
    record.sources = sources;
    if let Some(earlier) = &earlier {
        record.against = Some(earlier.origin.clone());
        record.changed_sources = earlier.changed(&record.sources);
    }
    record.signed_by = signer.as_ref().map(Signer::fingerprint);
    let files = store::store(arguments, &summary, &mut record, texts, signer.as_ref())?;
    print(&told::told(&record, &arguments.out, files))?;
    Ok(record.exit_status())
}

/// Whether as many repeats can show the rate that is asked for, if none fails.
fn enough_repeats(arguments: &Qualify) -> Result<(), QualifyError> {
    let Some(wanted) = arguments.below else {
        return Ok(());
    };
    let needed = rate::attempts_for(wanted);
    match arguments.repeats >= needed {
        true => Ok(()),
        false => Err(QualifyError::TooFew {
            repeats: arguments.repeats,
            wanted,
            needed,
        }),
    }
}

/// What each case of a run has shown, by its identifier.
fn measured(summary: &RunSummary) -> std::collections::BTreeMap<String, Measured> {
    let cases = summary.cases.iter();
    cases
        .map(|case| {
            (
                case.case.clone(),
                Measured::of(case, |attempt| Some(attempt.trace())),
            )
        })
        .collect()
}

/// A share as percent, with as many digits as it needs.
fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    match percent >= 9.95 || percent == 0.0 {
        true => format!("{percent:.0}"),
        false if percent >= 0.1 => format!("{percent:.1}"),
        false => format!("{percent:.3}"),
    }
}

/// Unix time in ms.
fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

impl Earlier {
    fn compare(&self, summary: &RunSummary) -> Comparison {
        Comparison::of(&self.measured, &measured(summary))
    }
}
