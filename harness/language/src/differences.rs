//! What must be otherwise on some board, and why.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::decode::decode;
use super::filter::Filter;
use super::mistake::{Mistake, Mistakes};
use super::read::ReadError;
use super::scenario::Case;
use super::span::Placed;
use super::tree::Node;

/// Where differences stand: beside scenarios, or in a folder above.
pub const FILE: &str = "differences.yaml";

/// A case that cannot be the same on a board as on the others.
#[derive(Clone, Debug)]
pub struct Difference {
    /// Name of the board.
    board: String,
    /// Filter for the cases.
    cases: Filter,
    /// Why; reports show it.
    pub because: String,
    /// What is otherwise.
    pub otherwise: Otherwise,
}

/// What is otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Otherwise {
    /// The case is not run.
    Skipped,
    /// The board has transcripts of its own: `NAME.BOARD.snap`.
    Transcript,
}

/// A difference as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    board: Placed<String>,
    cases: Placed<String>,
    otherwise: Otherwise,
    because: Placed<String>,
}

/// The differences that stand beside the scenarios of `cases`.
#[derive(Debug, Default)]
pub struct Differences {
    /// By the folder whose scenarios they are about.
    by_folder: BTreeMap<PathBuf, Vec<Difference>>,
}

impl Differences {
    /// Reads the files that are about `cases`.
    pub fn of(cases: &[Case]) -> Result<Self, Vec<ReadError>> {
        let mut differences = Self::default();
        let mut errors = Vec::new();
        for case in cases {
            for folder in Path::new(&case.file).ancestors().skip(1) {
                if differences.by_folder.contains_key(folder) {
                    break;
                }
                let read = read(&folder.join(FILE)).unwrap_or_else(|error| {
                    errors.push(error);
                    Vec::new()
                });
                differences.by_folder.insert(folder.to_owned(), read);
            }
        }
        if errors.is_empty() {
            Ok(differences)
        } else {
            Err(errors)
        }
    }

    /// The files that say something about the scenarios of `case`'s folder.
    pub fn files_about(&self, case: &Case) -> impl Iterator<Item = PathBuf> {
        let folders = Path::new(&case.file).ancestors().skip(1);
        let says = |folder: &&Path| {
            let read = self.by_folder.get(*folder);
            read.is_some_and(|differences| !differences.is_empty())
        };
        folders.filter(says).map(|folder| folder.join(FILE))
    }

    /// What is otherwise for `case` on `board`; the nearest file counts, and there the first.
    pub fn between(&self, case: &Case, board: &str) -> Option<&Difference> {
        Path::new(&case.file)
            .ancestors()
            .skip(1)
            .filter_map(|folder| self.by_folder.get(folder))
            .flatten()
            .find(|difference| difference.board == board && difference.cases.matches(case))
    }
}

/// The differences in the file at `path`; none if there is no file.
fn read(path: &Path) -> Result<Vec<Difference>, ReadError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            return Err(ReadError::Io {
                path: path.to_owned(),
                source,
            });
        }
    };
    parse(&text).map_err(|mistake| {
        let file = path.display().to_string();
        Mistakes::new(&file, &text, vec![mistake]).into()
    })
}

fn parse(text: &str) -> Result<Vec<Difference>, Mistake> {
    let root = Node::read(text)?;
    let written: Vec<Written> = decode(&root)?;
    written
        .into_iter()
        .map(|written| {
            if written.because.trim().is_empty() {
                return Err(Mistake::at(written.because.span, "why? Reports show it"));
            }
            let cases = Filter::parse(&written.cases)
                .map_err(|error| Mistake::at(written.cases.span, error.to_string()))?;
            Ok(Difference {
                board: written.board.value,
                cases,
                because: written.because.value,
                otherwise: written.otherwise,
            })
        })
        .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "in tests a panic is the message")]
mod tests {
    use super::*;
    use crate::{Known, parse as parse_scenario};

    const SCENARIO: &str = "\
name: One
tags: [slow]
world: { devices: { device: {} } }
steps: [{ power: on }]
";

    fn cases(folder: &Path) -> Vec<Case> {
        let file = folder.join("deep/one.yaml");
        parse_scenario(&file.to_string_lossy(), SCENARIO, &Known::default()).unwrap()
    }

    #[test]
    fn a_difference_is_about_its_board_and_its_cases() {
        let folder = tempfile::tempdir().unwrap();
        let text = "- { board: qemu, cases: tag(slow), otherwise: skipped, because: too slow }\n";
        fs::write(folder.path().join(FILE), text).unwrap();
        let cases = cases(folder.path());
        let differences = Differences::of(&cases).unwrap();
        let found = differences.between(&cases[0], "qemu").unwrap();
        assert_eq!(found.because, "too slow");
        assert_eq!(found.otherwise, Otherwise::Skipped);
        assert!(differences.between(&cases[0], "native").is_none());
        let files: Vec<_> = differences.files_about(&cases[0]).collect();
        assert_eq!(files, [folder.path().join(FILE)]);
    }

    #[test]
    fn a_difference_without_a_reason_is_a_mistake_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        for (text, problem) in [
            (
                "- { board: qemu, cases: tag(slow), otherwise: skipped, because: ' ' }",
                "why?",
            ),
            (
                "- { board: qemu, cases: 'tag(', otherwise: skipped, because: x }",
                "tag",
            ),
            (
                "- { board: qemu, cases: tag(slow), otherwise: gone, because: x }",
                "gone",
            ),
            ("board: qemu", "list"),
        ] {
            fs::write(folder.path().join(FILE), text).unwrap();
            let errors = Differences::of(&cases(folder.path())).unwrap_err();
            let shown = format!(
                "{:?}",
                miette::Report::new(errors.into_iter().next().unwrap())
            );
            assert!(shown.contains(problem) && shown.contains(FILE), "{shown}");
        }
    }
}
