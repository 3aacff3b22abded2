//! The evidence folder of a qualification.

use std::fs::File;
use std::path::{Path, PathBuf};

use ::evidence::{Folder, FolderError, Signer};
use report::{AttemptResult, RunSummary};
use sha2::{Digest, Sha256};

use super::super::CommandError;
use super::record::Record;
use super::rig_file::RigFile;
use super::sources::Sources;
use super::{QualifyError, TOOL, certificates, now_ms, pages};

/// Writes it, completes `record` by what else stands in it, and returns how many files there are.
pub(super) fn store(
    mut folder: Folder,
    summary: &RunSummary,
    record: &mut Record,
    sources: &Sources,
    rig: Option<&RigFile>,
    signer: Option<&Signer>,
) -> Result<usize, CommandError> {
    let written = |result: Result<(), FolderError>| result.map_err(QualifyError::Store);
    for (path, text) in sources.stored() {
        written(folder.write(path, text))?;
    }
    record.tool_sha256 = tool_sha256();
    record.certificates_seen = certificates::seen(summary);
    if let Some(rig) = rig {
        written(folder.write("rig.json", &rig.shown))?;
        if let Some(authority) = &rig.authority {
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
    let page = pages::page(&moved, &root, record, &sources.texts())?;
    written(folder.write("report.html", page))?;
    let files = folder.finish(TOOL, now_ms(), signer);
    Ok(files.map_err(QualifyError::Store)?)
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

fn tool_sha256() -> Option<String> {
    let mut program = File::open(std::env::current_exe().ok()?).ok()?;
    let mut hash = Sha256::new();
    std::io::copy(&mut program, &mut hash).ok()?;
    Some(hex::encode(hash.finalize()))
}

pub(super) fn json(value: &impl serde::Serialize) -> Result<String, CommandError> {
    let text = serde_json::to_string_pretty(value).map_err(std::io::Error::from);
    Ok(text.map_err(CommandError::Output)? + "\n")
}
