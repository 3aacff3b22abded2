//! The folder that a program keeps things in.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::error::{BoardError, MARKER, ProcessError};

/// The most that is read of a folder, in bytes.
const MOST: u64 = 64 << 20;

/// A device's folder. What is in it is erased, so it is one that was made for that: it holds
/// [`MARKER`], or nothing.
#[derive(Clone, Debug)]
pub(super) struct Storage {
    path: PathBuf,
}

impl Storage {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder, if it is not there.
    pub(super) fn prepare(&self) -> Result<(), BoardError> {
        let failed = |what: &'static str| {
            let what = format!("{what} the device's folder {}", self.path.display());
            move |source| BoardError::Io { what, source }
        };
        fs::create_dir_all(&self.path).map_err(failed("make"))?;
        let marker = self.path.join(MARKER);
        if marker.is_file() {
            return Ok(());
        }
        let mut entries = fs::read_dir(&self.path).map_err(failed("read"))?;
        if entries.next().is_some() {
            let path = self.path.clone();
            return Err(ProcessError::ForeignFolder { path }.into());
        }
        fs::write(
            marker,
            "What is in this folder is a device's, and erased.\n",
        )
        .map_err(failed("write into"))
    }

    /// Removes everything in it.
    pub(super) fn erase(&self) -> Result<(), BoardError> {
        self.prepare()?;
        let erased = || -> io::Result<()> {
            for entry in fs::read_dir(&self.path)? {
                let entry = entry?;
                if entry.file_name() == MARKER {
                    continue;
                }
                // A link is removed, not what it leads to.
                if entry.file_type()?.is_dir() {
                    fs::remove_dir_all(entry.path())?;
                } else {
                    fs::remove_file(entry.path())?;
                }
            }
            Ok(())
        };
        erased().map_err(|source| BoardError::Io {
            what: format!("erase the device's folder {}", self.path.display()),
            source,
        })
    }

    /// Every file in it, in the order of their paths: the path, a line's end, the length as eight
    /// bytes, least significant first, and the content.
    pub(super) fn read(&self) -> Result<Vec<u8>, BoardError> {
        self.prepare()?;
        let mut files = Vec::new();
        let found = list(&self.path, &mut files);
        files.sort();
        let mut image = Vec::new();
        let read = found.and_then(|()| {
            for path in &files {
                let name = path.strip_prefix(&self.path).unwrap_or(path);
                image.extend_from_slice(name.display().to_string().as_bytes());
                image.push(b'\n');
                let mut content = Vec::new();
                fs::File::open(path)?
                    .take(MOST + 1)
                    .read_to_end(&mut content)?;
                image.extend_from_slice(&(content.len() as u64).to_le_bytes());
                image.extend_from_slice(&content);
                if image.len() as u64 > MOST {
                    return Ok(false);
                }
            }
            Ok(true)
        });
        match read {
            Ok(true) => Ok(image),
            Ok(false) => Err(ProcessError::TooMuch {
                path: self.path.clone(),
                limit: MOST,
            }
            .into()),
            Err(source) => Err(BoardError::Io {
                what: format!("read the device's folder {}", self.path.display()),
                source,
            }),
        }
    }
}

/// The plain files below `folder`, without the marker. Links and devices are left alone.
fn list(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && entry.file_name() != MARKER {
                files.push(entry.path());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_other_files_is_not_erased() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("thesis.tex"), "years of work").expect("written");
        let storage = Storage::new(folder.path());
        let error = storage.erase().expect_err("refused").to_string();
        assert!(error.contains("so it is not erased"), "{error}");
        assert!(storage.prepare().is_err());
        assert!(folder.path().join("thesis.tex").exists());
    }

    #[test]
    fn erasing_leaves_nothing_and_harms_nothing_that_a_link_leads_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let storage = Storage::new(&folder.path().join("state"));
        storage.prepare().expect("made");
        let other = folder.path().join("other");
        fs::create_dir(&other).expect("made");
        fs::write(other.join("kept"), "x").expect("written");
        std::os::unix::fs::symlink(&other, storage.path().join("link")).expect("linked");
        fs::create_dir(storage.path().join("sub")).expect("made");
        fs::write(storage.path().join("sub/b"), "two").expect("written");
        fs::write(storage.path().join("a"), "one").expect("written");
        let image = storage.read().expect("readable");
        assert_eq!(
            image,
            b"a\n\x03\0\0\0\0\0\0\0onesub/b\n\x03\0\0\0\0\0\0\0two"
        );
        for _ in 0..2 {
            storage.erase().expect("erased");
            assert!(storage.read().expect("readable").is_empty());
        }
        assert!(other.join("kept").exists());
    }
}
