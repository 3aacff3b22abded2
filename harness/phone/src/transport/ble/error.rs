//! What goes wrong over Bluetooth.

use std::time::Duration;

/// Why a request over Bluetooth has no answer.
#[derive(Debug, thiserror::Error)]
pub enum BleError {
    /// The host has no Bluetooth, or its service does not run.
    #[error("failed to use this host's Bluetooth adapter")]
    Adapter {
        /// What the host's Bluetooth service says.
        source: btleplug::Error,
    },
    /// There is no adapter of this name.
    #[error("this host has no Bluetooth adapter{}; it has: {}", wanted.as_ref().map(|name| format!(" {name:?}")).unwrap_or_default(), listed(known))]
    NoAdapter {
        /// Which one was asked for.
        wanted: Option<String>,
        /// What there is.
        known: Vec<String>,
    },
    /// The adapter went away, or was switched off.
    #[error("this host's Bluetooth adapter {name} went away, or was switched off")]
    AdapterGone {
        /// Which.
        name: String,
    },
    /// No such device advertises.
    #[error(
        "{wanted} did not advertise within {limit:?}; heard were: {}",
        listed(heard)
    )]
    NotFound {
        /// What was looked for.
        wanted: String,
        /// How long, in lab time.
        limit: Duration,
        /// What was heard instead.
        heard: Vec<String>,
    },
    /// Several devices could be meant.
    #[error(
        "several devices advertise, and {wanted} may be any of: {}",
        listed(found)
    )]
    Ambiguous {
        /// What was looked for.
        wanted: String,
        /// What was found.
        found: Vec<String>,
    },
    /// No connection came about.
    #[error("failed to connect to {name}")]
    Connect {
        /// The device.
        name: String,
        /// What the host's Bluetooth service says.
        source: btleplug::Error,
    },
    /// The device has no service of this kind.
    #[error("{name} offers no provisioning service")]
    NoService {
        /// The device.
        name: String,
    },
    /// The device has no such endpoint.
    #[error(
        "the device has no characteristic called {endpoint:?}; it has, or had when this host first \
         met it: {}. BlueZ keeps a device's table and reads it again only if that says so: after a \
         change of its firmware, `bluetoothctl remove {address}` and try again",
        listed(known)
    )]
    NoEndpoint {
        /// The endpoint.
        endpoint: String,
        /// What it has.
        known: Vec<String>,
        /// The device's address.
        address: String,
    },
    /// No attribute is that long; nothing was sent.
    #[error(
        "an attribute holds {limit} bytes, and the request to {endpoint} has {needed}; nothing was \
         sent"
    )]
    TooLong {
        /// The endpoint.
        endpoint: String,
        /// Length of the request.
        needed: usize,
        /// The most that there can be.
        limit: usize,
    },
    /// The device answered with an ATT error, and stays connected.
    #[error("the device refused the request")]
    Refused {
        /// What the host's Bluetooth service says.
        source: btleplug::Error,
    },
    /// The connection ended before the answer.
    #[error("the device disconnected before it answered")]
    Disconnected,
    /// It took too long.
    #[error("the device did not {what} within {limit:?}")]
    Timeout {
        /// What it should have done.
        what: &'static str,
        /// How long was waited, in lab time.
        limit: Duration,
    },
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.join(", "),
    }
}
