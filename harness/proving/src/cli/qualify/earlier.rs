//! The evidence of an earlier release.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use ::evidence::compare::Measured;
use ::evidence::{Fault, MANIFEST, Signers, VerifyError, verify};
use miette::Diagnostic;
use report::{AttemptResult, FORMAT_VERSION, RunSummary};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::record::{Origin, Source};

/// Evidence, and what its cases have shown.
pub(super) struct Earlier {
    pub(super) measured: BTreeMap<String, Measured>,
    pub(super) origin: Origin,
    /// SHA-256 of each source, by its path.
    sources: BTreeMap<String, String>,
}

/// Earlier evidence cannot be compared with.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(in crate::cli) enum EarlierError {
    /// It is none, or refused.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// It is no longer what was written.
    #[error("{} is not as it was written: {what}", path.display())]
    #[diagnostic(help("`proving evidence verify {}` tells all that differs", path.display()))]
    Differs {
        /// The folder.
        path: PathBuf,
        /// The first difference.
        what: String,
    },
    /// Its summary cannot be read.
    #[error("failed to read {}: {why}", path.display())]
    Summary {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
}

impl Earlier {
    /// Verifies the evidence in `folder` and reads it.
    pub(super) fn open(folder: &Path) -> Result<Self, EarlierError> {
        let verified = verify(folder, &Signers::default())?;
        if let Some(fault) = verified.faults.first() {
            let what = match fault {
                Fault::Changed(file) => format!("{file} was changed"),
                Fault::Missing(file) => format!("{file} is missing"),
                Fault::Added(file) => format!("{file} was added"),
            };
            let path = folder.to_owned();
            return Err(EarlierError::Differs { path, what });
        }
        let path = folder.join(RunSummary::FILE);
        let wrong = |why: String| EarlierError::Summary {
            path: path.clone(),
            why,
        };
        let text = fs::read(&path).map_err(|error| wrong(error.to_string()))?;
        let summary: RunSummary =
            serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        if summary.version != FORMAT_VERSION {
            return Err(wrong(format!(
                "it is of version {}, this program reads {FORMAT_VERSION}",
                summary.version
            )));
        }
        let manifest = folder.join(MANIFEST);
        let manifest = fs::read(manifest).map_err(|error| wrong(error.to_string()))?;
        let cases = summary.cases.iter().map(|case| {
            let measured = Measured::of(case, |attempt| trace_below(folder, attempt));
            (case.case.clone(), measured)
        });
        Ok(Self {
            sources: sources(folder)
                .ok_or_else(|| wrong("qualification.json is none".to_owned()))?,
            measured: cases.collect(),
            origin: Origin {
                tool: verified.manifest.tool,
                run: summary.run.clone(),
                manifest_sha256: hex::encode(Sha256::digest(&manifest)),
            },
        })
    }

    /// Which of `sources` said something else then.
    pub(super) fn changed(&self, sources: &[Source]) -> Vec<String> {
        let changed = sources.iter().filter(|source| {
            let then = self.sources.get(&source.file);
            then.is_some_and(|sha256| *sha256 != source.sha256)
        });
        changed.map(|source| source.file.clone()).collect()
    }
}

/// The sources of `qualification.json`.
fn sources(folder: &Path) -> Option<BTreeMap<String, String>> {
    let text = fs::read(folder.join("qualification.json")).ok()?;
    let record: Value = serde_json::from_slice(&text).ok()?;
    let of = |source: &Value| {
        let text = |name: &str| Some(source[name].as_str()?.to_owned());
        Some((text("file")?, text("sha256")?))
    };
    record["sources"].as_array()?.iter().map(of).collect()
}

/// The trace of an attempt, which the summary of a stranger may place anywhere.
fn trace_below(folder: &Path, attempt: &AttemptResult) -> Option<PathBuf> {
    let trace = attempt.trace();
    let is_below = trace
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    is_below.then(|| folder.join(trace))
}
