//! How provisioning ended.

use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use proto::Status;

use super::error::Blame;

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
    /// The transport cannot carry what the phone has to say; nothing was sent.
    DoesNotFit {
        /// What was tried, and how long it is.
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
            Self::DoesNotFit { .. } => "does-not-fit",
            Self::Undecided { .. } => "undecided",
        }
    }

    /// Whose fault it is, unless it is success.
    pub fn blame(&self) -> Option<Blame> {
        match self {
            Self::Connected(_) => None,
            Self::AuthError | Self::NetworkNotFound | Self::SessionRefused => Some(Blame::Owner),
            Self::SessionLost | Self::CredentialsRefused { .. } => Some(Blame::Device),
            Self::Unreachable { .. } | Self::Undecided { .. } => Some(Blame::Network),
            Self::DoesNotFit { .. } => Some(Blame::Phone),
        }
    }

    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Connected(_) => "nothing: the device ends its service by itself",
            Self::AuthError => {
                "check the passphrase; then `reset` the device, which takes no other credentials \
                 before that, and send the right one"
            }
            Self::NetworkNotFound => {
                "check the SSID letter by letter, and that the access point sends on 2.4 GHz within \
                 reach; then `reset` the device and send it again"
            }
            Self::SessionRefused => {
                "check proof of possession, or user name and password: they stand on the device's \
                 label or in its QR code. Check the security, too. A device that was provisioned a \
                 moment ago may be ending its service, during which it refuses every new session: \
                 if it cannot be reached 2 s later, it is provisioned"
            }
            Self::SessionLost => {
                "begin a new session; another phone may have taken the device's only one"
            }
            Self::CredentialsRefused { .. } => {
                "a device takes credentials once: `reset` it after a failure. SSIDs have at most 32 \
                 bytes, passphrases at most 63"
            }
            Self::Unreachable { .. } => {
                "check that the device is on, within reach and not provisioned yet: it ends its \
                 service when it is"
            }
            Self::DoesNotFit { .. } => {
                "use another transport, or another security, or raise the limit if the device's \
                 firmware reads longer lines"
            }
            Self::Undecided { .. } => {
                "ask for the status later; its log says what it is waiting for"
            }
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
            Self::DoesNotFit { why } => write!(f, "the request does not fit: {why}"),
            Self::Undecided { after } => write!(f, "the device still connects after {after:?}"),
        }
    }
}
