//! The evidence of an earlier release.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use ::evidence::compare::Measured;
use ::evidence::{Fault, MANIFEST, SignedBy, Signers, VerifyError, printable, verify};
use miette::Diagnostic;
use report::{FORMAT_VERSION, RunSummary};
use serde_json::Value;

use super::record::{Origin, Record, Source};
use super::sources::sha256;

/// Bytes of a file that is read whole.
const LARGEST: u64 = 64 << 20;

/// Evidence, and what its cases have shown.
pub(super) struct Earlier {
    pub(super) measured: BTreeMap<String, Measured>,
    pub(super) origin: Origin,
    /// SHA-256 of each source of a case, by the case's identifier: paths depend on where it was run.
    sources: BTreeMap<String, BTreeSet<String>>,
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
    /// What stands there is no signature of it.
    #[error("the signature of {} is not valid: {why}", path.display())]
    #[diagnostic(help("ask for it again"))]
    Signature {
        /// The folder.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// It is not signed by the key that was named.
    #[error("{} is not signed by the key of --against-signed-by, but {by}", path.display())]
    Signer {
        /// The folder.
        path: PathBuf,
        /// By whom it is.
        by: String,
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
    /// Verifies the evidence in `folder`, which has to be signed by one of `trusted`, if there are any, and reads it.
    pub(super) fn open(folder: &Path, trusted: Option<&Signers>) -> Result<Self, EarlierError> {
        let verified = verify(folder, &trusted.cloned().unwrap_or_default())?;
        if let Some(fault) = verified.faults.first() {
            let what = match fault {
                Fault::Changed(file) => format!("{} was changed", printable(file)),
                Fault::Missing(file) => format!("{} is missing", printable(file)),
                Fault::Added(file) => format!("{} was added", printable(file)),
            };
            let path = folder.to_owned();
            return Err(EarlierError::Differs { path, what });
        }
        let signed_by = signer(folder, &verified.signed, trusted.is_some())?;
        let path = folder.join(RunSummary::FILE);
        let wrong = |why: String| EarlierError::Summary {
            path: path.clone(),
            why,
        };
        let text = read_whole(&path).map_err(|error| wrong(error.to_string()))?;
        let summary: RunSummary =
            serde_json::from_slice(&text).map_err(|error| wrong(printable(&error.to_string())))?;
        if summary.version != FORMAT_VERSION {
            return Err(wrong(format!(
                "it is of version {}, this program reads {FORMAT_VERSION}",
                summary.version
            )));
        }
        let manifest = folder.join(MANIFEST);
        let manifest = read_whole(&manifest).map_err(|error| wrong(error.to_string()))?;
        let cases = summary.cases.iter().map(|case| {
            let measured = Measured::of(case, |attempt| trace_in(folder, &attempt.trace()));
            (case.case.clone(), measured)
        });
        Ok(Self {
            sources: sources(folder)
                .ok_or_else(|| wrong("qualification.json is none".to_owned()))?,
            measured: cases.collect(),
            origin: Origin {
                tool: verified.manifest.tool,
                run: summary.run.clone(),
                manifest_sha256: sha256(&manifest),
                signed_by,
            },
        })
    }

    /// Sources of cases that were planned then, too, and were none of theirs, or said something else.
    pub(super) fn changed(&self, record: &Record) -> Vec<String> {
        let by_place = record.sources.iter();
        let by_place: BTreeMap<_, _> = by_place.map(|source| (&source.stored, source)).collect();
        let mut changed = BTreeSet::new();
        for case in &record.cases {
            let Some(then) = self.sources.get(&case.case) else {
                continue;
            };
            let now = case.sources.iter().filter_map(|place| by_place.get(place));
            let now: Vec<&Source> = now.copied().collect();
            let others = now.iter().filter(|source| !then.contains(&source.sha256));
            let mut others = others.peekable();
            // What it has lost has no name here: its scenario has.
            let is_lost = others.peek().is_none() && then.len() > distinct(&now);
            let lost = now.iter().take(usize::from(is_lost));
            changed.extend(others.chain(lost).map(|source| source.file.clone()));
        }
        changed.into_iter().collect()
    }
}

fn distinct(sources: &[&Source]) -> usize {
    let hashes: BTreeSet<_> = sources.iter().map(|source| &source.sha256).collect();
    hashes.len()
}

/// The fingerprint of the key that signed the evidence in `folder`, if any did.
fn signer(
    folder: &Path,
    signed: &SignedBy,
    is_named: bool,
) -> Result<Option<String>, EarlierError> {
    let path = folder.to_owned();
    match signed {
        SignedBy::Invalid(why) => {
            let why = why.clone();
            Err(EarlierError::Signature { path, why })
        }
        SignedBy::Known { fingerprint, .. } => Ok(Some(fingerprint.clone())),
        SignedBy::Another { fingerprint } if is_named => {
            let by = format!("by {fingerprint}");
            Err(EarlierError::Signer { path, by })
        }
        SignedBy::Another { fingerprint } => Ok(Some(fingerprint.clone())),
        SignedBy::Nobody if is_named => {
            let by = "by nobody".to_owned();
            Err(EarlierError::Signer { path, by })
        }
        SignedBy::Nobody => Ok(None),
    }
}

/// The SHA-256 of the sources of each case of `qualification.json`; none of a case that names none.
fn sources(folder: &Path) -> Option<BTreeMap<String, BTreeSet<String>>> {
    let text = read_whole(&folder.join("qualification.json")).ok()?;
    let record: Value = serde_json::from_slice(&text).ok()?;
    let text = |value: &Value| Some(value.as_str()?.to_owned());
    let hash = |source: &Value| Some((text(&source["stored"])?, text(&source["sha256"])?));
    let hashes = record["sources"].as_array()?.iter().map(hash);
    let hashes: BTreeMap<String, String> = hashes.collect::<Option<_>>()?;
    let of = |case: &Value| {
        let places = case["sources"].as_array().into_iter().flatten();
        let places = places.filter_map(Value::as_str);
        let hashes = places.filter_map(|place| hashes.get(place).cloned());
        Some((text(&case["case"])?, hashes.collect()))
    };
    record["cases"].as_array()?.iter().map(of).collect()
}

/// The file at `path`, which a stranger may have made as large as a disk.
fn read_whole(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)?;
    match bytes.len() as u64 > LARGEST {
        true => Err(io::Error::other(format!(
            "it is larger than {} MB",
            LARGEST >> 20
        ))),
        false => Ok(bytes),
    }
}

/// The trace of an attempt, which the summary of a stranger may place anywhere.
fn trace_in(folder: &Path, trace: &Path) -> Option<PathBuf> {
    let is_below = trace
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
    let path = is_below.then(|| folder.join(trace))?;
    let size = fs::metadata(&path).ok()?.len();
    (size <= LARGEST).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_too_large_is_not_read_whole() {
        let folder = tempfile::tempdir().expect("there is room");
        let path = folder.path().join("summary.json");
        let file = File::create(&path).expect("there is room");
        file.set_len(LARGEST + 1).expect("it takes no room");
        let error = read_whole(&path).expect_err("it is too large");
        assert!(error.to_string().contains("64 MB"), "{error}");
        let attempt = |size: u64| {
            file.set_len(size).expect("it takes no room");
            trace_in(folder.path(), Path::new("summary.json"))
        };
        assert_eq!(attempt(LARGEST + 1), None);
        assert_eq!(attempt(LARGEST), Some(path.clone()));
        assert_eq!(trace_in(folder.path(), &path), None, "it leads out");
    }
}
