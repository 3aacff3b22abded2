//! The stages of a device's way online, in their order.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A stage of the way from power to a bound account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Power, boot and the firmware's own health.
    Power,
    /// Flash, NVS and partitions.
    Storage,
    /// The way by which credentials reach it: Bluetooth, SoftAP, console.
    Provisioning,
    /// The encrypted session with a phone.
    Session,
    /// What the phone hands over.
    Credentials,
    /// The access point lets it in.
    Join,
    /// It gets an address.
    Dhcp,
    /// Names become addresses.
    Dns,
    /// A connection to a server.
    Tcp,
    /// It knows the time.
    Clock,
    /// The encrypted connection to a server.
    Tls,
    /// The broker lets it in.
    Mqtt,
    /// Its cloud takes what it sends.
    Cloud,
    /// It belongs to an account.
    Bind,
    /// It serves clients itself.
    Serving,
}

impl Stage {
    /// All of them, in order.
    pub const ALL: [Self; 15] = [
        Self::Power,
        Self::Storage,
        Self::Provisioning,
        Self::Session,
        Self::Credentials,
        Self::Join,
        Self::Dhcp,
        Self::Dns,
        Self::Tcp,
        Self::Clock,
        Self::Tls,
        Self::Mqtt,
        Self::Cloud,
        Self::Bind,
        Self::Serving,
    ];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Power => "power",
            Self::Storage => "storage",
            Self::Provisioning => "provisioning",
            Self::Session => "session",
            Self::Credentials => "credentials",
            Self::Join => "join",
            Self::Dhcp => "dhcp",
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Clock => "clock",
            Self::Tls => "tls",
            Self::Mqtt => "mqtt",
            Self::Cloud => "cloud",
            Self::Bind => "bind",
            Self::Serving => "serving",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
