//! Why images cannot be flashed by a command.

use std::io;
use std::path::PathBuf;

/// Images cannot be flashed.
#[derive(Debug, thiserror::Error)]
pub enum FlashError {
    /// The rig does not say how.
    #[error(
        "nothing says how to flash a board at {port}; write `flash.command` and `flash.images` for it in rig.toml"
    )]
    NoCommand {
        /// Its port.
        port: String,
    },
    /// The rig does not say what.
    #[error(
        "there is nothing to flash onto the board at {port}; write `flash.images` for it in rig.toml"
    )]
    NoImages {
        /// Its port.
        port: String,
    },
    /// An image cannot be read.
    #[error("failed to read the image {}; build it, or correct `flash.images` in rig.toml", path.display())]
    Image {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Two images would be written to the same place.
    #[error(
        "{} ends at {end:#x}, but {} begins at {start:#x}; correct the offsets in rig.toml",
        first.display(), second.display()
    )]
    Overlap {
        /// The one.
        first: PathBuf,
        /// Where it ends.
        end: u64,
        /// The other.
        second: PathBuf,
        /// Where it begins.
        start: u64,
    },
    /// What is on the board cannot be noted.
    #[error(
        "failed to forget what was flashed last, without which a later flashing could be skipped wrongly"
    )]
    Note {
        /// Why.
        source: io::Error,
    },
}
