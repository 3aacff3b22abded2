//! The evidence folder of a qualification.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use ::evidence::{Folder, FolderError, Signer, redacted};
use report::{AttemptResult, RunSummary};
use sha2::{Digest, Sha256};

use super::super::CommandError;
use super::arguments::Qualify;
use super::record::Record;
use super::{QualifyError, TOOL, certificates, now_ms, pages};

/// Writes it, with the texts of `record`'s sources, completes `record` by what else stands in it, and returns how
/// many files there are.
pub(super) fn store(
    arguments: &Qualify,
    summary: &RunSummary,
    record: &mut Record,
    texts: Vec<Vec<u8>>,
    signer: Option<&Signer>,
) -> Result<usize, CommandError> {
    let mut folder = Folder::begin(&arguments.out).map_err(QualifyError::from)?;
    let written = |result: Result<(), FolderError>| result.map_err(QualifyError::from);
    for (source, text) in record.sources.iter().zip(texts) {
        written(folder.write(&source.stored, text))?;
    }
    record.tool_sha256 = tool_sha256();
    record.certificates_seen = certificates::seen(summary);
    if let Some(rig) = rig_of(arguments, summary) {
        written(folder.write("rig.json", shown_rig(rig)?))?;
        if let Some(authority) = certificates::authority(rig) {
            written(folder.write("certificates/authority.pem", authority))?;
        }
    }
    let mut moved = summary.clone();
    moved.folder = PathBuf::from(".");
    for (attempt, moved) in
        attempts(summary).zip((moved.cases.iter_mut()).flat_map(|case| &mut case.attempts))
    {
        let place = place_of(summary, attempt);
        moved.folder.clone_from(&place);
        let trace = attempt.trace();
        // A worker that never came to write one is told by its verdict.
        if let Ok(mut file) = File::open(&trace) {
            let path = format!("{}/{}", place.display(), AttemptResult::TRACE);
            written(folder.take(&path, &mut file))?;
        }
    }
    written(folder.write(RunSummary::FILE, json(&moved)?))?;
    written(folder.write("qualification.json", json(record)?))?;
    let root = folder.place("");
    written(folder.write("report.html", pages::page(&moved, &root, record)?))?;
    let files = folder.finish(TOOL, now_ms(), signer);
    Ok(files.map_err(QualifyError::from)?)
}

fn attempts(summary: &RunSummary) -> impl Iterator<Item = &AttemptResult> {
    summary.cases.iter().flat_map(|case| &case.attempts)
}

/// Where an attempt stands in the evidence: `traces/CASE/1`, as in the run's folder.
fn place_of(summary: &RunSummary, attempt: &AttemptResult) -> PathBuf {
    let below = attempt.folder.strip_prefix(&summary.folder);
    let below = below.unwrap_or(Path::new("attempts"));
    Path::new("traces").join(below)
}

/// The rig file, if a board of it was run.
fn rig_of<'a>(arguments: &'a Qualify, summary: &RunSummary) -> Option<&'a Path> {
    let is_real = |name: &String| !board::rig::VIRTUAL_BOARDS.contains(&name.as_str());
    let mut boards = summary.cases.iter().map(|case| &case.board);
    boards
        .any(is_real)
        .then_some(arguments.boards.rig.path.as_path())
}

fn shown_rig(path: &Path) -> Result<String, CommandError> {
    let text = fs::read_to_string(path).map_err(CommandError::unreadable(path))?;
    // It was read as a rig file a while ago: what is no TOML now was changed meanwhile.
    let table: toml::Table = toml::from_str(&text)
        .map_err(std::io::Error::other)
        .map_err(CommandError::unreadable(path))?;
    let value = serde_json::to_value(table)
        .map_err(std::io::Error::from)
        .map_err(CommandError::unreadable(path))?;
    json(&redacted(value))
}

fn tool_sha256() -> Option<String> {
    let mut program = File::open(std::env::current_exe().ok()?).ok()?;
    let mut hash = Sha256::new();
    std::io::copy(&mut program, &mut hash).ok()?;
    Some(hex::encode(hash.finalize()))
}

fn json(value: &impl serde::Serialize) -> Result<String, CommandError> {
    let text = serde_json::to_string_pretty(value).map_err(std::io::Error::from);
    Ok(text.map_err(CommandError::Output)? + "\n")
}
