//! Events of the Linkkit cloud: token reports and binds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

payloads! {
    Cloud:
    LinkkitConnectAccepted => "connect_accepted",
    LinkkitConnectRefused => "connect_refused",
    TokenReported => "token_reported",
    ReportMalformed => "report_malformed",
    MatchReplied => "match_replied",
    ResetReported => "reset_reported",
    ResetReplied => "reset_replied",
    Bound => "bound",
    BindRefused => "bind_refused",
    TokenChecked => "token_checked",
}

/// A CONNECT with a good signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LinkkitConnectAccepted {
    /// Number of the connection at the broker.
    pub connection: u64,
    /// Product key.
    pub product_key: String,
    /// Device name.
    pub device_name: String,
    /// `hmacsha1` or `hmacsha256`.
    pub sign_method: String,
    /// 2 for TLS, 3 for TCP, as the device claims.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secure_mode: Option<String>,
    /// Version of the SDK, as the device claims (`_v`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdk_version: Option<String>,
}

/// A CONNECT that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LinkkitConnectRefused {
    /// Number of the connection at the broker.
    pub connection: u64,
    /// Product key, if the user name has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_key: Option<String>,
    /// Device name, if the user name has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
    /// Code of the CONNACK.
    pub code: u8,
    /// Reason of the refusal.
    pub reason: String,
}

/// A device has reported its token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TokenReported {
    /// Product key.
    pub product_key: String,
    /// Device name.
    pub device_name: String,
    /// Where it was published.
    pub topic: String,
    /// Whether that is the spelling with `ts/` before `thing/`, which the article of 2019 has and no SDK.
    #[serde(default)]
    pub ts_topic: bool,
    /// Number of the report, as the device counts.
    pub id: Value,
    /// The token.
    pub token: String,
    /// The bits, in hex, in which it differs from the token that this device reported before it, if both are
    /// numbers in hex. Says nothing of either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differs: Option<String>,
    /// Whether the token is spelled in digits and capital letters of hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capital_hex: Option<bool>,
    /// How many reports this device has made, this one included.
    pub count: u64,
    /// How many of them, in a row, were of this token.
    pub repeats: u64,
    /// Whether the token can be used; not if the scenario has the cloud refuse it.
    pub taken: bool,
    /// `params` of the report, so that `/params/token` is the token.
    pub params: Value,
    /// The whole report.
    pub report: Value,
}

/// A device has sent something else than a report where reports are due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReportMalformed {
    /// Product key.
    pub product_key: String,
    /// Device name.
    pub device_name: String,
    /// Where it was published.
    pub topic: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The cloud has answered a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MatchReplied {
    /// Product key.
    pub product_key: String,
    /// Device name.
    pub device_name: String,
    /// Where the answer was published.
    pub topic: String,
    /// The number in it.
    pub id: Value,
    /// The code in it.
    pub code: u16,
}

/// A device has said that it was reset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResetReported {
    /// Product key.
    pub product_key: String,
    /// Device name.
    pub device_name: String,
    /// Number of the report, as the device counts.
    pub id: Value,
    /// Accounts that it belonged to until now.
    pub owners: Vec<String>,
}

/// The cloud has answered a reset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ResetReplied {
    /// Product key.
    pub product_key: String,
    /// Device name.
    pub device_name: String,
    /// The number in it.
    pub id: Value,
}

/// A device belongs to an account now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bound {
    /// The account.
    pub account: String,
    /// Product key.
    pub product_key: String,
    /// Device name.
    pub device_name: String,
    /// The token that it was bound by.
    pub token: String,
}

/// A bind was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BindRefused {
    /// The account.
    pub account: String,
    /// Product key.
    pub product_key: String,
    /// Device name.
    pub device_name: String,
    /// The token that was shown.
    pub token: String,
    /// A number of the bind API's codes.
    pub code: i64,
    /// The same in one word.
    pub outcome: BindOutcome,
    /// The same in words.
    pub reason: String,
}

/// A phone has asked whether a token was reported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenChecked {
    /// Product key.
    pub product_key: String,
    /// Device name.
    pub device_name: String,
    /// The token.
    pub token: String,
    /// A number of the bind API's codes.
    pub code: i64,
}

/// What comes of a bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BindOutcome {
    /// The device belongs to the account now.
    Bound,
    /// No device has reported the token.
    Unknown,
    /// Not this device has reported the token, or not as its last.
    Mismatched,
    /// The token was reported too long ago.
    Expired,
    /// The token was used before, by any account.
    AlreadyUsed,
    /// Anything else; the code says what.
    Refused,
}
