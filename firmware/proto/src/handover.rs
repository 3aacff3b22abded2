//! A binding token that the phone has made, on its way to the device: JSON on an endpoint of the
//! application, inside the provisioning session.
//!
//! Two forms. On an endpoint of its own the token comes before the credentials are applied. The
//! `switchap` form follows Linkkit's request of that name (SDK 3.2.0,
//! `/sys/awss/device/softap/switchap`): SSID, passphrase and token in one message, which the device
//! puts to use at once. Its passphrase is not encrypted once more, because the session does that.

use alloc::string::String;

use serde::{Deserialize, Serialize};

/// Endpoint of the token alone, if the application gives it no other name.
pub const TOKEN_ENDPOINT: &str = "binding-token";
/// Endpoint of the `switchap` form, if the application gives it no other name.
pub const SWITCHAP_ENDPOINT: &str = "switchap";
/// Length of a token in bytes; it is sent as twice as many hex digits.
pub const TOKEN_BYTES: usize = 16;

/// Taken.
pub const OK: i64 = 200;
/// The SSID is missing or too long.
pub const SSID: i64 = -1;
/// The passphrase is too long.
pub const PASSPHRASE: i64 = -3;
/// The random number is not of 32 hex digits.
pub const RANDOM: i64 = -4;
/// The token is not of 32 hex digits.
pub const TOKEN: i64 = -5;
/// The device does not await credentials now.
pub const STATE: i64 = -6;

/// The token alone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenRequest {
    /// 32 hex digits.
    pub token: String,
}

/// The `switchap` form.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchApRequest {
    /// Names the request; the reply bears it again.
    pub id: String,
    /// What is asked.
    pub params: SwitchAp,
}

/// Credentials and token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchAp {
    /// SSID, if it is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssid: Option<String>,
    /// SSID as hex digits, if it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xssid: Option<String>,
    /// Passphrase as hex digits; empty for an open network.
    pub passwd: String,
    /// 32 hex digits.
    pub random: String,
    /// 32 hex digits; without it, the device makes its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// Answer to both forms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandoverReply {
    /// The request's, in the `switchap` form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// [`OK`], or why not.
    pub code: i64,
}
