//! `proving qualify`: a release, judged so that it can be shown later what was run and what came of it.
//!
//! The run itself is one as of `proving run --repeat N`. What is kept of it, with the numbers and the sources,
//! goes into an evidence folder, which has its name only once it is whole.

mod arguments;
mod certificates;
mod earlier;
mod pages;
mod record;
mod rig_file;
mod sources;
mod store;
mod told;

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use ::evidence::compare::{Comparison, Measured};
use ::evidence::{Folder, FolderError, KeyError, Signer, Signers, rate};
use engine::run::{Plan, Settings, run as run_plan};
use miette::Diagnostic;
use report::{ExitStatus, RunSummary};

use arguments::MOST_REPEATS;
pub(super) use arguments::Qualify;
use earlier::{Earlier, EarlierError};
use record::{Circumstances, Record};
use rig_file::RigFile;
use sources::Sources;

use super::arguments::ReporterName;
use super::prepared::Prepared;
use super::run::{any_seed, reporter};
use super::{CommandError, board_queue, print, ready_boards};

/// Name and version of this program.
const TOOL: &str = concat!("proving ", env!("CARGO_PKG_VERSION"));

/// A qualification could not be made.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(super) enum QualifyError {
    /// No number of repeats that is allowed can show what is asked for.
    #[error(
        "it takes {needed} attempts without a failure to show that a failure rate is below {} %; \
         a case has at most {MOST_REPEATS}",
        percent(*wanted)
    )]
    #[diagnostic(help("{MOST_REPEATS} attempts can show that it is below {} %", percent_up(rate::bounds(0, MOST_REPEATS).1)))]
    OutOfReach {
        /// From 0 to 1.
        wanted: f64,
        /// What it takes.
        needed: u32,
    },
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
    /// The evidence cannot be begun; nothing was run.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The evidence of a run could not be written.
    #[error("there is no evidence of this run, whose own folder stays")]
    Store(#[source] FolderError),
}

impl QualifyError {
    /// Whether it is a mistake of the user's, and nothing was run.
    pub(super) fn is_usage(&self) -> bool {
        match self {
            Self::TooFew { .. } | Self::OutOfReach { .. } | Self::Key(_) | Self::Earlier(_) => true,
            Self::Folder(error) => matches!(error, FolderError::Exists(_)),
            Self::Store(_) => false,
        }
    }
}

pub(super) fn qualify(arguments: &Qualify) -> Result<ExitStatus, CommandError> {
    // Better now than after a night.
    Folder::is_free(&arguments.out).map_err(QualifyError::from)?;
    enough_repeats(arguments)?;
    let signer = arguments.sign_with.as_deref().map(Signer::open);
    let signer = signer.transpose().map_err(QualifyError::from)?;
    let trusted = arguments.against_signed_by.as_deref().map(Signers::one);
    let trusted = trusted.transpose()?;
    let earlier = arguments.against.as_deref();
    let earlier = earlier.map(|folder| Earlier::open(folder, trusted.as_ref()));
    let earlier = earlier.transpose().map_err(QualifyError::from)?;
    let cases = arguments.selection.cases()?;
    let folder = Folder::begin(&arguments.out).map_err(QualifyError::from)?;
    let prepared = arguments.boards.prepare(&cases)?;
    let sources = Sources::read(&cases, &prepared)?;
    let rig = match is_rig_used(&prepared) {
        true => Some(RigFile::read(&arguments.boards.rig.path)?),
        false => None,
    };

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
        leases: board_queue::of_phones(&prepared.boards)?,
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
            return Ok(prepared.exit_status(&summary));
        }
        _ => {}
    }
    let comparison = earlier.as_ref().map(|earlier| earlier.compare(&summary));
    let mut changed = sources.changed();
    changed.extend(rig.as_ref().and_then(RigFile::changed));
    let around = Circumstances {
        taken_out: prepared.taken_out,
        excused: excused(arguments, &prepared),
        changed,
    };
    let mut record = Record::of(arguments, &summary, comparison, &around, &sources);
    if let Some(earlier) = &earlier {
        record.against = Some(earlier.origin.clone());
        record.changed_sources = earlier.changed(&record);
    }
    record.signed_by = signer.as_ref().map(Signer::fingerprint);
    // Whatever becomes of the evidence, the run has come to this.
    print(&told::judged(&record))?;
    let (rig, signer) = (rig.as_ref(), signer.as_ref());
    let files = store::store(folder, &summary, &mut record, &sources, rig, signer)?;
    print(&told::kept(&record, &arguments.out, files))?;
    Ok(record.exit_status())
}

/// Whether a board of the rig file is run.
fn is_rig_used(prepared: &Prepared) -> bool {
    prepared.cases.iter().any(|case| case.rig.is_some())
}

/// The cases that cannot be run, and need not be: a difference says so, or the user.
fn excused(arguments: &Qualify, prepared: &Prepared) -> BTreeSet<String> {
    let skipped = prepared.cases.iter().filter(|case| case.skip.is_some());
    let excused = skipped.filter(|case| {
        let is_declared = case.difference.is_some() && !case.own_transcripts;
        is_declared || arguments.allow_skips
    });
    excused.map(|case| case.id.clone()).collect()
}

/// Whether as many repeats can show the rate that is asked for, if none fails.
fn enough_repeats(arguments: &Qualify) -> Result<(), QualifyError> {
    let Some(wanted) = arguments.below else {
        return Ok(());
    };
    let needed = rate::attempts_for(wanted);
    if needed > MOST_REPEATS {
        return Err(QualifyError::OutOfReach { wanted, needed });
    }
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
    rounded(share, f64::round)
}

/// The same of an upper bound, which is never made less.
fn percent_up(share: f64) -> String {
    // What computing adds is no reason to say more.
    rounded(share, |number| (number - 1e-9).ceil())
}

/// The same of a lower bound, which is never made more.
fn percent_down(share: f64) -> String {
    rounded(share, |number| (number + 1e-9).floor())
}

fn rounded(share: f64, to_whole: impl Fn(f64) -> f64) -> String {
    let percent = 100.0 * share;
    let digits = match percent >= 9.95 || percent == 0.0 {
        true => 0,
        false if percent >= 0.1 => 1,
        false => 3,
    };
    let scale = 10_f64.powi(digits);
    let percent = to_whole(percent * scale).max(0.0) / scale;
    format!("{percent:.*}", digits as usize)
}

/// So many things, with their name.
fn several(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_stays_one_when_it_is_rounded() {
        for (failed, of, expected) in [
            (0, 20, "0 to 14"),
            // 10.147 %.
            (0, 28, "0 to 11"),
            (0, 59, "0 to 5.0"),
            (0, 299, "0 to 1.0"),
            (0, 2995, "0 to 0.100"),
            (3, 3, "29 to 100"),
            (1, 20, "0.1 to 25"),
        ] {
            let (low, high) = rate::bounds(failed, of);
            let told = format!("{} to {}", percent_down(low), percent_up(high));
            assert_eq!(told, expected, "{failed} of {of}");
        }
        // What computing adds is none.
        assert_eq!([0.05, 0.07, 0.29].map(percent_up), ["5.0", "7.0", "29"]);
        assert_eq!([0.05, 0.07, 0.29].map(percent_down), ["5.0", "7.0", "29"]);
        assert_eq!(percent(0.001), "0.1");
    }
}
