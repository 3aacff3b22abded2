//! What the flash holds while the machine does not.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use super::memory::FLASH;

const ERASED: u8 = 0xFF;

/// A copy of the flash, and the file in which it outlives the harness.
#[derive(Debug)]
pub(super) struct Flash {
    path: PathBuf,
    pub(super) bytes: Vec<u8>,
    saved: bool,
}

impl Flash {
    /// The flash in the file at `path`; erased if there is none.
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        let mut bytes = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            other => other?,
        };
        bytes.resize(FLASH.length as usize, ERASED);
        Ok(Self {
            path,
            bytes,
            saved: true,
        })
    }

    /// Takes over what the machine's flash holds now.
    pub(super) fn take(&mut self, bytes: Vec<u8>) {
        if bytes != self.bytes {
            self.bytes = bytes;
            self.saved = false;
        }
    }

    /// The part that is not erased at its end.
    pub(super) fn used(&self) -> &[u8] {
        used(&self.bytes)
    }

    /// Writes the file, readable by its owner alone.
    pub(super) fn save(&mut self) -> io::Result<()> {
        if self.saved {
            return Ok(());
        }
        let aside = self.path.with_extension("flash.new");
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&aside)?;
        file.write_all(self.used())?;
        fs::rename(&aside, &self.path)?;
        self.saved = true;
        Ok(())
    }
}

/// `bytes` without what is erased at their end.
pub(super) fn used(bytes: &[u8]) -> &[u8] {
    let last = bytes.iter().rposition(|byte| *byte != ERASED);
    &bytes[..last.map_or(0, |last| last + 1)]
}
