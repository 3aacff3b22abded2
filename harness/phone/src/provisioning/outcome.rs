//! How provisioning ended.

use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use proto::Status;

/// How provisioning ended, as the phone sees it: everything that a sound device may come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The device has an address.
    Connected(Connected),
    /// The access point rejected the passphrase.
    AuthError,
    /// There is no such access point.
    NetworkNotFound,
    /// The device closed the connection during the handshake: it does not accept what the phone
    /// knows.
    SessionRefused,
    /// The device closed the connection on an encrypted request: it no longer knows the session.
    SessionLost,
    /// The device understood a command and refused it.
    CredentialsRefused {
        /// Which: `set_config` or `apply_config`.
        command: &'static str,
        /// [`Status`] by number.
        status: i32,
    },
    /// The service was not there, or went away.
    Unreachable {
        /// What was tried, and why it failed.
        why: String,
    },
    /// The device still connects.
    Undecided {
        /// How long the phone has waited, in lab time.
        after: Duration,
    },
}

/// Where a device is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// Its address.
    pub ip: Ipv4Addr,
    /// SSID of the access point.
    pub ssid: Vec<u8>,
    /// MAC address of the access point, as sent.
    pub bssid: Vec<u8>,
    /// Channel.
    pub channel: i32,
    /// `wifi_auth_mode_t` by number.
    pub auth_mode: i32,
}

impl Outcome {
    /// Its name in scenarios and in the trace.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Connected(_) => "connected",
            Self::AuthError => "auth-error",
            Self::NetworkNotFound => "network-not-found",
            Self::SessionRefused => "session-refused",
            Self::SessionLost => "session-lost",
            Self::CredentialsRefused { .. } => "credentials-refused",
            Self::Unreachable { .. } => "unreachable",
            Self::Undecided { .. } => "undecided",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected(connected) => write!(f, "the device has the address {}", connected.ip),
            Self::AuthError => f.write_str("the access point rejected the passphrase"),
            Self::NetworkNotFound => f.write_str("the device finds no such access point"),
            Self::SessionRefused => f.write_str("the device refused the session"),
            Self::SessionLost => f.write_str("the device no longer knows the session"),
            Self::CredentialsRefused { command, status } => match Status::try_from(*status) {
                Ok(status) => write!(f, "the device answered {command} with {status:?}"),
                Err(_) => write!(f, "the device answered {command} with status {status}"),
            },
            Self::Unreachable { why } => write!(f, "the device cannot be reached: {why}"),
            Self::Undecided { after } => write!(f, "the device still connects after {after:?}"),
        }
    }
}
