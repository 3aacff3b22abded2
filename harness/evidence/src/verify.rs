//! Whether an evidence folder is what was written, and who says so.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use ssh_key::HashAlg;
use time::OffsetDateTime;

use crate::manifest::{Entry, LARGEST_MANIFEST, MANIFEST, Manifest, Refusal, SIGNATURE};
use crate::printable::printable;
use crate::signature::{KeyError, signer_of, text_of};
use crate::signers::Signers;

/// Folders in folders.
const DEEPEST: usize = 32;

/// What there is to say of an evidence folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What it says that it holds.
    pub manifest: Manifest,
    /// Where it differs from that, in the order of paths.
    pub faults: Vec<Fault>,
    /// Who signed the manifest.
    pub signed: SignedBy,
}

impl Verified {
    /// Whether each file is as the manifest says, and no other is there.
    pub fn is_whole(&self) -> bool {
        self.faults.is_empty()
    }
}

/// A difference between the folder and its manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A file has other bytes.
    Changed(String),
    /// A file is not there.
    Missing(String),
    /// A file that the manifest does not name.
    Added(String),
}

/// Whose signature the manifest has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedBy {
    /// Nobody's.
    Nobody,
    /// A signer's that was asked for.
    Known {
        /// What the signer is called.
        name: String,
        /// The fingerprint of the key.
        fingerprint: String,
    },
    /// Somebody else's; also if no signer was asked for.
    Another {
        /// The fingerprint of the key.
        fingerprint: String,
    },
    /// What stands there is no signature of this manifest.
    Invalid(String),
}

/// A folder is refused, or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A folder without a manifest.
    #[error("{} is no evidence: there is no {MANIFEST} in it", .0.display())]
    NoEvidence(PathBuf),
    /// It holds what no evidence holds.
    #[error("the evidence {} is refused: {why}", path.display())]
    Refused {
        /// The folder.
        path: PathBuf,
        /// Why.
        why: Refusal,
    },
    /// A file cannot be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
}

/// Reads the whole folder and compares it with its manifest, and the manifest's signature with `signers`.
pub fn verify(folder: &Path, signers: &Signers) -> Result<Verified, VerifyError> {
    let refused = |why: String| VerifyError::Refused {
        path: folder.to_owned(),
        why: Refusal(why),
    };
    let text = manifest_of(folder)?;
    let manifest = Manifest::read(&text).map_err(|why| refused(why.0))?;
    let mut there = BTreeMap::new();
    walk(folder, "", DEEPEST, &mut there)?;
    there.remove(MANIFEST);
    let is_signed = there.remove(SIGNATURE).is_some();
    let mut faults = Vec::new();
    for entry in &manifest.files {
        match there.remove(&entry.path) {
            None => faults.push(Fault::Missing(entry.path.clone())),
            Some(bytes) if bytes != entry.bytes || !is_same(folder, entry)? => {
                faults.push(Fault::Changed(entry.path.clone()));
            }
            Some(_) => {}
        }
    }
    faults.extend(there.into_keys().map(Fault::Added));
    let signed = match is_signed {
        true => signed_by(&folder.join(SIGNATURE), &text, signers)?,
        false => SignedBy::Nobody,
    };
    Ok(Verified {
        manifest,
        faults,
        signed,
    })
}

fn manifest_of(folder: &Path) -> Result<Vec<u8>, VerifyError> {
    let path = folder.join(MANIFEST);
    let file = match open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(VerifyError::NoEvidence(folder.to_owned()));
        }
        other => other.map_err(unreadable(&path))?,
    };
    let mut text = Vec::new();
    file.take(LARGEST_MANIFEST + 1)
        .read_to_end(&mut text)
        .map_err(unreadable(&path))?;
    match text.len() as u64 > LARGEST_MANIFEST {
        true => Err(VerifyError::Refused {
            path: folder.to_owned(),
            why: Refusal(format!(
                "{MANIFEST} is larger than {} MB",
                LARGEST_MANIFEST >> 20
            )),
        }),
        false => Ok(text),
    }
}

