//! Why a SoftAP was not joined.

use std::time::Duration;

/// Why a SoftAP was not joined, or what was before could not be restored.
#[derive(Debug, thiserror::Error)]
pub enum WifiError {
    /// There is no NetworkManager to ask.
    #[error(
        "failed to reach NetworkManager on the system's D-Bus: is it running, and does this host \
         use it? Otherwise join the device's network by hand, and leave --wifi out"
    )]
    NoManager(#[source] zbus::Error),
    /// The interface is not one of NetworkManager's.
    #[error("NetworkManager has no interface {interface}: `nmcli device` lists those that it has")]
    NoInterface {
        /// As it was named.
        interface: String,
        /// What NetworkManager says.
        source: zbus::Error,
    },
    /// The interface is another kind of thing.
    #[error("{interface} is no Wi-Fi interface: `nmcli device` lists them with their types")]
    NotWifi {
        /// Name of the interface.
        interface: String,
    },
    /// NetworkManager was told to leave the interface alone.
    #[error("NetworkManager leaves {interface} alone, so it joins nothing")]
    Unmanaged {
        /// Which.
        interface: String,
    },
    /// The interface is switched off, or lacks wpa_supplicant.
    #[error(
        "NetworkManager cannot use {interface}: it is switched off, or wpa_supplicant does not run"
    )]
    Unavailable {
        /// Which.
        interface: String,
    },
    /// Nothing was changed, because it could not be undone.
    #[error(
        "NetworkManager makes no checkpoint of {interface}, so nothing was changed: does this user \
         have the right to change networks (polkit)?"
    )]
    NoCheckpoint {
        /// Of which interface.
        interface: String,
        /// What NetworkManager says.
        source: zbus::Error,
    },
    /// Another program keeps a checkpoint of the interface.
    #[error(
        "another program keeps a checkpoint of {interface}, so nothing was changed: wait until it is \
         done, or name another interface"
    )]
    KeptByOthers {
        /// Of which interface.
        interface: String,
    },
    /// Another process of ours uses the interface.
    #[error(
        "{interface} has been in use by another proving for {waited:?}; try again when that is done"
    )]
    InUse {
        /// Which.
        interface: String,
        /// How long was waited, in lab time.
        waited: Duration,
    },
    /// There is no place for what has to be known after this process.
    #[error("failed to note what has to be put back, so nothing was changed")]
    Note {
        /// Why.
        source: std::io::Error,
    },
    /// The network was not heard.
    #[error(
        "no network {ssid} was heard on {interface} for {waited:?}: has the device started its \
         SoftAP, and does this radio have its channel?"
    )]
    NotHeard {
        /// Name of the network.
        ssid: String,
        /// By which interface.
        interface: String,
        /// For how long, in lab time.
        waited: Duration,
    },
    /// The network was heard, but joining failed.
    #[error("joining {ssid} on {interface} failed: {}", why(*reason))]
    Refused {
        /// Name of the network.
        ssid: String,
        /// By which interface.
        interface: String,
        /// `NMDeviceStateReason`.
        reason: u32,
    },
    /// Joining took too long.
    #[error(
        "{ssid} was not joined on {interface} within {waited:?}: does the device's DHCP server run?"
    )]
    Timeout {
        /// Name of the network.
        ssid: String,
        /// By which interface.
        interface: String,
        /// How long was waited, in lab time.
        waited: Duration,
    },
    /// NetworkManager refused, or went away in the middle.
    #[error("NetworkManager failed to {what} on {interface}")]
    Call {
        /// What was asked.
        what: &'static str,
        /// For which interface.
        interface: String,
        /// What NetworkManager says.
        source: zbus::Error,
    },
    /// The interface was not put back.
    #[error(
        "NetworkManager did not restore {interface} (result {result}): `nmcli device connect \
         {interface}` may help"
    )]
    NotRestored {
        /// Name of the interface.
        interface: String,
        /// `NMRollbackResult`.
        result: u32,
    },
    /// The interface was put back, and did not connect.
    #[error(
        "{interface} is not connected again after {waited:?}: `nmcli device connect {interface}` may \
         help"
    )]
    NotBack {
        /// Which interface.
        interface: String,
        /// How long was waited, in lab time.
        waited: Duration,
    },
}

impl WifiError {
    /// Whether it is the device's network that is not there, or did not let this host in.
    pub fn is_of_the_network(&self) -> bool {
        matches!(
            self,
            Self::NotHeard { .. } | Self::Refused { .. } | Self::Timeout { .. }
        )
    }
}

/// Meaning of an `NMDeviceStateReason` for a client that joins a SoftAP.
fn why(reason: u32) -> String {
    match reason {
        5 => "no address could be had (IP configuration unavailable)".to_owned(),
        7 => "the passphrase is wrong, or one is needed (no secrets)".to_owned(),
        8..=11 => format!("the passphrase may be wrong (supplicant, reason {reason})"),
        15..=17 => format!("the device gave no address (DHCP, reason {reason})"),
        53 => "the network went away (SSID not found)".to_owned(),
        reason => format!("NetworkManager's reason {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_to_look_at() {
        let refused = |reason| {
            WifiError::Refused {
                ssid: "PROV_0ABC01".into(),
                interface: "wlan0".into(),
                reason,
            }
            .to_string()
        };
        assert!(refused(7).ends_with("the passphrase is wrong, or one is needed (no secrets)"));
        assert!(refused(99).ends_with("NetworkManager's reason 99"));
    }
}
