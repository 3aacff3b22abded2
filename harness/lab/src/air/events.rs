//! What the air appends to the trace.

use serde::{Deserialize, Serialize};
use trace::{Payload, Source};

/// A device's station has joined an access point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    /// The access point's role in the scenario.
    pub access_point: String,
    /// Its SSID.
    pub ssid: String,
}

/// A device's station is not joined any more, or could not join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Which network it was about.
    pub ssid: String,
    /// 802.11 reason, or one of ESP-IDF's own from 200 on.
    pub reason: u16,
    /// The reason in words.
    pub why: String,
}

/// A device begins to scan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanBegun {
    /// The channel; 0 for all.
    pub channel: u8,
    /// Whether it only listens, and sends no probe.
    pub passive: bool,
}

/// A device or phone has got an address from an access point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leased {
    /// The access point's role.
    pub access_point: String,
    /// Who got it: `device NAME`, `phone NAME` or a hardware address.
    pub to: String,
    /// The address.
    pub address: String,
}

/// A name server was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameAsked {
    /// Which name.
    pub name: String,
    /// The address that was answered, `unknown`, or `silence`.
    pub answer: String,
}

/// A device or phone has opened a connection to a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Nobody offers that port.
    NoService,
    /// The network under it is gone.
    NetworkGone,
}

/// A device has become an access point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoftApStarted {
    /// Its SSID.
    pub ssid: String,
    /// Its channel.
    pub channel: u8,
    /// Whether it needs no passphrase.
    pub open: bool,
}

/// A device is no access point any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SoftApStopped {
    /// Its SSID.
    pub ssid: String,
}

/// A phone has joined a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneJoined {
    /// Which phone.
    pub phone: String,
    /// The SoftAP's SSID, or the access point's role.
    pub network: String,
    /// The phone's address there.
    pub address: String,
}

/// A phone has left a network, or lost it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneLeft {
    /// Which phone.
    pub phone: String,
    /// The SoftAP's SSID, or the access point's role.
    pub network: String,
}

/// An access point was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessPointChanged {
    /// The access point's role.
    pub access_point: String,
    /// What was changed, in words; holds no passphrase.
    pub change: String,
}

/// A connection of the host, or a flow of datagrams, was forwarded to a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

macro_rules! payloads {
    ($($payload:ty => $kind:literal),* $(,)?) => {
        $(impl Payload for $payload {
            const SOURCE: Source = Source::Air;
            const KIND: &'static str = $kind;
        })*
    };
}

payloads! {
    Joined => "joined",
    Left => "left",
    ScanBegun => "scan_begun",
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
}
