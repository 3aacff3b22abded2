//! Walks as one line of JSON, in the comment of their scenarios.

use std::fmt::Display;

use serde::Serializer;

use crate::walk::Walk;

/// How the line begins in a scenario.
pub const MARK: &str = "# walk: ";

/// The line of comment, without its `# `.
pub fn line(walk: &Walk) -> String {
    // Nothing in a walk fails to be JSON.
    let json = serde_json::to_string(walk).unwrap_or_default();
    format!("walk: {json}")
}

/// The walk of what stands behind [`MARK`], or what is wrong with it.
pub fn read(line: &str) -> Result<Walk, String> {
    serde_json::from_str(line)
        .map_err(|error| format!("its walk is not one of this version: {error}"))
}

/// A word of the scenario language.
pub fn word<S: Serializer>(word: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(word)
}
