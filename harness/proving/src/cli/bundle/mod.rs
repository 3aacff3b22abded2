//! `proving bundle`: attempts and logs in one file that another machine diagnoses and replays.
//!
//! ```text
//! bundle.json                 what is in it, and what made it
//! 1-CASE/trace.jsonl          of an attempt; also job.json, worker.err
//! 1-CASE/scenario/NAME.yaml   its scenario
//! 1-CASE/rig.toml             the rig file, if it ran on a rig
//! 2-NAME.log                  a log
//! ```

mod open;
mod pack;
mod secrets;

use std::path::PathBuf;

use miette::Diagnostic;
use report::ExitStatus;

use super::arguments::Bundle;
use super::{CommandError, print};

pub(super) use open::{each_log, is_bundle};
pub(super) use secrets::without_keys;

/// Version of the form of bundles.
const VERSION: u32 = 1;
/// Name of the file that says what a bundle holds.
const CONTENTS: &str = "bundle.json";

/// A bundle could not be made, or is refused.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(super) enum BundleError {
    /// A part is neither an attempt nor a file.
    #[error("{} is no attempt and no log", .0.display())]
    #[diagnostic(help(
        "name the folder of an attempt, which holds job.json and trace.jsonl, or a file"
    ))]
    NoAttempt(PathBuf),
    /// A part is too large.
    #[error("{} is larger than {} MB", path.display(), limit >> 20)]
    #[diagnostic(help("name a part of it"))]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Bytes that are allowed.
        limit: u64,
    },
    /// The job of an attempt cannot be read.
    #[error(transparent)]
    Job(#[from] engine::run::JobError),
    /// A bundle that holds what no bundle holds.
    #[error("the bundle {} is refused: {why}", path.display())]
    #[diagnostic(help("ask for it again; nothing of it was written"))]
    Refused {
        /// The bundle.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The folder to unpack to is there already.
    #[error("{} is there already", .0.display())]
    #[diagnostic(help("name a folder that is not there yet"))]
    Exists(PathBuf),
}

pub(super) fn bundle(arguments: &Bundle) -> Result<ExitStatus, CommandError> {
    if let Some(folder) = &arguments.unpack {
        for bundle in &arguments.parts {
            print(&open::unpack(bundle, folder)?)?;
        }
        return Ok(ExitStatus::Passed);
    }
    let Some(out) = &arguments.out else {
        return Ok(ExitStatus::Usage);
    };
    let mut files = pack::gather(&arguments.parts)?;
    let found = secrets::look(&mut files, arguments.redact);
    if !found.is_empty() && !arguments.redact {
        print(&secrets::told(&found))?;
        return Ok(ExitStatus::Failed);
    }
    let packed = pack::pack(&files).and_then(|bytes| report::write_whole(out, bytes));
    packed.map_err(CommandError::unwritable(out))?;
    let replaced = match found.len() {
        0 => String::new(),
        count => format!(", {count} secrets replaced"),
    };
    print(&format!(
        "{}: {} files{replaced}; `proving diagnose` and `proving reproduce` read it, --unpack unpacks it\n",
        out.display(),
        files.len(),
    ))
}
