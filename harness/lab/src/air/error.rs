//! Why a phone is not on a network.

use std::time::Duration;

/// A phone could not join a network, or no such network exists.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AirError {
    /// No device offers that SoftAP.
    #[error("no SoftAP `{ssid}` appeared within {waited:?}; did its device start the service?")]
    NoSoftAp {
        /// Name of the network.
        ssid: String,
        /// How long was waited, in lab time.
        waited: Duration,
    },
    /// The passphrase is not the network's.
    #[error("`{network}` refused the passphrase")]
    Passphrase {
        /// Name of the network.
        network: String,
    },
    /// No more stations fit.
    #[error("the SoftAP `{ssid}` accepts no more stations")]
    Full {
        /// Name of the network.
        ssid: String,
    },
    /// The network gave no address.
    #[error("`{network}` gave no address within {waited:?}; does its DHCP server run?")]
    NoLease {
        /// Name of the network.
        network: String,
        /// How long was waited, in lab time.
        waited: Duration,
    },
    /// The network went away in the middle.
    #[error("`{network}` went away while it was being joined")]
    Gone {
        /// Name of the network.
        network: String,
    },
    /// The world has no such access point.
    #[error("no access point `{role}` in this world")]
    NoAccessPoint {
        /// Its role.
        role: String,
    },
    /// The access point has no gateway of the lab's.
    #[error("the access point `{role}` is bridged: DHCP and the internet are on its Ethernet")]
    Bridged {
        /// Its role.
        role: String,
    },
    /// The access point has no power.
    #[error("the access point `{role}` is off")]
    Off {
        /// Its role.
        role: String,
    },
}
