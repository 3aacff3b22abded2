//! The sources of what was run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use report::RunSummary;
use sha2::{Digest, Sha256};

use super::super::CommandError;
use super::super::bundle::without_keys;
use super::record::Source;

/// The files, by where they are stored, with what there is to say of each.
pub(super) fn of(summary: &RunSummary) -> Result<Vec<(Source, Vec<u8>)>, CommandError> {
    let mut files = BTreeSet::new();
    for case in summary
        .cases
        .iter()
        .filter(|case| !case.attempts.is_empty())
    {
        files.insert(case.scenario.clone());
        files.extend(transcripts(&case.scenario));
        files.extend(certificates(&case.scenario));
    }
    let mut taken = BTreeMap::new();
    let mut found = Vec::new();
    for path in files {
        let bytes = fs::read(&path).map_err(CommandError::unreadable(&path))?;
        let source = Source {
            file: path.display().to_string(),
            stored: stored(&path, &mut taken),
            sha256: hex::encode(Sha256::digest(&bytes)),
        };
        found.push((source, without_keys(bytes)));
    }
    Ok(found)
}

/// Snapshots beside a scenario that compares a log with one.
fn transcripts(scenario: &Path) -> Vec<PathBuf> {
    let compares = fs::read_to_string(scenario).is_ok_and(|text| text.contains("transcript"));
    if !compares {
        return Vec::new();
    }
    let folder = scenario.parent().unwrap_or(Path::new("")).join("snapshots");
    let entries = fs::read_dir(folder).into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "snap")
        })
        .collect()
}

/// Files of certificate profiles that a scenario names: `certs: DIR`, and `FILE.yaml#NAME`.
fn certificates(scenario: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(scenario).unwrap_or_default();
    let beside = scenario.parent().unwrap_or(Path::new(""));
    let mut files = Vec::new();
    for line in text.lines() {
        if let Some(folder) = line.trim().strip_prefix("certs:") {
            let folder = beside.join(folder.trim().trim_matches(['"', '\'']));
            let entries = fs::read_dir(folder).into_iter().flatten();
            files.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
        }
        let named = line.split([' ', '"', '\'']).filter_map(|word| {
            let (file, _) = word.split_once(".yaml#")?;
            Some(beside.join(format!("{file}.yaml")))
        });
        files.extend(named);
    }
    files.retain(|file| file.is_file() && file.extension().is_some_and(|end| end == "yaml"));
    files
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
