//! Events of the air: Wi-Fi, the networks behind it, and Bluetooth.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

payloads! {
    Air:
    Joined => "joined",
    Left => "left",
    ScanBegun => "scan_begun",
    AddressAsked => "address_asked",
    AddressProbed => "address_probed",
    Leased => "leased",
    NameAsked => "name_asked",
    ConnectionOpened => "connection_opened",
    ConnectionClosed => "connection_closed",
    SoftApStarted => "soft_ap_started",
    SoftApStopped => "soft_ap_stopped",
    PhoneJoined => "phone_joined",
    PhoneLeft => "phone_left",
    AccessPointChanged => "access_point_changed",
    Forwarded => "forwarded",
    BleAdvertisingSeen => "ble_advertising_seen",
    BleConnected => "ble_connected",
    BleDisconnected => "ble_disconnected",
    BleFaultsSet => "ble_faults_set",
    BleLinkDropped => "ble_link_dropped",
    HostWifiSwitched => "host_wifi_switched",
}

/// A device's station has joined an access point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Joined {
    /// The access point's role in the scenario.
    pub access_point: String,
    /// Its SSID.
    pub ssid: String,
    /// Its BSSID in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bssid: Option<String>,
    /// Its channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<u8>,
    /// How it authenticates, such as `wpa2_psk`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<String>,
}

/// A device's station is not joined any more, or could not join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Left {
    /// Which network it was about.
    pub ssid: String,
    /// 802.11 reason, or one of ESP-IDF's own from 200 on.
    pub reason: u16,
    /// The reason in words.
    pub why: String,
}

/// A device begins to scan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScanBegun {
    /// The channel; 0 for all.
    pub channel: u8,
    /// Whether it only listens, and sends no probe.
    pub passive: bool,
}

/// A device or phone has got an address from an access point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Leased {
    /// The access point's role.
    pub access_point: String,
    /// Who got it: `device NAME`, `phone NAME` or a hardware address.
    pub to: String,
    /// The address.
    pub address: String,
    /// The mask of its network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<String>,
    /// The network's router, if one was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router: Option<String>,
    /// The network's name server, if one was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_server: Option<String>,
    /// For how many seconds, unless it is renewed.
    #[serde(default = "a_day")]
    pub lease_s: u32,
}

fn a_day() -> u32 {
    86_400
}

/// A device or phone has sent an access point's DHCP server a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddressAsked {
    /// The access point's role.
    pub access_point: String,
    /// The client: `device NAME`, `phone NAME` or a hardware address.
    pub by: String,
    /// `discover`, `request`, `decline`, `release`, `inform` or `unknown`.
    pub message: String,
    /// The address that it wants, or has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<String>,
    /// `offer`, `ack` or `nak`; none for silence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}

/// A name server was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NameAsked {
    /// The name that was looked up.
    pub name: String,
    /// The address that was answered, `unknown`, `failure`, or `silence`.
    pub answer: String,
    /// The address of the server that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
}

/// A device or phone has opened a connection to a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionOpened {
    /// `tcp` or `udp`.
    pub protocol: String,
    /// The service's name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Address and port of the client.
    pub client: String,
}

/// A connection to a service is over, or was not opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionClosed {
    /// `tcp` or `udp`.
    pub protocol: String,
    /// The service's name; its address if it has none.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Address and port of the client.
    pub client: String,
    /// How it ended.
    pub how: ConnectionEnd,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionEnd {
    /// Both sides closed it.
    Closed,
    /// The client reset it.
    ResetByClient,
    /// The service reset it.
    ResetByService,
    /// The service did not accept it.
    Refused,
    /// No service listens on that port.
    NoService,
    /// The network under it is gone.
    NetworkGone,
}

/// A device has become an access point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SoftApStarted {
    /// Its SSID.
    pub ssid: String,
    /// Its channel.
    pub channel: u8,
    /// Whether it needs no passphrase.
    pub open: bool,
}

/// A device is no access point any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SoftApStopped {
    /// Its SSID.
    pub ssid: String,
}

/// A phone has joined a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhoneJoined {
    /// Name of the phone.
    pub phone: String,
    /// The SoftAP's SSID, or the access point's role.
    pub network: String,
    /// The phone's address there.
    pub address: String,
    /// Bits of the network's mask, as the phone was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<u8>,
    /// The router that it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub router: Option<String>,
    /// For how many seconds the address is its.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_s: Option<u32>,
}

/// A phone has left a network, or lost it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhoneLeft {
    /// Name of the phone.
    pub phone: String,
    /// The SoftAP's SSID, or the access point's role.
    pub network: String,
}

/// An access point was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccessPointChanged {
    /// The access point's role.
    pub access_point: String,
    /// What was changed, in words; holds no passphrase.
    pub change: String,
}

/// A connection of the host, or a flow of datagrams, was forwarded to a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Forwarded {
    /// `tcp` or `udp`.
    pub protocol: String,
    /// `softap` or `sta`.
    pub interface: String,
    /// The device's port.
    pub port: u16,
    /// How it ended, or why it was not made.
    pub how: String,
}

/// The host's interface is connected to another network, or to none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostWifiSwitched {
    /// The network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Reason, in words.
    pub why: String,
}

/// A scanner heard a device for the first time in this scan, or with other data than before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BleAdvertisingSeen {
    /// The device or phone that scans.
    pub by: String,
    /// The advertiser's address, as people write it.
    pub address: String,
    /// Whether this is what it answers to a scan request.
    pub scan_response: bool,
    /// The advertising data, as hex.
    pub data: String,
    /// Strength in dBm.
    pub rssi: i8,
    /// From one advertisement to the next, in ms, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_ms: Option<u64>,
}

/// Two controllers are connected. The event's device is the peripheral.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BleConnected {
    /// The device or phone that connected.
    pub central: String,
    /// Connection interval in µs.
    pub interval_us: u32,
    /// Supervision timeout in ms.
    pub supervision_ms: u32,
}

/// They are not any more. The event's device is the peripheral.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BleDisconnected {
    /// The other side.
    pub central: String,
    /// The side that ended it; none if the link was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// HCI error code (Core 5.4 Vol 1 Part F).
    pub reason: u8,
    /// Bytes of L2CAP that it carried, both ways.
    pub carried: u64,
}

/// A radio was broken on purpose, or repaired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BleFaultsSet {
    /// What is wrong with it from now on.
    pub faults: RadioFaults,
}

/// A device has asked by ARP whether anybody has the address that it was leased (RFC 5227).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddressProbed {
    /// The access point's role.
    pub access_point: String,
    /// The address.
    pub address: String,
    /// The address that the request comes from; none for a probe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
}

/// A connection was lost because it had carried as many bytes as a fault allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BleLinkDropped {
    /// Bytes of L2CAP that it had carried, both ways.
    pub carried: u64,
}

/// What is wrong with a radio on purpose; the default is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RadioFaults {
    /// Its advertising is not received.
    pub unheard: bool,
    /// After so many more bytes of L2CAP, both ways, its connection is lost: both sides notice by
    /// their supervision timeout. Once that has happened, this fault is over.
    pub drop_after: Option<u64>,
    /// How strong others hear it, in dBm.
    pub rssi: i8,
    /// How much later everything arrives on its connections, in lab time.
    pub latency: Duration,
    /// Bytes of L2CAP in a second of lab time on each of its connections, each way.
    pub bytes_per_second: Option<u32>,
}

impl Default for RadioFaults {
    fn default() -> Self {
        Self {
            unheard: false,
            drop_after: None,
            rssi: -50,
            latency: Duration::ZERO,
            bytes_per_second: None,
        }
    }
}
