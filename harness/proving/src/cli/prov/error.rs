//! Errors of `proving prov`.

use std::io;

use miette::Diagnostic;
use phone::{Blame, Outcome, ProvisioningError, QrError};
use report::ExitStatus;

use super::secret::SecretError;

/// Error of a `proving prov` command.
#[derive(Debug, thiserror::Error)]
pub enum ProvError {
    /// Provisioning went wrong.
    #[error("{text}")]
    Device {
        /// What was attempted, and why it failed; without secrets.
        text: String,
        /// Whose fault it is.
        blame: Blame,
        /// What to do.
        advice: &'static str,
    },
    /// The cloud did not bind the device.
    #[error("{0}")]
    Cloud(String),
    /// A secret is missing.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// QR code that cannot be read.
    #[error("failed to read the QR code")]
    Qr(#[from] QrError),
    /// Address that names no service.
    #[error(transparent)]
    Url(#[from] phone::UrlError),
    /// Mistake in another option of the command line.
    #[error("{0}")]
    Usage(String),
    /// The port cannot be opened.
    #[error(transparent)]
    Port(#[from] board::serial::PortError),
    /// Operation that the host refused.
    #[error("failed to {what}")]
    Io {
        /// What was attempted, and on what.
        what: String,
        /// Error of the operating system.
        source: io::Error,
    },
    /// Trace that could not be created.
    #[error(transparent)]
    Trace(#[from] trace::CreateError),
    /// A run uses the host's radio.
    #[error(transparent)]
    Held(#[from] board::lease::LeaseError),
    /// Failure of the host's Bluetooth.
    #[error(transparent)]
    Bluetooth(#[from] phone::BleError),
    /// Failure of the host's Wi-Fi.
    #[error(transparent)]
    Wifi(#[from] phone::WifiError),
    /// Standard output that cannot be written.
    #[error("failed to write to standard output")]
    Output(#[source] io::Error),
}

impl ProvError {
    /// What `error` says, without what `trace` knows to be secret.
    pub(super) fn of(error: &ProvisioningError, trace: &trace::Trace) -> Self {
        // What a sound device may come to is judged as such.
        let outcome = error.outcome().and_then(|outcome| outcome.blame());
        Self::Device {
            text: trace
                .secrets()
                .redact_text(&trace::in_full(error))
                .into_owned(),
            blame: outcome.unwrap_or_else(|| error.blame()),
            advice: error.advice(),
        }
    }

    /// The error for an outcome other than success.
    pub(super) fn of_outcome(outcome: &Outcome, trace: &trace::Trace) -> Self {
        let text = format!("provisioning failed: {outcome}");
        Self::Device {
            text: trace.secrets().redact_text(&text).into_owned(),
            blame: outcome.blame().unwrap_or(Blame::Device),
            advice: outcome.advice(),
        }
    }

    /// The exit code that it deserves.
    pub(in crate::cli) fn status(&self) -> ExitStatus {
        match self {
            Self::Device { blame, .. } => match blame {
                Blame::Device | Blame::Owner => ExitStatus::Failed,
                Blame::Network | Blame::Host => ExitStatus::Broken,
                Blame::Phone => ExitStatus::Usage,
            },
            Self::Cloud(_) => ExitStatus::Failed,
            Self::Secret(_) | Self::Qr(_) | Self::Url(_) | Self::Usage(_) => ExitStatus::Usage,
            Self::Port(_) | Self::Io { .. } | Self::Trace(_) | Self::Output(_) => {
                ExitStatus::Broken
            }
            Self::Bluetooth(_) => ExitStatus::Broken,
            Self::Wifi(_) | Self::Held(_) => ExitStatus::Broken,
        }
    }
}

impl Diagnostic for ProvError {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        let text = match self {
            Self::Device { blame, advice, .. } => {
                let whose = match blame {
                    Blame::Device => "the device caused this",
                    Blame::Owner => "the values given to the device caused this",
                    Blame::Network => "the connection between this host and the device caused this",
                    Blame::Host => "this host caused this",
                    Blame::Phone => "the arguments of this command caused this",
                };
                format!("{whose}; {advice}")
            }
            Self::Secret(SecretError::NoTerminal(_)) => {
                "give it as env:NAME or file:PATH; see --help".to_owned()
            }
            Self::Secret(SecretError::Bare(_)) => {
                "give it as env:NAME or file:PATH, or as - to be asked for it; as text:VALUE if \
                 others may know it"
                    .to_owned()
            }
            Self::Bluetooth(error) => engine::mend::of_bluetooth(error).unwrap_or_else(|| {
                "check that this host has an adapter and that `bluetoothd` runs: `bluetoothctl show`"
                    .to_owned()
            }),
            Self::Wifi(error) => engine::mend::of_wifi(error)?,
            _ => return None,
        };
        Some(Box::new(text))
    }
}
