//! What an attempt ran under that a plain `proving run` would not take.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The arguments of `proving run` that an attempt was made with, as far as they differ from the
/// defaults. Seed and bug stand in [`crate::AttemptResult`] itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Conditions {
    /// The case's identifier in filters, if the report's has the board in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case_id: Option<String>,
    /// `--board`, if it is not the native one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board: Option<String>,
    /// `--rig`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rig: Option<PathBuf>,
    /// `--image`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<PathBuf>,
    /// `--device`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<PathBuf>,
    /// `--flash`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flash: Option<String>,
    /// `--probe-fault`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe_fault: Option<String>,
    /// `--speed`, as it is written there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed: Option<String>,
}

impl Conditions {
    /// Whether they are those of a plain `proving run`.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Options and their values, in a fixed order.
    pub(crate) fn options(&self) -> Vec<(&'static str, String)> {
        let path = |path: &PathBuf| path.to_string_lossy().into_owned();
        let options = [
            ("--board", self.board.clone()),
            ("--rig", self.rig.as_ref().map(path)),
            ("--image", self.image.as_ref().map(path)),
            ("--device", self.device.as_ref().map(path)),
            ("--flash", self.flash.clone()),
            ("--probe-fault", self.probe_fault.clone()),
            ("--speed", self.speed.clone()),
        ];
        options
            .into_iter()
            .filter_map(|(option, value)| Some((option, value?)))
            .collect()
    }
}
