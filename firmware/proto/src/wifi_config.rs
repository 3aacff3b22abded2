//! Credentials, apply and status on `prov-config` (`wifi_config.proto`, `wifi_constants.proto`).

use alloc::string::String;
use alloc::vec::Vec;

use crate::Status;

/// A request or a response on `prov-config`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct WifiConfigPayload {
    /// Which one.
    #[prost(enumeration = "WifiConfigMsgType", tag = "1")]
    pub msg: i32,
    /// Its content. Requests without parameters may come without it.
    #[prost(oneof = "Payload", tags = "10, 11, 12, 13, 14, 15")]
    pub payload: Option<Payload>,
}

/// Messages by number; a response is one more than its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum WifiConfigMsgType {
    /// Asks for the status.
    CmdGetStatus = 0,
    /// Answers it.
    RespGetStatus = 1,
    /// Sends credentials.
    CmdSetConfig = 2,
    /// Answers it.
    RespSetConfig = 3,
    /// Puts them to use.
    CmdApplyConfig = 4,
    /// Answers it.
    RespApplyConfig = 5,
}

/// Content of a message.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Payload {
    /// Asks for the status.
    #[prost(message, tag = "10")]
    CmdGetStatus(CmdGetStatus),
    /// Answers it.
    #[prost(message, tag = "11")]
    RespGetStatus(RespGetStatus),
    /// Sends credentials.
    #[prost(message, tag = "12")]
    CmdSetConfig(CmdSetConfig),
    /// Answers it.
    #[prost(message, tag = "13")]
    RespSetConfig(RespSetConfig),
    /// Puts them to use.
    #[prost(message, tag = "14")]
    CmdApplyConfig(CmdApplyConfig),
    /// Answers it.
    #[prost(message, tag = "15")]
    RespApplyConfig(RespApplyConfig),
}

impl From<Payload> for WifiConfigPayload {
    fn from(payload: Payload) -> Self {
        let msg = match payload {
            Payload::CmdGetStatus(_) => WifiConfigMsgType::CmdGetStatus,
            Payload::RespGetStatus(_) => WifiConfigMsgType::RespGetStatus,
            Payload::CmdSetConfig(_) => WifiConfigMsgType::CmdSetConfig,
            Payload::RespSetConfig(_) => WifiConfigMsgType::RespSetConfig,
            Payload::CmdApplyConfig(_) => WifiConfigMsgType::CmdApplyConfig,
            Payload::RespApplyConfig(_) => WifiConfigMsgType::RespApplyConfig,
        };
        Self {
            msg: msg as i32,
            payload: Some(payload),
        }
    }
}

/// Asks for the status.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CmdGetStatus {}

/// What became of the credentials.
#[derive(Clone, PartialEq, prost::Message)]
pub struct RespGetStatus {
    /// Whether the question was understood.
    #[prost(enumeration = "Status", tag = "1")]
    pub status: i32,
    /// The station. `Connected` counts only together with [`StationState::Connected`], because a
    /// device whose service has ended answers with an empty message.
    #[prost(enumeration = "WifiStationState", tag = "2")]
    pub sta_state: i32,
    /// The particulars.
    #[prost(oneof = "StationState", tags = "10, 11, 12")]
    pub state: Option<StationState>,
}

/// Particulars of the station's state.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum StationState {
    /// Why it failed.
    #[prost(enumeration = "WifiConnectFailedReason", tag = "10")]
    FailReason(i32),
    /// Where it is connected.
    #[prost(message, tag = "11")]
    Connected(WifiConnectedState),
    /// It failed, and will try again (ESP-IDF 5.5).
    #[prost(message, tag = "12")]
    AttemptFailed(WifiAttemptFailed),
}

/// The station's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum WifiStationState {
    /// Has an IP address.
    Connected = 0,
    /// On the way.
    Connecting = 1,
    /// Not connected.
    Disconnected = 2,
    /// Gave up.
    ConnectionFailed = 3,
}

/// Why a station gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum WifiConnectFailedReason {
    /// The passphrase is wrong.
    AuthError = 0,
    /// There is no such access point.
    NetworkNotFound = 1,
}

/// How an access point is protected. Scan results may hold greater numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum WifiAuthMode {
    /// Not at all.
    Open = 0,
    /// WEP.
    Wep = 1,
    /// WPA.
    WpaPsk = 2,
    /// WPA2.
    Wpa2Psk = 3,
    /// WPA or WPA2.
    WpaWpa2Psk = 4,
    /// WPA2 with accounts.
    Wpa2Enterprise = 5,
    /// WPA3.
    Wpa3Psk = 6,
    /// WPA2 or WPA3.
    Wpa2Wpa3Psk = 7,
}

/// Where a station is connected.
#[derive(Clone, PartialEq, prost::Message)]
pub struct WifiConnectedState {
    /// Its dotted address.
    #[prost(string, tag = "1")]
    pub ip4_addr: String,
    /// [`WifiAuthMode`], or a greater number.
    #[prost(enumeration = "WifiAuthMode", tag = "2")]
    pub auth_mode: i32,
    /// At most 32 bytes.
    #[prost(bytes = "vec", tag = "3")]
    pub ssid: Vec<u8>,
    /// 6 bytes.
    #[prost(bytes = "vec", tag = "4")]
    pub bssid: Vec<u8>,
    /// 1 to 13.
    #[prost(int32, tag = "5")]
    pub channel: i32,
}

/// A station failed, and will try again.
#[derive(Clone, PartialEq, prost::Message)]
pub struct WifiAttemptFailed {
    /// How often.
    #[prost(uint32, tag = "1")]
    pub attempts_remaining: u32,
}

/// Sends credentials.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CmdSetConfig {
    /// At most 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub ssid: Vec<u8>,
    /// At most 63 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub passphrase: Vec<u8>,
    /// 6 bytes or none; ESP-IDF keeps it and does not use it.
    #[prost(bytes = "vec", tag = "3")]
    pub bssid: Vec<u8>,
    /// 0 for any; ESP-IDF keeps it and does not use it.
    #[prost(int32, tag = "4")]
    pub channel: i32,
}

/// Answers [`CmdSetConfig`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct RespSetConfig {
    /// Whether the credentials were taken.
    #[prost(enumeration = "Status", tag = "1")]
    pub status: i32,
}

/// Puts the credentials to use.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CmdApplyConfig {}

/// Answers [`CmdApplyConfig`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct RespApplyConfig {
    /// Whether the device will try them.
    #[prost(enumeration = "Status", tag = "1")]
    pub status: i32,
}
