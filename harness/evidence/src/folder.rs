//! An evidence folder while it is being written: it gets its name when it is whole.

use std::ffi::OsString;
use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::manifest::{Entry, MANIFEST, Manifest, SIGNATURE, judge_path};
use crate::signature::Signer;

/// An evidence folder that is not whole yet. Dropped before [`Folder::finish`], it leaves nothing; of a process
/// that is killed, a folder remains whose name begins with a dot and says that it is a part.
#[derive(Debug)]
pub struct Folder {
    out: PathBuf,
    part: PathBuf,
    /// Whether it has its name already.
    is_finished: bool,
    files: Vec<Entry>,
}

/// Evidence could not be written.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// There is something already.
    #[error("{} is there already: evidence is written once", .0.display())]
    Exists(PathBuf),
    /// A file or folder could not be written.
    #[error("failed to write {}", path.display())]
    Write {
        /// Where it was to stand.
        path: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// The manifest could not be signed.
    #[error("failed to sign the manifest: {0}")]
    Sign(String),
}

impl Folder {
    /// Begins a folder that will stand at `out`, where nothing may be yet.
    pub fn begin(out: &Path) -> Result<Self, FolderError> {
        Self::is_free(out)?;
        let mut name = OsString::from(".");
        name.push(out.file_name().unwrap_or_default());
        // Another process that writes the same evidence, on whatever host, has another.
        let random = RandomState::new().hash_one(std::process::id());
        name.push(format!(".{random:016x}.part"));
        let part = out.with_file_name(name);
        if let Some(parent) = part.parent() {
            fs::create_dir_all(parent).map_err(unwritable(parent))?;
        }
        fs::create_dir(&part).map_err(unwritable(&part))?;
        Ok(Self {
            out: out.to_owned(),
            part,
            is_finished: false,
            files: Vec::new(),
        })
    }

    /// Whether nothing stands at `out` yet.
    pub fn is_free(out: &Path) -> Result<(), FolderError> {
        match fs::symlink_metadata(out) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(unwritable(out)(source)),
            Ok(_) => Err(FolderError::Exists(out.to_owned())),
        }
    }

    /// Where a file of it stands until it is whole.
    pub fn place(&self, path: &str) -> PathBuf {
        self.part.join(path)
    }

    /// Writes a file. `path` is below the folder, with `/` between its parts.
    pub fn write(&mut self, path: &str, content: impl AsRef<[u8]>) -> Result<(), FolderError> {
        self.take(path, &mut content.as_ref())
    }

    /// Writes all that `from` has, without holding it.
    pub fn take(&mut self, path: &str, from: &mut dyn Read) -> Result<(), FolderError> {
        let place = self.place(path);
        let unwritable = unwritable(&place);
        judge_path(path)
            .map_err(io::Error::other)
            .map_err(&unwritable)?;
        let (sha256, bytes) = copy(from, &place).map_err(&unwritable)?;
        self.files.push(Entry {
            path: path.to_owned(),
            sha256,
            bytes,
        });
        Ok(())
    }

    /// Writes the manifest and its signature, and gives the folder its name. Returns how many files it holds
    /// besides these two.
    pub fn finish(
        mut self,
        tool: &str,
        written_ms: u64,
        signer: Option<&Signer>,
    ) -> Result<usize, FolderError> {
        let files = self.files.clone();
        let manifest = Manifest::new(tool, written_ms, files);
        let mut text = serde_json::to_string_pretty(&manifest)
            .map_err(io::Error::from)
            .map_err(unwritable(&self.place(MANIFEST)))?;
        text.push('\n');
        let place = self.place(MANIFEST);
        copy(&mut text.as_bytes(), &place).map_err(unwritable(&place))?;
        if let Some(signer) = signer {
            let signature = signer
                .sign(text.as_bytes())
                .map_err(|error| FolderError::Sign(error.to_string()))?;
            let place = self.place(SIGNATURE);
            copy(&mut signature.as_bytes(), &place).map_err(unwritable(&place))?;
        }
        // A folder that came there meanwhile stays: only an empty one is replaced.
        Self::is_free(&self.out)?;
        fs::rename(&self.part, &self.out).map_err(unwritable(&self.out))?;
        self.is_finished = true;
        Ok(manifest.files.len())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.is_finished {
            let _ = fs::remove_dir_all(&self.part);
        }
    }
}

/// Writes a new file, and returns its SHA-256 and size.
fn copy(from: &mut dyn Read, to: &Path) -> io::Result<(String, u64)> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = File::create_new(to)?;
    let mut hash = Sha256::new();
    let mut bytes = 0;
    let mut piece = vec![0; 1 << 16];
    loop {
        match from.read(&mut piece)? {
            0 => break,
            length => {
                hash.update(&piece[..length]);
                file.write_all(&piece[..length])?;
                bytes += length as u64;
            }
        }
    }
    // The name that the folder gets in the end must not be on the disk before what is in it.
    file.sync_data()?;
    Ok((hex::encode(hash.finalize()), bytes))
}

fn unwritable(path: &Path) -> impl Fn(io::Error) -> FolderError + '_ {
    |source| FolderError::Write {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("it is there");
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        entries
            .map(|entry| name(entry).to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn a_part_of_another_process_stays_as_it_is() {
        let folder = tempfile::tempdir().expect("there is room");
        let out = folder.path().join("evidence");
        let other = format!(".evidence.{}.part", std::process::id());
        fs::create_dir(folder.path().join(&other)).expect("there is room");
        fs::write(folder.path().join(&other).join("a"), "theirs").expect("there is room");
        let mut first = Folder::begin(&out).expect("there is room");
        let second = Folder::begin(&out).expect("there is room");
        assert_ne!(first.place(""), second.place(""));
        first.write("a", "ours").expect("there is room");
        assert_eq!(first.finish("t", 0, None).expect("it is whole"), 1);
        let error = second.finish("t", 0, None).expect_err("it would be lost");
        assert!(matches!(error, FolderError::Exists(_)), "{error}");
        let mut left = names(folder.path());
        left.sort();
        assert_eq!(left, [other.as_str(), "evidence"]);
        assert_eq!(names(&folder.path().join(&other)), ["a"]);
    }
}
