//! What the trace is told about Bluetooth.

use serde::{Deserialize, Serialize};
use trace::{Payload, Source};

use super::faults::RadioFaults;

/// A scanner heard a device for the first time in this scan, or with other data than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BleAdvertisingSeen {
    /// Who scans.
    pub by: String,
    /// The advertiser's address, as people write it.
    pub address: String,
    /// Whether this is what it answers to a scan request.
    pub scan_response: bool,
    /// The advertising data, as hex.
    pub data: String,
    /// Strength in dBm.
    pub rssi: i8,
}

impl Payload for BleAdvertisingSeen {
    const SOURCE: Source = Source::Air;
    const KIND: &'static str = "ble_advertising_seen";
}

/// Two controllers are connected. The event's device is the peripheral.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BleConnected {
    /// Who connected.
    pub central: String,
    /// Connection interval in µs.
    pub interval_us: u32,
    /// Supervision timeout in ms.
    pub supervision_ms: u32,
}

impl Payload for BleConnected {
    const SOURCE: Source = Source::Air;
    const KIND: &'static str = "ble_connected";
}

/// They are not any more. The event's device is the peripheral.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BleDisconnected {
    /// The other side.
    pub central: String,
    /// Who ended it; nobody, if the link was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// HCI error code (Core 5.4 Vol 1 Part F).
    pub reason: u8,
    /// Bytes of L2CAP that it carried, both ways.
    pub carried: u64,
}

impl Payload for BleDisconnected {
    const SOURCE: Source = Source::Air;
    const KIND: &'static str = "ble_disconnected";
}

/// A radio was broken on purpose, or repaired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BleFaultsSet {
    /// What is wrong with it from now on.
    pub faults: RadioFaults,
}

impl Payload for BleFaultsSet {
    const SOURCE: Source = Source::Air;
    const KIND: &'static str = "ble_faults_set";
}

/// A connection was lost because it had carried as many bytes as a fault allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BleLinkDropped {
    /// Bytes of L2CAP that it had carried, both ways.
    pub carried: u64,
}

impl Payload for BleLinkDropped {
    const SOURCE: Source = Source::Air;
    const KIND: &'static str = "ble_link_dropped";
}
