//! The rig file of a qualification, as it is before the first attempt.

use std::fs;
use std::path::{Path, PathBuf};

use ::evidence::redacted;

use super::super::CommandError;
use super::sources::{is_still, sha256};
use super::{certificates, store};

/// A rig file, and what is shown of it.
#[derive(Debug)]
pub(super) struct RigFile {
    path: PathBuf,
    sha256: String,
    /// Without secrets.
    pub(super) shown: String,
    /// Its authority, in PEM.
    pub(super) authority: Option<String>,
}

impl RigFile {
    pub(super) fn read(path: &Path) -> Result<Self, CommandError> {
        let unreadable = CommandError::unreadable(path);
        let text = fs::read_to_string(path).map_err(&unreadable)?;
        // It was read as a rig file a moment ago: what is no TOML now was changed meanwhile.
        let table: toml::Table = toml::from_str(&text)
            .map_err(std::io::Error::other)
            .map_err(&unreadable)?;
        let value = serde_json::to_value(table)
            .map_err(std::io::Error::from)
            .map_err(&unreadable)?;
        Ok(Self {
            path: path.to_owned(),
            sha256: sha256(text.as_bytes()),
            shown: store::json(&redacted(value))?,
            authority: certificates::authority(path),
        })
    }

    /// Its path, if it says something else by now.
    pub(super) fn changed(&self) -> Option<String> {
        (!is_still(&self.path, &self.sha256)).then(|| self.path.display().to_string())
    }
}
