//! The bind call between phone and cloud: JSON over HTTP.
//!
//! Path and first fields follow Alibaba's Living Link API 1.0.8; the account stands in for the
//! signed identity that the real API takes from its caller.

use alloc::string::String;

use serde::{Deserialize, Serialize};

/// Where a device is bound to an account.
pub const BIND_PATH: &str = "/awss/token/user/bind";
/// Where a phone asks whether a token was reported.
pub const CHECK_PATH: &str = "/awss/token/check";

/// Body of both calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BindRequest {
    /// Who wants the device.
    pub account: String,
    /// Product key.
    pub product_key: String,
    /// Device name.
    pub device_name: String,
    /// The device's one-time token.
    pub token: String,
}

/// Answer to both calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BindReply {
    /// 200, or why not.
    pub code: i64,
    /// The same in words.
    pub message: String,
    /// The particulars.
    #[serde(default)]
    pub data: serde_json::Value,
}
