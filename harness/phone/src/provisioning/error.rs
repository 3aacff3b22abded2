//! What goes wrong in provisioning.

use std::error::Error;

use proto::Status;

use super::outcome::Outcome;
use crate::http::HttpError;
use crate::security::SecurityError;

/// Why a step of provisioning did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ProvisioningError {
    /// There was no response.
    #[error("failed to get an answer from {endpoint}")]
    Http {
        /// Which endpoint was asked.
        endpoint: String,
        /// Why.
        source: HttpError,
    },
    /// The response is one of a server that does not know the endpoint.
    #[error("failed to use {endpoint}: the device answered with HTTP status {status}")]
    HttpStatus {
        /// Which endpoint was asked.
        endpoint: String,
        /// HTTP status code.
        status: u16,
    },
    /// The answer of `proto-ver` is not the JSON that it should be.
    #[error("failed to read the device's version")]
    Version(#[source] serde_json::Error),
    /// The device speaks a security that nobody knows.
    #[error("failed to choose a security: the device speaks security {0}")]
    UnknownSecurity(u8),
    /// The device wants something that the phone was not told.
    #[error("failed to begin a session: the device wants the {0}, which the phone was not told")]
    Missing(&'static str),
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
        /// Which command.
        command: &'static str,
        /// [`Status`] by number.
        status: i32,
    },
    /// An encrypted endpoint was to be used without a session.
    #[error("failed to use {endpoint}: there is no session yet")]
    NoSession {
        /// Which endpoint.
        endpoint: String,
    },
}

/// Whose fault something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The device broke the protocol or refused.
    Device,
    /// Nothing could be reached.
    Network,
    /// The phone was told too little, or was used wrongly.
    Phone,
}

impl ProvisioningError {
    /// The outcome that this is, unless a sound device cannot cause it.
    pub fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Http {
                endpoint,
                source: HttpError::Closed { .. },
            } if endpoint == proto::endpoint::SESSION => Some(Outcome::SessionRefused),
            Self::Http {
                endpoint,
                source: HttpError::Closed { .. },
            } if endpoint != proto::endpoint::PROTO_VER => Some(Outcome::SessionLost),
            Self::Http {
                source: HttpError::Malformed { .. },
                ..
            } => None,
            Self::Http { .. } => Some(Outcome::Unreachable { why: self.chain() }),
            Self::Refused { command, status } if *command != "get_status" => {
                Some(Outcome::CredentialsRefused {
                    command,
                    status: *status,
                })
            }
            _ => None,
        }
    }

    /// The message, followed by those of all causes.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }

    /// Whose fault it is.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Missing(_) | Self::NoSession { .. } => Blame::Phone,
            Self::Http {
                source: HttpError::Connect { .. },
                ..
            } => Blame::Network,
            _ => Blame::Device,
        }
    }
}

fn status_name(status: i32) -> String {
    match Status::try_from(status) {
        Ok(status) => format!("{status:?}"),
        Err(_) => format!("status {status}"),
    }
}
