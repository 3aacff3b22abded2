//! An evidence folder while it is being written: it gets its name when it is whole.

use std::ffi::OsString;
use std::fs::{self, File};
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
        name.push(format!(".{}.part", std::process::id()));
        let part = out.with_file_name(name);
        // What a process of the same number has left.
        let _ = fs::remove_dir_all(&part);
        fs::create_dir_all(&part).map_err(unwritable(&part))?;
        Ok(Self {
            out: out.to_owned(),
            part,
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
        self,
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
        Ok(manifest.files.len())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // After `finish` it is not there any more.
        let _ = fs::remove_dir_all(&self.part);
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
