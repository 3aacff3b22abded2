//! What a phone is told before it provisions a device.

use std::time::Duration;

/// Who provisions which device, what the owner knows, and how patient the phone is.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The phone's name in the trace.
    pub phone: String,
    /// The device's name in the trace, if it has one.
    pub device: Option<String>,
    /// The security to speak; chosen from `proto-ver` if none is given.
    pub security: Option<u8>,
    /// Proof of possession, for security 1.
    pub pop: Option<String>,
    /// User name, for security 2.
    pub username: Option<String>,
    /// Password, for security 2.
    pub password: Option<String>,
    /// The byte, from 0 on, in which the phone's proof is to be another than it should be. No phone wants
    /// that but one of a test.
    pub damaged_proof: Option<usize>,
    /// How long one request may take, connecting included, in lab time.
    pub request_timeout: Duration,
    /// From one question for the status to the next, in lab time.
    pub poll_interval: Duration,
    /// How long the status is asked for in all, in lab time.
    pub patience: Duration,
    /// What is done about answers that get lost.
    pub tolerance: Tolerance,
}

/// What is done about answers that get lost.
///
/// With security 1 and 2 a lost answer ends the session: the two sides' ciphers are out of step. The
/// request is then made again in a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tolerance {
    /// How often a request is made again.
    pub retries: u32,
    /// How long the phone waits before that, in lab time.
    pub pause: Duration,
}

impl Tolerance {
    /// Nothing is forgiven: a test wants to see what happens.
    pub const NONE: Self = Self {
        retries: 0,
        pause: Duration::ZERO,
    };
    /// For devices in the field. A station that joins an access point on another channel takes the
    /// SoftAP along, and a phone needs seconds to follow.
    pub const FIELD: Self = Self {
        retries: 4,
        pause: Duration::from_secs(2),
    };

    pub(super) fn tries(self) -> Tries {
        Tries { left: self.retries }
    }
}

/// How often something may still be tried.
pub(super) struct Tries {
    left: u32,
}

impl Tries {
    /// Whether it may be tried again; counts.
    pub(super) fn another(&mut self) -> bool {
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }
}

impl Settings {
    /// Of the phone of this name, with no secrets.
    pub fn of(phone: &str) -> Self {
        Self {
            phone: phone.to_owned(),
            device: None,
            security: None,
            pop: None,
            username: None,
            password: None,
            damaged_proof: None,
            request_timeout: Duration::from_secs(10),
            poll_interval: Duration::from_secs(1),
            patience: Duration::from_secs(120),
            tolerance: Tolerance::NONE,
        }
    }
}

/// What only a device's owner knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knowledge {
    /// Proof of possession, for security 1.
    Pop,
    /// User name, for security 2.
    Username,
    /// Password, for security 2.
    Password,
}

impl Knowledge {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pop => "proof of possession",
            Self::Username => "user name",
            Self::Password => "password",
        }
    }
}

impl std::fmt::Display for Knowledge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// What the device needs to join a network.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// SSID; a device takes at most 32 bytes.
    pub ssid: Vec<u8>,
    /// Passphrase; a device takes at most 63 bytes. Empty for an open network.
    pub passphrase: Vec<u8>,
}

impl Credentials {
    /// These.
    pub fn new(ssid: impl Into<Vec<u8>>, passphrase: impl Into<Vec<u8>>) -> Self {
        Self {
            ssid: ssid.into(),
            passphrase: passphrase.into(),
        }
    }
}

/// Without the passphrase.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("ssid", &String::from_utf8_lossy(&self.ssid))
            .finish_non_exhaustive()
    }
}
