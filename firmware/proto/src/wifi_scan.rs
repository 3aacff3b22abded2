//! The scan for access points on `prov-scan` (`wifi_scan.proto`).

use alloc::vec::Vec;

use crate::Status;
use crate::wifi_config::WifiAuthMode;

/// A request or a response on `prov-scan`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct WifiScanPayload {
    /// Which one.
    #[prost(enumeration = "WifiScanMsgType", tag = "1")]
    pub msg: i32,
    /// Whether the device could do it.
    #[prost(enumeration = "Status", tag = "2")]
    pub status: i32,
    /// Its content. Requests without parameters may come without it.
    #[prost(oneof = "Payload", tags = "10, 11, 12, 13, 14, 15")]
    pub payload: Option<Payload>,
}

/// Messages by number; a response is one more than its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum WifiScanMsgType {
    /// Starts a scan.
    CmdScanStart = 0,
    /// Answers it.
    RespScanStart = 1,
    /// Asks whether it is over.
    CmdScanStatus = 2,
    /// Answers it.
    RespScanStatus = 3,
    /// Asks for what was found.
    CmdScanResult = 4,
    /// Answers it.
    RespScanResult = 5,
}

/// Content of a message.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Payload {
    /// Starts a scan.
    #[prost(message, tag = "10")]
    CmdScanStart(CmdScanStart),
    /// Answers it.
    #[prost(message, tag = "11")]
    RespScanStart(RespScanStart),
    /// Asks whether it is over.
    #[prost(message, tag = "12")]
    CmdScanStatus(CmdScanStatus),
    /// Answers it.
    #[prost(message, tag = "13")]
    RespScanStatus(RespScanStatus),
    /// Asks for what was found.
    #[prost(message, tag = "14")]
    CmdScanResult(CmdScanResult),
    /// Answers it.
    #[prost(message, tag = "15")]
    RespScanResult(RespScanResult),
}

impl From<Payload> for WifiScanPayload {
    fn from(payload: Payload) -> Self {
        let msg = match payload {
            Payload::CmdScanStart(_) => WifiScanMsgType::CmdScanStart,
            Payload::RespScanStart(_) => WifiScanMsgType::RespScanStart,
            Payload::CmdScanStatus(_) => WifiScanMsgType::CmdScanStatus,
            Payload::RespScanStatus(_) => WifiScanMsgType::RespScanStatus,
            Payload::CmdScanResult(_) => WifiScanMsgType::CmdScanResult,
            Payload::RespScanResult(_) => WifiScanMsgType::RespScanResult,
        };
        Self {
            msg: msg as i32,
            status: Status::Success as i32,
            payload: Some(payload),
        }
    }
}

/// Starts a scan.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CmdScanStart {
    /// Whether the answer waits for the end of the scan.
    #[prost(bool, tag = "1")]
    pub blocking: bool,
    /// Whether the radio only listens.
    #[prost(bool, tag = "2")]
    pub passive: bool,
    /// Channels between two pauses; 0 for no pauses.
    #[prost(uint32, tag = "3")]
    pub group_channels: u32,
    /// Time on each channel in ms.
    #[prost(uint32, tag = "4")]
    pub period_ms: u32,
}

/// Answers [`CmdScanStart`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct RespScanStart {}

/// Asks whether the scan is over.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CmdScanStatus {}

/// Answers [`CmdScanStatus`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct RespScanStatus {
    /// Whether it is over.
    #[prost(bool, tag = "1")]
    pub scan_finished: bool,
    /// Access points found so far.
    #[prost(uint32, tag = "2")]
    pub result_count: u32,
}

/// Asks for what was found.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CmdScanResult {
    /// The first entry, from 0.
    #[prost(uint32, tag = "1")]
    pub start_index: u32,
    /// Number of entries.
    #[prost(uint32, tag = "2")]
    pub count: u32,
}

/// Answers [`CmdScanResult`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct RespScanResult {
    /// The strongest first.
    #[prost(message, repeated, tag = "1")]
    pub entries: Vec<WifiScanResult>,
}

/// An access point.
#[derive(Clone, PartialEq, prost::Message)]
pub struct WifiScanResult {
    /// At most 32 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub ssid: Vec<u8>,
    /// 1 to 13.
    #[prost(uint32, tag = "2")]
    pub channel: u32,
    /// dBm.
    #[prost(int32, tag = "3")]
    pub rssi: i32,
    /// 6 bytes.
    #[prost(bytes = "vec", tag = "4")]
    pub bssid: Vec<u8>,
    /// [`WifiAuthMode`], or a greater number.
    #[prost(enumeration = "WifiAuthMode", tag = "5")]
    pub auth: i32,
}
