//! What a radio asks of the air, and what it is told.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::{ETHERTYPE, Packet, Port};

/// First byte behind the EtherType.
const VERSION: u8 = 1;

/// Which interfaces the radio runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// None.
    Off,
    /// Station alone.
    Station,
    /// SoftAP alone.
    SoftAp,
    /// Both.
    Both,
}

/// How an access point authenticates; the numbers are ESP-IDF's `wifi_auth_mode_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum AuthMode {
    /// No passphrase.
    Open = 0,
    /// WEP.
    Wep = 1,
    /// WPA.
    WpaPsk = 2,
    /// WPA2.
    Wpa2Psk = 3,
    /// WPA or WPA2.
    WpaWpa2Psk = 4,
    /// WPA2 Enterprise.
    Wpa2Enterprise = 5,
    /// WPA3.
    Wpa3Psk = 6,
    /// WPA2 or WPA3.
    Wpa2Wpa3Psk = 7,
}

/// An access point as a radio hears it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessPoint {
    /// At most 32 bytes, not always text.
    pub ssid: Vec<u8>,
    /// The access point's MAC address.
    pub bssid: [u8; 6],
    /// 1..=13.
    pub channel: u8,
    /// dBm.
    pub rssi: i8,
    /// How it authenticates.
    pub auth: AuthMode,
}

/// From the radio to the air.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Run these interfaces.
    SetMode(Mode),
    /// Join an access point as station. Answered by [`Notice::Joined`] or [`Notice::Left`].
    Join {
        /// Which network.
        ssid: Vec<u8>,
        /// Its passphrase; empty for an open one.
        passphrase: String,
    },
    /// Leave the access point.
    Leave,
    /// Listen for access points. Answered by [`Notice::ScanDone`].
    Scan {
        /// Channel to listen on, 0 for all.
        channel: u8,
        /// Listen only, send no probe.
        passive: bool,
    },
    /// Be an access point.
    StartSoftAp {
        /// Its SSID.
        ssid: Vec<u8>,
        /// Its passphrase; empty for an open one.
        passphrase: String,
        /// Its channel.
        channel: u8,
        /// Stations it accepts at once.
        max_stations: u8,
    },
    /// Be none any more.
    StopSoftAp,
}

/// From the air to the radio.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    /// The station has joined.
    Joined(AccessPoint),
    /// The station is not joined any more, or could not join.
    Left {
        /// 802.11 reason, or one of ESP-IDF's own from 200 on (201 no access point found, 202
        /// authentication failed, 204 handshake time-out).
        reason: u16,
    },
    /// What the scan found, strongest first.
    ScanDone(Vec<AccessPoint>),
    /// A station has joined the SoftAP.
    StationJoined([u8; 6]),
    /// A station has left the SoftAP.
    StationLeft([u8; 6]),
}

/// The control frame that carries `request`.
pub fn encode_request(request: &Request) -> Packet {
    encode(request)
}

/// The control frame that carries `notice`.
pub fn encode_notice(notice: &Notice) -> Packet {
    encode(notice)
}

/// The request in a control frame.
pub fn decode_request(packet: &Packet) -> Result<Request, ControlError> {
    decode(packet)
}

/// The notice in a control frame.
pub fn decode_notice(packet: &Packet) -> Result<Notice, ControlError> {
    decode(packet)
}

fn encode<T: Serialize>(message: &T) -> Packet {
    let mut frame = alloc::vec![0_u8; 12];
    frame.extend_from_slice(&ETHERTYPE.to_be_bytes());
    frame.push(VERSION);
    // Cannot fail: the messages hold nothing that postcard lacks, and a Vec takes any length.
    if let Ok(body) = postcard::to_allocvec(message) {
        frame.extend_from_slice(&body);
    }
    Packet {
        port: Port::Station,
        frame,
    }
}

fn decode<'p, T: Deserialize<'p>>(packet: &'p Packet) -> Result<T, ControlError> {
    if !packet.is_control() {
        return Err(ControlError::NotControl);
    }
    match packet.frame.get(14) {
        Some(&VERSION) => {}
        other => return Err(ControlError::Version(other.copied())),
    }
    postcard::from_bytes(&packet.frame[15..]).map_err(|_| ControlError::Malformed)
}

/// A frame that holds no control message of the wanted direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlError {
    /// Another EtherType.
    NotControl,
    /// Another version of this protocol, or none.
    Version(Option<u8>),
    /// The body is no message.
    Malformed,
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotControl => write!(f, "not a control frame"),
            Self::Version(Some(version)) => write!(f, "control frame of version {version}"),
            Self::Version(None) => write!(f, "control frame without version"),
            Self::Malformed => write!(f, "malformed control frame"),
        }
    }
}

impl core::error::Error for ControlError {}
