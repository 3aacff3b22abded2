//! What a user named to be opened.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::HtmlError;
use crate::{AttemptResult, FORMAT_VERSION, RunSummary};

/// The summary of the run whose folder, or summary, stands at `path`; none if it is no run.
///
/// A run's folder may have been moved, as artifacts of CI are: its attempts are looked for below it.
pub(super) fn summary_in(path: &Path) -> Result<Option<RunSummary>, HtmlError> {
    let file = match path.is_dir() {
        true => path.join(RunSummary::FILE),
        false
            if path
                .file_name()
                .is_some_and(|name| name == RunSummary::FILE) =>
        {
            path.to_owned()
        }
        false => return Ok(None),
    };
    let text = match fs::read(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_dir() => return Ok(None),
        Err(error) => return Err(HtmlError::read(&file, error)),
    };
    let mut summary: RunSummary =
        serde_json::from_slice(&text).map_err(|error| HtmlError::read(&file, error))?;
    if summary.version > FORMAT_VERSION {
        return Err(HtmlError::Later(file));
    }
    let here = file.parent().unwrap_or(Path::new("."));
    let was = summary.folder.clone();
    let attempts = summary.cases.iter_mut().flat_map(|case| &mut case.attempts);
    for attempt in attempts {
        if let Ok(below) = attempt.folder.strip_prefix(&was) {
            attempt.folder = here.join(below);
        }
    }
    Ok(Some(summary))
}

/// The trace that `path` is, or that stands in the attempt's folder `path`.
pub(super) fn trace_at(path: &Path) -> Result<PathBuf, HtmlError> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let file = path.join(AttemptResult::TRACE);
    match file.is_file() {
        true => Ok(file),
        false => Err(HtmlError::NoTrace(path.to_owned())),
    }
}
