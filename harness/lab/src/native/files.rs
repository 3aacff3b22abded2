//! A native board's files: factory data, flash, and the order to cut the power in a write.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use board::BoardError;

/// Bytes of flash: 16 sectors of 4 KiB.
const CAPACITY: usize = 16 * 4096;
const ERASED: u8 = 0xFF;

/// Where one board's files are.
#[derive(Clone, Debug)]
pub(super) struct Files {
    factory: PathBuf,
    flash: PathBuf,
    /// Beside the flash file: the number of bytes that still reach the flash before the power
    /// fails, in decimal. The device looks at it at every write and removes it when it goes dark.
    cut: PathBuf,
}

impl Files {
    pub(super) fn new(folder: &Path, device: &str) -> Self {
        let stem: String = device
            .chars()
            .map(|c| {
                if c.is_alphanumeric() || c == '-' {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        Self {
            factory: folder.join(format!("{stem}.factory")),
            flash: folder.join(format!("{stem}.flash")),
            cut: folder.join(format!("{stem}.flash.cut")),
        }
    }

    pub(super) fn factory(&self) -> &Path {
        &self.factory
    }

    pub(super) fn flash(&self) -> &Path {
        &self.flash
    }

    /// Makes what a device needs to be there at power-on.
    pub(super) fn prepare(&self) -> Result<(), BoardError> {
        self.disarm_cut()?;
        if self.flash.exists() {
            return Ok(());
        }
        self.erase_storage()
    }

    pub(super) fn write_factory(&self, image: &[u8]) -> Result<(), BoardError> {
        replace(&self.factory, image).map_err(|source| failed("write", &self.factory, source))
    }

    pub(super) fn read_storage(&self) -> Result<Vec<u8>, BoardError> {
        match fs::read(&self.flash) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(vec![ERASED; CAPACITY]),
            other => other.map_err(|source| failed("read", &self.flash, source)),
        }
    }

    pub(super) fn erase_storage(&self) -> Result<(), BoardError> {
        replace(&self.flash, &[ERASED; CAPACITY])
            .map_err(|source| failed("erase", &self.flash, source))
    }

    pub(super) fn write_storage(&self, image: &[u8]) -> Result<(), BoardError> {
        let mut image = image.to_vec();
        image.resize(CAPACITY, ERASED);
        replace(&self.flash, &image).map_err(|source| failed("write", &self.flash, source))
    }

    pub(super) fn arm_cut(&self, after: u64) -> Result<(), BoardError> {
        replace(&self.cut, after.to_string().as_bytes())
            .map_err(|source| failed("write", &self.cut, source))
    }

    pub(super) fn disarm_cut(&self) -> Result<(), BoardError> {
        match fs::remove_file(&self.cut) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("remove", &self.cut, error))
            }
            _ => Ok(()),
        }
    }
}

/// Puts `bytes` in the place of the file at `path` in one step, readable by its owner alone.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&aside)?;
    file.write_all(bytes)?;
    fs::rename(&aside, path)
}

fn failed(what: &str, path: &Path, source: io::Error) -> BoardError {
    BoardError::Io {
        what: format!("{what} {}", path.display()),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_was_never_written_reads_as_erased() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files::new(folder.path(), "device");
        let storage = files.read_storage().expect("readable");
        assert_eq!(storage.len(), CAPACITY);
        assert!(storage.iter().all(|byte| *byte == ERASED));
    }

    #[test]
    fn files_are_readable_by_their_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files::new(folder.path(), "../lamp 1");
        files.prepare().expect("made");
        files.write_factory(b"secret").expect("written");
        for path in [files.flash(), files.factory()] {
            let mode = fs::metadata(path)
                .expect("it is there")
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{}", path.display());
            assert_eq!(path.parent(), Some(folder.path()));
        }
    }

    #[test]
    fn erasing_forgets_and_preparing_does_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files::new(folder.path(), "device");
        fs::write(files.flash(), vec![0; CAPACITY]).expect("written");
        files.prepare().expect("prepared");
        assert_eq!(files.read_storage().expect("readable")[0], 0);
        files.write_storage(&[1, 2]).expect("written");
        let storage = files.read_storage().expect("readable");
        assert_eq!(storage[..3], [1, 2, ERASED]);
        assert_eq!(storage.len(), CAPACITY);
        files.erase_storage().expect("erased");
        assert_eq!(files.read_storage().expect("readable")[0], ERASED);
    }
}
