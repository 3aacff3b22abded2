//! Whether an attempt's packets are captured.

use capture::Secrets;
use serde::{Deserialize, Serialize};

/// Whether an attempt's packets are captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pcap {
    /// They are not.
    #[default]
    Off,
    /// They are, and what was encrypted stays so.
    On,
    /// They are, with the secrets of the broker's TLS sessions.
    WithSecrets,
}

impl Pcap {
    /// Name of the capture in an attempt's folder.
    pub const FILE: &'static str = "capture.pcapng";

    /// Which secrets the capture has; none if there is no capture.
    pub(crate) fn secrets(self) -> Option<Secrets> {
        match self {
            Self::Off => None,
            Self::On => Some(Secrets::LeftOut),
            Self::WithSecrets => Some(Secrets::Written),
        }
    }
}
