//! The sources of what is run, as they are before the first attempt.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use super::super::CommandError;
use super::super::bundle::without_keys;
use super::super::prepared::Prepared;
use super::record::Source;

/// Folder of the transcripts, beside the scenario.
const TRANSCRIPTS: &str = "snapshots";

/// What the cases of a run are read from. Each attempt reads it again, so it must not change meanwhile.
#[derive(Debug, Default)]
pub(super) struct Sources {
    files: BTreeMap<PathBuf, File>,
    /// The scenario first.
    of_case: BTreeMap<String, Vec<PathBuf>>,
}

#[derive(Debug)]
struct File {
    source: Source,
    /// Without private keys.
    text: Vec<u8>,
}

impl Sources {
    /// Reads what `cases`, as they were prepared, were read from, and their transcripts.
    pub(super) fn read(
        cases: &[language::Case],
        prepared: &Prepared,
    ) -> Result<Self, CommandError> {
        let by_id: BTreeMap<&str, &language::Case> =
            cases.iter().map(|case| (case.id.as_str(), case)).collect();
        let mut sources = Self::default();
        for planned in &prepared.cases {
            let Some(case) = by_id.get(planned.case_id.as_str()) else {
                continue;
            };
            let beside = planned.scenario.parent().unwrap_or(Path::new(""));
            let transcripts = case.transcripts().map(|name| {
                let name = match planned.own_transcripts {
                    true => format!("{name}.{}.snap", planned.board),
                    false => format!("{name}.snap"),
                };
                beside.join(TRANSCRIPTS).join(name)
            });
            let mut files: BTreeSet<PathBuf> = case.read_from();
            files.extend(prepared.differences.files_about(case));
            // One that is not there fails its case.
            files.extend(transcripts.filter(|path| path.is_file()));
            files.remove(&planned.scenario);
            let mut of_case = vec![planned.scenario.clone()];
            of_case.extend(files);
            sources.of_case.insert(planned.id.clone(), of_case);
        }
        let paths: BTreeSet<&PathBuf> = sources.of_case.values().flatten().collect();
        let mut taken = BTreeMap::new();
        for path in paths {
            let bytes = fs::read(path).map_err(CommandError::unreadable(path))?;
            let source = Source {
                file: path.display().to_string(),
                stored: stored(path, &mut taken),
                sha256: sha256(&bytes),
            };
            let text = without_keys(bytes);
            sources.files.insert(path.clone(), File { source, text });
        }
        Ok(sources)
    }

    /// What is said of each file.
    pub(super) fn records(&self) -> Vec<Source> {
        let files = self.files.values();
        files.map(|file| file.source.clone()).collect()
    }

    /// Where each file is stored, and what it holds but for private keys.
    pub(super) fn stored(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let files = self.files.values();
        files.map(|file| (file.source.stored.as_str(), file.text.as_slice()))
    }

    /// The same by the names that traces have for the files.
    pub(super) fn texts(&self) -> BTreeMap<String, String> {
        let text = |file: &File| {
            let text = String::from_utf8_lossy(&file.text).into_owned();
            (file.source.file.clone(), text)
        };
        self.files.values().map(text).collect()
    }

    /// Where the sources of a case are stored, its scenario first.
    pub(super) fn stored_of(&self, case: &str) -> Vec<String> {
        let paths = self.of_case.get(case).into_iter().flatten();
        let files = paths.filter_map(|path| self.files.get(path));
        files.map(|file| file.source.stored.clone()).collect()
    }

    /// The files that say something else by now, or cannot be read any more.
    pub(super) fn changed(&self) -> Vec<String> {
        let files = self.files.iter();
        let changed = files.filter(|(path, file)| !is_still(path, &file.source.sha256));
        changed.map(|(_, file)| file.source.file.clone()).collect()
    }
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Whether the file at `path` has this SHA-256.
pub(super) fn is_still(path: &Path, expected: &str) -> bool {
    fs::read(path).is_ok_and(|bytes| sha256(&bytes) == expected)
}

/// `scenarios/` and the path without what leads out of a folder; a number before it if another file has that.
fn stored(path: &Path, taken: &mut BTreeMap<String, u32>) -> String {
    let parts = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(plain(&name.to_string_lossy())),
        _ => None,
    });
    let mut parts: Vec<String> = parts.collect();
    if parts.first().is_some_and(|first| first == "scenarios") && parts.len() > 1 {
        parts.remove(0);
    }
    let path = parts.join("/");
    let number = taken.entry(path.to_lowercase()).or_insert(0);
    *number += 1;
    match *number {
        1 => format!("scenarios/{path}"),
        number => format!("scenarios/{number}-{path}"),
    }
}

fn plain(name: &str) -> String {
    let safe = |c: char| match c {
        c if c.is_alphanumeric() => c,
        '.' | '-' | '_' | '=' | ' ' | '[' | ']' => c,
        _ => '_',
    };
    name.chars().map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_has_a_place_of_its_own_below_the_evidence() {
        let mut taken = BTreeMap::new();
        let stored: Vec<String> = [
            "scenarios/tls/a.yaml",
            "tls/a.yaml",
            "../tls/A.yaml",
            "/home/x/a.yaml",
            "scenarios",
            "a\nb.yaml",
        ]
        .into_iter()
        .map(|path| stored(Path::new(path), &mut taken))
        .collect();
        assert_eq!(
            stored,
            [
                "scenarios/tls/a.yaml",
                "scenarios/2-tls/a.yaml",
                "scenarios/3-tls/A.yaml",
                "scenarios/home/x/a.yaml",
                "scenarios/scenarios",
                "scenarios/a_b.yaml",
            ]
        );
    }
}
