//! A device with Espressif's ESP8266 NONOS SDK, which keeps its certificates as images in its flash.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// How the firmware calls the SDK, and what stands in the flash of its chip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Esp8266 {
    /// Sector that `espconn_secure_ca_enable` names; none if it is not called, so that nothing is verified.
    pub ca_sector: Option<u16>,
    /// Sector that `espconn_secure_cert_req_enable` names; none if it is not called, so that the device has
    /// no certificate.
    pub certificate_sector: Option<u16>,
    /// What `espconn_secure_set_size` is called with, in bytes.
    pub buffer: u16,
    /// The longest records that it asks the broker for (RFC 6066 §4), in bytes: 512, 1024, 2048 or 4096; 0 if it
    /// asks for none, as the SDK does.
    pub max_fragment: u16,
    /// Start of the topics that it publishes and subscribes to: the demo's are `/mqtt/topic/0` to `2`.
    pub topics: String,
    /// Address of the first byte of `flash`.
    pub flash_address: u32,
    /// What stands there; the rest of the flash is erased.
    pub flash: Vec<u8>,
}
