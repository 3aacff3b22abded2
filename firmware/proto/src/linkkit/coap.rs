//! Shapes of the CoAP side.

use alloc::format;
use alloc::string::String;
use core::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::{Empty, Id, VERSION};

/// UDP port of devices and phones.
pub const PORT: u16 = 5683;
/// Multicast group of the devices ("All CoAP Nodes", RFC 7252 §12.8).
pub const MULTICAST: Ipv4Addr = Ipv4Addr::new(224, 0, 1, 187);
/// Content-Format of every message (`application/json`, RFC 7252 §12.3).
pub const CONTENT_FORMAT_JSON: u16 = 50;
/// Where a device tells phones about itself.
pub const DEVICE_INFO_NOTIFY_PATH: &str = "/sys/device/info/notify";
/// Where phones ask any device.
pub const DEVICE_INFO_GET_PATH: &str = "/sys/device/info/get";
/// `method` of a [`Notify`].
pub const DEVICE_INFO_NOTIFY: &str = "device.info.notify";
/// `method` of a [`GetRequest`].
pub const DEVICE_INFO_GET: &str = "device.info.get";
/// `id` of a phone's answer to a [`Notify`] that every device takes.
pub const NOTIFY_ACK_ID: u64 = 123;

/// Where phones ask one device.
pub fn device_info_get_path(product_key: &str, device_name: &str) -> String {
    format!("/sys/{product_key}/{device_name}/device/info/get")
}

/// A device tells phones about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notify {
    /// Number of the notification, in decimal.
    pub id: String,
    /// [`VERSION`].
    pub version: String,
    /// [`DEVICE_INFO_NOTIFY`].
    pub method: String,
    /// About itself.
    pub params: DeviceInfo,
}

impl Notify {
    /// The notification number `id`.
    pub fn new(id: u8, params: DeviceInfo) -> Self {
        Self {
            id: format!("{id}"),
            version: VERSION.into(),
            method: DEVICE_INFO_NOTIFY.into(),
            params,
        }
    }
}

/// A phone asks a device about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetRequest {
    /// Chosen by the phone.
    pub id: Id,
    /// [`VERSION`].
    pub version: String,
    /// [`DEVICE_INFO_GET`].
    pub method: String,
    /// Nothing.
    #[serde(default)]
    pub params: Empty,
}

impl GetRequest {
    /// The question with this id, sent as text.
    pub fn new(id: &str) -> Self {
        Self {
            id: Id::Text(id.into()),
            version: VERSION.into(),
            method: DEVICE_INFO_GET.into(),
            params: Empty {},
        }
    }
}

/// What a device tells about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceInfo {
    /// Versions of the ways to be provisioned.
    pub awss_ver: AwssVersions,
    /// Product key.
    pub product_key: String,
    /// Device name.
    pub device_name: String,
    /// Upper-case, with colons.
    pub mac: String,
    /// Dotted.
    pub ip: String,
    /// 3; the article of 2019 shows 4.
    pub cipher_type: u8,
    /// 32 upper-case hex digits.
    pub token: String,
    /// What is left of the token's life, in ms.
    pub remain_time: u32,
    /// 0.
    #[serde(rename = "type")]
    pub kind: u8,
}

/// Versions of the ways to be provisioned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwssVersions {
    /// Smart config.
    pub smartconfig: String,
    /// Zero config.
    pub zconfig: String,
    /// By a router.
    pub router: String,
    /// By a phone's hotspot.
    pub ap: String,
    /// By the device's SoftAP.
    pub softap: String,
}

impl Default for AwssVersions {
    fn default() -> Self {
        let version = || String::from("2.0");
        Self {
            smartconfig: version(),
            zconfig: version(),
            router: version(),
            ap: version(),
            softap: version(),
        }
    }
}
