//! The answer of `proto-ver`, JSON.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// Capability of a device that speaks security 0.
pub const NO_SEC: &str = "no_sec";
/// Capability of a device that speaks security 1 without a proof of possession.
pub const NO_POP: &str = "no_pop";
/// Capability of a device that scans for access points.
pub const WIFI_SCAN: &str = "wifi_scan";
/// Capability of a device that is provisioned with Wi-Fi (`network_provisioning`).
pub const WIFI_PROV: &str = "wifi_prov";

/// What a device says about itself. Labels of the application are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The provisioning service.
    pub prov: Prov,
}

/// The provisioning service's version and capabilities.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prov {
    /// `v1.1`; `netprov-v1.2` for `network_provisioning`.
    pub ver: String,
    /// Security of the session, 0 to 2; since ESP-IDF 5.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sec_ver: Option<u8>,
    /// 1 where security 2 counts its nonce; absent means 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sec_patch_ver: Option<u8>,
    /// Capabilities, such as [`NO_POP`].
    #[serde(default)]
    pub cap: Vec<String>,
}

impl Prov {
    /// Whether the device says that it can do this.
    pub fn can(&self, capability: &str) -> bool {
        self.cap.iter().any(|known| known == capability)
    }
}
