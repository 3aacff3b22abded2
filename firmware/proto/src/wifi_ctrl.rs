//! Reset after failure and provisioning anew, on `prov-ctrl` (`wifi_ctrl.proto`, since ESP-IDF 5.1).

use crate::Status;

/// A request or a response on `prov-ctrl`.
#[derive(Clone, PartialEq, prost::Message)]
pub struct WifiCtrlPayload {
    /// Which one.
    #[prost(enumeration = "WifiCtrlMsgType", tag = "1")]
    pub msg: i32,
    /// Whether the device could do it.
    #[prost(enumeration = "Status", tag = "2")]
    pub status: i32,
    /// Its content. Requests may come without it.
    #[prost(oneof = "Payload", tags = "11, 12, 13, 14")]
    pub payload: Option<Payload>,
}

/// Messages by number; a response is one more than its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum WifiCtrlMsgType {
    /// Not used.
    Reserved = 0,
    /// Takes back a failure.
    CmdCtrlReset = 1,
    /// Answers it.
    RespCtrlReset = 2,
    /// Starts anew after success.
    CmdCtrlReprov = 3,
    /// Answers it.
    RespCtrlReprov = 4,
}

/// Content of a message.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Payload {
    /// Takes back a failure.
    #[prost(message, tag = "11")]
    CmdCtrlReset(CmdCtrlReset),
    /// Answers it.
    #[prost(message, tag = "12")]
    RespCtrlReset(RespCtrlReset),
    /// Starts anew after success.
    #[prost(message, tag = "13")]
    CmdCtrlReprov(CmdCtrlReprov),
    /// Answers it.
    #[prost(message, tag = "14")]
    RespCtrlReprov(RespCtrlReprov),
}

/// Takes back a failure.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CmdCtrlReset {}

/// Answers [`CmdCtrlReset`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct RespCtrlReset {}

/// Starts anew after success.
#[derive(Clone, PartialEq, prost::Message)]
pub struct CmdCtrlReprov {}

/// Answers [`CmdCtrlReprov`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct RespCtrlReprov {}
