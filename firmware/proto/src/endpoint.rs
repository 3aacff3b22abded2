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
