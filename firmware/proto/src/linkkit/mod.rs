//! What a device of Alibaba's Linkkit says to its cloud by MQTT and to phones by CoAP.
//!
//! Fields are written in the order in which the SDK prints them.

mod coap;
mod id;

use alloc::format;
use alloc::string::String;

use serde::{Deserialize, Serialize};

pub use coap::{
    AwssVersions, CONTENT_FORMAT_JSON, DEVICE_INFO_GET, DEVICE_INFO_GET_PATH, DEVICE_INFO_NOTIFY,
    DEVICE_INFO_NOTIFY_PATH, DeviceInfo, GetRequest, MULTICAST, NOTIFY_ACK_ID, Notify, PORT,
    device_info_get_path,
};
pub use id::Id;

/// `version` of every request.
pub const VERSION: &str = "1.0";
/// `method` of a [`MatchReport`].
pub const MATCH_METHOD: &str = "thing.awss.enrollee.match";

/// Topic of a [`MatchReport`]; `ts` chooses the spelling of the article of 2019.
pub fn match_topic(product_key: &str, device_name: &str, ts: bool) -> String {
    let ts = if ts { "ts/" } else { "" };
    format!("/sys/{product_key}/{device_name}/{ts}thing/awss/enrollee/match")
}

/// Topic of the cloud's answer to it.
pub fn match_reply_topic(product_key: &str, device_name: &str) -> String {
    format!("/sys/{product_key}/{device_name}/thing/awss/enrollee/match_reply")
}

/// Reports a token to the cloud, by MQTT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchReport {
    /// Number of the report, from 0, in decimal.
    pub id: String,
    /// [`VERSION`].
    pub version: String,
    /// [`MATCH_METHOD`].
    pub method: String,
    /// The token.
    pub params: MatchParams,
}

impl MatchReport {
    /// The report number `id` of `token`.
    pub fn new(id: u32, token: &str) -> Self {
        Self {
            id: format!("{id}"),
            version: VERSION.into(),
            method: MATCH_METHOD.into(),
            params: MatchParams {
                token: token.into(),
            },
        }
    }
}

/// Parameters of a [`MatchReport`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchParams {
    /// 32 upper-case hex digits.
    pub token: String,
}

/// An answer, by MQTT or CoAP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply<D = Empty> {
    /// `id` of the request.
    pub id: Id,
    /// 200, or why not.
    pub code: i64,
    /// What was asked for.
    pub data: D,
}

/// `{}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}
