//! What the images for boards share: log, memory marks, random numbers, storage in memory, the
//! virtual radio's wire.
//!
//! None of it knows a chip. What is not about the debugger's side of RTT is tested on the host.

#![no_std]

extern crate alloc;

pub mod boots;
pub mod heap;
#[cfg(target_os = "none")]
pub mod logging;
pub mod marks;
pub mod nor;
pub mod radio;
pub mod random;
#[cfg(target_os = "none")]
pub mod rtt;
pub mod stack;

/// The firmware's own crates, whose log records a host sees.
pub const FIRMWARE: [&str; 11] = [
    "device",
    "embedded",
    "virtual_parts",
    "mps2",
    "esp32c6",
    "tls_mbedtls",
    "lan9118",
    "cmsdk_uart",
    "factory",
    "proto",
    "airlink",
];

/// Firmware names the component that logs. Libraries in the same image log under their modules'
/// names, and no device prints that.
pub fn is_firmware(target: &str, module: &str) -> bool {
    let own = module
        .split("::")
        .next()
        .is_some_and(|name| FIRMWARE.contains(&name));
    own || target != module
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_not_heard() {
        assert!(is_firmware(
            "wifi_prov_mgr",
            "device::provisioning::service"
        ));
        assert!(is_firmware("device::boot", "device::boot"));
        assert!(is_firmware("app", "another_firmware"));
        assert!(!is_firmware("smoltcp::iface", "smoltcp::iface"));
        assert!(!is_firmware("devices::other", "devices::other"));
    }
}
