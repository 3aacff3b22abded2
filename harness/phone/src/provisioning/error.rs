//! What goes wrong in provisioning.

use std::time::Duration;

use proto::{Status, endpoint};

use super::outcome::Outcome;
use super::settings::Knowledge;
use crate::security::SecurityError;
use crate::transport::{Cause, TransportError};

/// Why a step of provisioning did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ProvisioningError {
    /// There is no answer.
    #[error("failed to get an answer from {endpoint}")]
    Transport {
        /// Which endpoint was asked.
        endpoint: String,
        /// Underlying error.
        source: TransportError,
    },
    /// The answer of `proto-ver` is not the JSON that it should be.
    #[error("failed to read the device's version")]
    Version(#[source] serde_json::Error),
    /// Security scheme of the device that the phone does not know.
    #[error("failed to choose a security: the device speaks security {0}")]
    UnknownSecurity(u8),
    /// The device wants something that the phone was not told.
    #[error("failed to begin a session: the device wants the {0}, which the phone was not told")]
    Missing(Knowledge),
    /// The device's half of the handshake or of the encryption is wrong.
    #[error("failed to understand the answer of {endpoint}")]
    Security {
        /// Which endpoint was asked.
        endpoint: String,
        /// What is wrong.
        source: SecurityError,
    },
    /// The answer is no message of this endpoint.
    #[error("failed to decode the answer of {endpoint}")]
    Undecodable {
        /// Which endpoint was asked.
        endpoint: String,
        /// What is wrong.
        source: proto::DecodeError,
    },
    /// The answer belongs to another request, or says something impossible.
    #[error("failed to make sense of the answer to {command}: {reason}")]
    Nonsense {
        /// What was asked.
        command: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The device understood a command and refused it.
    #[error("the device answered {command} with {}", status_name(*status))]
    Refused {
        /// The command that was sent.
        command: &'static str,
        /// [`Status`] by number.
        status: i32,
    },
    /// An encrypted endpoint was to be used without a session.
    #[error("failed to use {endpoint}: there is no session yet")]
    NoSession {
        /// Name of the endpoint.
        endpoint: String,
    },
    /// A scan's results are fewer than the device announced.
    #[error("the device announced {announced} access points and delivered {delivered}")]
    ScanIncomplete {
        /// How many it announced.
        announced: u32,
        /// How many it delivered.
        delivered: usize,
    },
    /// The device scans and scans.
    #[error("the device had not finished its scan after {after:?}")]
    EndlessScan {
        /// How long the phone has waited, in lab time.
        after: Duration,
    },
}

/// Whose fault something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The device broke the protocol or refused.
    Device,
    /// Nothing could be reached.
    Network,
    /// This host's own radio is at fault.
    Host,
    /// The phone was told too little, or was used wrongly.
    Phone,
    /// The device was right to refuse: it was given wrong values.
    Owner,
}

impl ProvisioningError {
    /// The outcome that this is, unless a sound device cannot cause it.
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Transport { endpoint, source } => match source.cause() {
                Cause::Refused if endpoint == endpoint::SESSION => Some(Outcome::SessionRefused),
                Cause::Refused if endpoint != endpoint::PROTO_VER => Some(Outcome::SessionLost),
                Cause::Refused | Cause::Unreachable | Cause::Cut | Cause::Silent => {
                    Some(Outcome::Unreachable {
                        why: trace::in_full(self),
                    })
                }
                Cause::DoesNotFit => Some(Outcome::DoesNotFit {
                    why: trace::in_full(self),
                }),
                Cause::Host | Cause::Nonsense | Cause::NoEndpoint => None,
            },
            Self::Refused { command, status } if *command != "get_status" => {
                Some(Outcome::CredentialsRefused {
                    command,
                    status: *status,
                })
            }
            _ => None,
        }
    }

    /// Whether the same request may well succeed in a new session.
    pub(super) fn is_loss(&self) -> bool {
        match self {
            // A device that breaks off in the handshake has judged what it was shown.
            Self::Transport { endpoint, source } => {
                let cause = source.cause();
                let judged = endpoint == endpoint::SESSION && cause == Cause::Refused;
                cause.is_loss() && !source.is_absence() && (!judged || source.may_be_the_radio())
            }
            Self::Security { endpoint, source } => {
                endpoint != endpoint::SESSION && *source == SecurityError::Decryption
            }
            // Security 1 does not notice by itself that the two sides are out of step.
            Self::Undecodable { .. } | Self::NoSession { .. } => true,
            _ => false,
        }
    }

    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Missing(_) | Self::NoSession { .. } => Blame::Phone,
            Self::Transport { source, .. } => match source.cause() {
                Cause::Unreachable => Blame::Network,
                Cause::Host => Blame::Host,
                Cause::DoesNotFit => Blame::Phone,
                _ => Blame::Device,
            },
            _ => Blame::Device,
        }
    }

    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        if let Self::Refused { command, .. } = self {
            match *command {
                "ctrl_reset" => return "only a failure can be taken back: ask for the `status`",
                "ctrl_reprov" => {
                    return "only a device that keeps its service once it is provisioned can do \
                            that: its firmware calls `wifi_prov_mgr_disable_auto_stop`";
                }
                "scan_start" | "scan_status" | "scan_result" => {
                    return "a device scans only while it waits for credentials, and has no more \
                            results than it says";
                }
                _ => {}
            }
        }
        if let Some(outcome) = self.outcome() {
            return outcome.advice();
        }
        match self {
            Self::Transport { source, .. } if source.cause() == Cause::Host => {
                "look at this host's Bluetooth adapter, not at the device: `bluetoothctl list` shows \
                 those that there are, `bluetoothctl show` and `rfkill list` their power"
            }
            Self::Transport { source, .. } if source.cause() == Cause::NoEndpoint => {
                "the device offers no such endpoint: look at what it lists, and at its version"
            }
            Self::Transport { .. } | Self::Version(_) => {
                "something else than a provisioning service answers there; check the address"
            }
            Self::UnknownSecurity(_) => "there are securities 0, 1 and 2",
            Self::Missing(_) => "it stands on the device's label or in its QR code",
            Self::Security {
                source: SecurityError::Unproven,
                ..
            } => "what answers does not know the device's secret: this is another device",
            Self::Security { .. } | Self::Undecodable { .. } | Self::Nonsense { .. } => {
                "the device's firmware breaks the protocol; try again, and report it if it stays so"
            }
            Self::Refused { .. } => "read the device's log for why",
            Self::NoSession { .. } => "establish a session first",
            Self::EndlessScan { .. } => "restart the device",
            Self::ScanIncomplete { .. } => {
                "scan again; a device that lists what it no longer has loses results"
            }
        }
    }
}

fn status_name(status: i32) -> String {
    match Status::try_from(status) {
        Ok(status) => format!("{status:?}"),
        Err(_) => format!("status {status}"),
    }
}