/// The size of each file below `folder`, by its path. What is neither file nor folder is refused.
fn walk(
    folder: &Path,
    below: &str,
    depth: usize,
    found: &mut BTreeMap<String, u64>,
) -> Result<(), VerifyError> {
    let here = folder.join(below);
    let refused = |path: &str, why: &str| VerifyError::Refused {
        path: folder.to_owned(),
        why: Refusal(format!("{} {why}", printable(path))),
    };
    if depth == 0 {
        return Err(refused(below, "is too deep"));
    }
    for entry in fs::read_dir(&here).map_err(unreadable(&here))? {
        let entry = entry.map_err(unreadable(&here))?;
        let joined = |name: &str| match below {
            "" => name.to_owned(),
            below => format!("{below}/{name}"),
        };
        let path = match entry.file_name().into_string() {
            Ok(name) => joined(&name),
            // Two such names may look the same, and a manifest has neither.
            Err(name) => {
                let path = joined(&name.to_string_lossy());
                return Err(refused(&path, "has a name that is no UTF-8"));
            }
        };
        // Of the entry itself, not of what a link leads to.
        let metadata = entry.metadata().map_err(unreadable(&entry.path()))?;
        if metadata.is_dir() {
            walk(folder, &path, depth - 1, found)?;
        } else if metadata.is_file() {
            found.insert(path, metadata.len());
        } else if metadata.is_symlink() {
            return Err(refused(
                &path,
                "is a link, which may lead out of the folder",
            ));
        } else {
            return Err(refused(&path, "is no plain file"));
        }
    }
    Ok(())
}

fn is_same(folder: &Path, entry: &Entry) -> Result<bool, VerifyError> {
    let path = folder.join(&entry.path);
    let unreadable = unreadable(&path);
    let mut file = open(&path).map_err(&unreadable)?.take(entry.bytes);
    let mut hash = Sha256::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        match file.read(&mut piece).map_err(&unreadable)? {
            0 => break,
            length => hash.update(&piece[..length]),
        }
    }
    Ok(hex::encode(hash.finalize()) == entry.sha256)
}

fn signed_by(path: &Path, message: &[u8], signers: &Signers) -> Result<SignedBy, VerifyError> {
    let text = match text_of(path) {
        Ok(text) => text,
        // Bytes that are no text are no signature.
        Err(KeyError::Read { source, .. }) if source.kind() == io::ErrorKind::InvalidData => {
            return Ok(SignedBy::Invalid("it is no text".to_owned()));
        }
        Err(KeyError::Read { path, source }) => return Err(VerifyError::Read { path, source }),
        Err(KeyError::Unusable { why, .. }) => return Ok(SignedBy::Invalid(why)),
    };
    let key = match signer_of(&text, message) {
        Ok(key) => key,
        Err(why) => return Ok(SignedBy::Invalid(why)),
    };
    let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
    let now = OffsetDateTime::from(SystemTime::now());
    Ok(match signers.name_of(&key, now) {
        Some(name) => SignedBy::Known {
            name: name.to_owned(),
            fingerprint,
        },
        None => SignedBy::Another { fingerprint },
    })
}

/// Opens a file that is no link, and does not wait for one that is a pipe.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> VerifyError + '_ {
    |source| VerifyError::Read {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;
    use crate::Folder;

    #[test]
    fn names_that_cannot_be_shown_are_refused_or_escaped() {
        let folder = tempfile::tempdir().expect("there is room");
        let out = folder.path().join("evidence");
        let begun = Folder::begin(&out).expect("there is room");
        begun.finish("t", 0, None).expect("there is room");
        for (name, why) in [
            (&b"a\xff"[..], "a\u{fffd} has a name that is no UTF-8"),
            (b"a\x1b[2J", "a\\u{1b}[2J is a link"),
        ] {
            let place = out.join(OsStr::from_bytes(name));
            std::os::unix::fs::symlink("..", &place).expect("there is room");
            let error = verify(&out, &Signers::default()).expect_err("it is refused");
            assert!(error.to_string().contains(why), "{error}");
            fs::remove_file(place).expect("it is there");
        }
        assert!(verify(&out, &Signers::default()).is_ok_and(|verified| verified.is_whole()));
    }
}
