//! Names of the provisioning endpoints; over HTTP the path is `/` and the name.

/// Version and capabilities as JSON; never encrypted.
pub const PROTO_VER: &str = "proto-ver";
/// The security handshake; never encrypted.
pub const SESSION: &str = "prov-session";
/// Credentials, apply and status.
pub const CONFIG: &str = "prov-config";
/// Wi-Fi scan.
pub const SCAN: &str = "prov-scan";
/// Reset after failure, and provisioning anew.
pub const CTRL: &str = "prov-ctrl";

/// First number in a characteristic's UUID that the application's endpoints get, in the order of
/// their creation (ESP-IDF 5.5 `wifi_provisioning/src/manager.c`).
pub const FIRST_CUSTOM_ID: u16 = 0xFF54;

/// Number in the characteristic's UUID of an endpoint that is not the application's.
pub fn id(name: &str) -> Option<u16> {
    match name {
        CTRL => Some(0xFF4F),
        SCAN => Some(0xFF50),
        SESSION => Some(0xFF51),
        CONFIG => Some(0xFF52),
        PROTO_VER => Some(0xFF53),
        _ => None,
    }
}
