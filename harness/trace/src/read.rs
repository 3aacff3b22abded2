//! Reading a trace file, also while it is being written.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::Event;

/// All events of the file at `path`. A last line that was cut short is left out.
pub fn read(path: &Path) -> Result<Vec<Event>, ReadError> {
    read_from(path, 0).map(|(events, _)| events)
}

/// The events that begin at byte `offset` of the file at `path`, and the offset behind the last
/// whole one, from which to go on when the file has grown.
pub fn read_from(path: &Path, offset: u64) -> Result<(Vec<Event>, u64), ReadError> {
    let wrap = |source| ReadError::Io {
        path: path.to_owned(),
        source,
    };
    let mut file = File::open(path).map_err(wrap)?;
    file.seek(SeekFrom::Start(offset)).map_err(wrap)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(wrap)?;
    let whole = bytes
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1);
    let mut events = Vec::new();
    let mut at = offset;
    for line in bytes[..whole].split_inclusive(|b| *b == b'\n') {
        let event = serde_json::from_slice(line).map_err(|source| ReadError::Line {
            path: path.to_owned(),
            offset: at,
            source,
        })?;
        events.push(event);
        at += line.len() as u64;
    }
    Ok((events, at))
}

/// A trace file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file system refused.
    #[error("failed to read the trace {}", path.display())]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// Underlying error.
        source: io::Error,
    },
    /// A whole line is no event.
    #[error("{}: no event at byte {offset}; is this a trace of another version?", path.display())]
    Line {
        /// Path of the file.
        path: PathBuf,
        /// Where the line begins.
        offset: u64,
        /// Underlying error.
        source: serde_json::Error,
    },
}
