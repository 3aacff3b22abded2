//! What was flashed onto a board last: a UART cannot be asked.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::usb::usb_of;
use crate::rig::PortAddress;

/// The note of what is on one board.
#[derive(Clone, Debug)]
pub(super) struct Note {
    file: Option<PathBuf>,
}

impl Note {
    /// The note of the board at `port`, among this user's.
    pub fn of(port: &PortAddress) -> Self {
        let file = folder().map(|folder| folder.join(format!("{}.flashed", name(port))));
        Self { file }
    }

    /// Whether it says `digest`.
    pub fn says(&self, digest: &str) -> bool {
        let said = self
            .file
            .as_ref()
            .and_then(|file| fs::read_to_string(file).ok());
        said.is_some_and(|said| said.trim() == digest)
    }

    /// Forgets what is on the board. Must succeed before it is flashed.
    pub fn forget(&self) -> io::Result<()> {
        match self.file.as_ref().map(fs::remove_file) {
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// It now says `digest`. Without a place for notes, the next flashing is not skipped.
    pub fn write(&self, digest: &str) -> io::Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, format!("{digest}\n"))
    }
}

/// `$XDG_STATE_HOME/proving/flashed`, by default below the home.
fn folder() -> Option<PathBuf> {
    let absolute = |name| {
        let folder = PathBuf::from(std::env::var_os(name)?);
        folder.is_absolute().then_some(folder)
    };
    let state = absolute("XDG_STATE_HOME")
        .or_else(|| Some(absolute("HOME")?.join(".local").join("state")))?;
    Some(state.join("proving").join("flashed"))
}

/// A name of its own for each board: by its adapter, if that has a serial number, so that another
/// one at the same port is another.
fn name(port: &PortAddress) -> String {
    let mut hash = Sha256::new();
    hash.update(port.identity());
    if let PortAddress::Tty(path) = port
        && let Some(usb) = usb_of(Path::new(path))
    {
        hash.update(format!("\0{usb:?}"));
    }
    hex(&hash.finalize()[..16])
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
