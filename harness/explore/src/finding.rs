//! What was found: a walk that fails, shrunk and confirmed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::print::print;
use crate::run::{Ended, write};
use crate::walk::Walk;
use crate::{ExploreError, spelling};

/// A failure, with the shortest walk that has it.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What fails, in a few words.
    pub signature: String,
    /// Seed of the walks.
    pub seed: u64,
    /// Which walk of the seed failed first.
    pub index: u64,
    /// Wall time from the start to that failure, in ms.
    pub found_after_ms: u64,
    /// Actions of the walk as it was drawn.
    pub drawn: usize,
    /// The shortest walk.
    pub walk: Walk,
    /// Walks that were tried to make it shorter.
    pub tried: usize,
    /// Whether more would have been tried, had there been time.
    pub was_cut: bool,
    /// How often the shortest walk failed, of how many times.
    pub fails: (usize, usize),
    /// What the device did, in the engine's words.
    pub message: String,
    /// How many walks failed alike.
    pub times: u64,
    /// The scenario.
    pub file: PathBuf,
    /// For a flaky one, what was otherwise: events of a run that failed and of one that passed.
    pub traces: Option<(Vec<String>, Vec<String>)>,
}

impl Finding {
    /// Whether it does not fail each time.
    pub fn is_flaky(&self) -> bool {
        self.fails.0 < self.fails.1
    }

    /// The scenario's text.
    pub fn yaml(&self) -> String {
        let (failed, of) = self.fails;
        let mut comment = vec![
            format!("Explored: walk {} of seed {}.", self.index, self.seed),
            format!("Signature: {}", self.signature),
            format!(
                "{} actions shrunk to {} in {} tries{}; fails {failed} of {of} times{}.",
                self.drawn,
                self.walk.actions.len(),
                self.tried,
                if self.was_cut {
                    ", and not to the end"
                } else {
                    ""
                },
                if self.is_flaky() { ": FLAKY" } else { "" },
            ),
        ];
        let message = self
            .message
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        comment.push(format!("What happened: {message}"));
        comment.push(spelling::line(&self.walk));
        let name = format!("explored: {}", self.signature);
        print(&self.walk, &name, &comment).map_or_else(String::new, |printed| printed.yaml)
    }

    /// Writes the scenario into `folder`, and for a flaky one both traces beside it.
    pub fn write(&mut self, folder: &Path) -> Result<(), ExploreError> {
        fs::create_dir_all(folder).map_err(|source| ExploreError::Write {
            path: folder.to_owned(),
            source,
        })?;
        let name = file_name(&self.signature);
        self.file = folder.join(format!("{name}.yaml"));
        write(&self.file, &self.yaml())?;
        if let Some((failed, passed)) = &self.traces {
            write(
                &folder.join(format!("{name}.failed.txt")),
                &failed.join("\n"),
            )?;
            write(
                &folder.join(format!("{name}.passed.txt")),
                &passed.join("\n"),
            )?;
        }
        Ok(())
    }
}

/// The events of a run that failed and of one that passed, if there are both.
pub fn both_traces(signature: &str, runs: &[Ended]) -> Option<(Vec<String>, Vec<String>)> {
    let is_it = |run: &&Ended| run.failed_by(signature);
    let failed = runs.iter().find(is_it)?;
    let passed = runs.iter().find(|run| !is_it(run))?;
    Some((failed.projection.clone(), passed.projection.clone()))
}

/// A file's name of what people read.
fn file_name(text: &str) -> String {
    let safe: String = text
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect();
    let parts: Vec<&str> = safe.split('-').filter(|part| !part.is_empty()).collect();
    let name: String = parts.join("-").chars().take(80).collect();
    if name.is_empty() {
        "finding".to_owned()
    } else {
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_safe() {
        assert_eq!(
            file_name("provision: log: a/b \"c\""),
            "provision-log-a-b-c"
        );
        assert_eq!(file_name("../.."), "finding");
    }
}
