//! What can go wrong with a program as the device.

use std::path::PathBuf;

use crate::rig::Value;

/// A program cannot be the device.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It wants to be told something that the scenario does not have.
    #[error("the program wants `${{{value}}}`, which this scenario's world does not have")]
    NoValue {
        /// What.
        value: Value,
    },
    /// Its folder holds files that are not its own.
    #[error(
        "{} holds files and no {MARKER}, so it is not erased; name a folder that is not there yet, or remove it yourself",
        path.display()
    )]
    ForeignFolder {
        /// The folder.
        path: PathBuf,
    },
    /// Its folder holds too much to be read.
    #[error("{} holds more than {} MiB", path.display(), limit >> 20)]
    TooMuch {
        /// The folder.
        path: PathBuf,
        /// The most, in bytes.
        limit: u64,
    },
}

/// Name of the file that says that a folder is a device's storage.
pub(crate) const MARKER: &str = ".proving-storage";
