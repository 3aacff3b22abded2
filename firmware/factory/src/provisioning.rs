//! How a device is provisioned.
//!
//! Every default is what ESP-IDF 5.5 and its example application (`wifi_prov_mgr`) do.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// How the device is provisioned. Delays in ms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provisioning {
    /// SSID of the SoftAP or name in the BLE advertisement; empty for `PROV_` and the last three
    /// bytes of the MAC address.
    pub service_name: String,
    /// SoftAP passphrase; empty for an open one.
    pub service_key: String,
    /// The session's security.
    pub security: Security,
    /// From the answer to apply until the station connects (ESP-IDF: 1000).
    pub connect_delay_ms: u32,
    /// From success until the service stops by itself (ESP-IDF: 30 000).
    pub auto_stop_ms: u32,
    /// From the decision to stop until the service stops (ESP-IDF: 1000, no less than 100).
    pub cleanup_delay_ms: u32,
    /// Whether a client that sends its SRP public key unpadded is served all the same.
    pub lenient_srp_public_key: bool,
    /// The transport.
    pub scheme: Scheme,
    /// Whose behaviour the device has.
    pub version: Version,
    /// Patch version of security 2: 1, or 0 as in releases before 2025, whose nonce does not count.
    pub security2_patch: u8,
    /// Whether a failure is told to the application with the reason of the one before, as ESP-IDF
    /// 5.4.3 to 5.5 do.
    pub stale_fail_reason: bool,
    /// Whether the service starts on a device that is provisioned already.
    pub force_start: bool,
    /// Whether the service stops only when the application stops it.
    pub disable_auto_stop: bool,
    /// Attempts to connect before credentials have failed; 0 for one, of which the phone is told
    /// nothing (ESP-IDF 5.5 `wifi_conn_attempts`).
    pub conn_attempts: u32,
    /// After so many failures the application has new credentials awaited; 0 for never.
    pub reset_after_failures: u32,
    /// What the application says about itself on `proto-ver`.
    pub app_info: Vec<AppInfo>,
    /// Endpoints of the application, in the order of their creation.
    pub custom_endpoints: Vec<String>,
    /// From the start of the service until the application's endpoints have their handlers.
    pub register_delay_ms: u32,
    /// Endpoints that lose their handlers.
    pub unregister: Vec<Unregister>,
    /// Endpoint of the application whose requests make it stop the service; empty for none.
    pub stop_endpoint: String,
    /// How a phone hands over a binding token that it made.
    pub phone_token: Option<PhoneToken>,
    /// How the SoftAP announces its service by mDNS, as ESP-IDF 4.4 does; later versions do not.
    pub mdns: Option<Mdns>,
    /// What the QR code tells as `pop` with security 2, since the password is not known; empty for
    /// nothing.
    pub qr_pop: String,
}

impl Default for Provisioning {
    fn default() -> Self {
        Self {
            service_name: String::new(),
            service_key: String::new(),
            security: Security::None,
            connect_delay_ms: 1_000,
            auto_stop_ms: 30_000,
            cleanup_delay_ms: 1_000,
            lenient_srp_public_key: false,
            scheme: Scheme::SoftAp,
            version: Version::Idf55,
            security2_patch: 1,
            stale_fail_reason: false,
            force_start: false,
            disable_auto_stop: false,
            conn_attempts: 0,
            reset_after_failures: 0,
            app_info: Vec::new(),
            custom_endpoints: vec!["custom-data".into()],
            register_delay_ms: 0,
            unregister: Vec::new(),
            stop_endpoint: String::new(),
            phone_token: None,
            mdns: None,
            qr_pop: String::new(),
        }
    }
}

/// Security of a provisioning session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Security {
    /// Security 0: plain.
    None,
    /// Security 1: X25519, AES-CTR, and a proof of possession unless it is empty.
    V1 {
        /// Proof of possession.
        pop: String,
    },
    /// Security 2: SRP6a, AES-GCM.
    V2 {
        /// User name.
        username: String,
        /// SRP salt.
        salt: Vec<u8>,
        /// SRP verifier, 384 bytes, big-endian.
        verifier: Vec<u8>,
    },
}

/// The transport of provisioning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scheme {
    /// HTTP on the device's own access point.
    SoftAp,
    /// A GATT service.
    Ble(Ble),
    /// Lines on the UART.
    Console {
        /// Bytes of a line at most, its end included (ESP-IDF: 256).
        line_limit: u16,
    },
}

impl Scheme {
    /// The console as ESP-IDF has it.
    pub const CONSOLE: Self = Self::Console { line_limit: 256 };
}

/// The GATT service of provisioning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ble {
    /// UUID of the service, as it is written.
    pub service_uuid: [u8; 16],
    /// Manufacturer data in the scan response, at most 29 bytes; empty for none.
    pub manufacturer_data: Vec<u8>,
    /// Which memory is given back.
    pub memory_release: MemoryRelease,
    /// Which Bluetooth stack the device has, or behaves as.
    pub stack: BluetoothStack,
}

impl Default for Ble {
    /// The example application's service, and all memory given back.
    fn default() -> Self {
        Self {
            // 021a9004-0382-4aea-bff4-6b3f1c5adfb4
            service_uuid: [
                0x02, 0x1A, 0x90, 0x04, 0x03, 0x82, 0x4A, 0xEA, 0xBF, 0xF4, 0x6B, 0x3F, 0x1C, 0x5A,
                0xDF, 0xB4,
            ],
            manufacturer_data: Vec::new(),
            memory_release: MemoryRelease::Btdm,
            stack: BluetoothStack::NimBle,
        }
    }
}

/// A Bluetooth stack of ESP-IDF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BluetoothStack {
    /// A request that cannot be served is answered with an ATT error.
    NimBle,
    /// A request that cannot be served ends the connection.
    Bluedroid,
}

/// Which Bluetooth memory is given back once there is no provisioning any more
/// (`WIFI_PROV_SCHEME_BLE_EVENT_HANDLER_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemoryRelease {
    /// None.
    None,
    /// That of BLE and classic Bluetooth.
    Btdm,
    /// That of BLE.
    Ble,
    /// That of classic Bluetooth, from the beginning.
    Bt,
}

/// Whose behaviour the device has; that of the last release of the line unless another is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Version {
    /// ESP-IDF 4.4: no security 2, no `prov-ctrl`.
    Idf44,
    /// ESP-IDF 5.0: no `prov-ctrl`.
    Idf50,
    /// ESP-IDF 5.1.
    Idf51,
    /// ESP-IDF 5.2.
    Idf52,
    /// ESP-IDF 5.3.
    Idf53,
    /// ESP-IDF 5.4: credentials are announced before they are taken.
    Idf54,
    /// ESP-IDF 5.5.4: several attempts to connect.
    Idf554,
    /// ESP-IDF 5.5: a message without its content ends the connection.
    Idf55,
    /// The component `network_provisioning` 1.2.
    NetworkProvisioning,
}

/// What an application says about itself on `proto-ver`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppInfo {
    /// Key of the JSON object.
    pub label: String,
    /// `ver`.
    pub version: String,
    /// `cap`.
    pub capabilities: Vec<String>,
}

/// An endpoint that loses its handler; internal ones can, too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unregister {
    /// Its name.
    pub endpoint: String,
    /// From the start of the service, in ms.
    pub after_ms: u32,
}

/// An announcement by mDNS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mdns {
    /// The device's name in the domain `local`.
    pub hostname: String,
}

impl Default for Mdns {
    fn default() -> Self {
        Self {
            hostname: "wifi-prov".into(),
        }
    }
}

/// How a phone hands over a binding token that it made, so that it need not find the device on the
/// LAN.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneToken {
    /// The endpoint, which is one of the application's.
    pub endpoint: String,
    /// What is sent there.
    pub form: TokenForm,
}

/// Requests that carry a binding token; both are JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenForm {
    /// The token alone.
    Alone,
    /// Token and Wi-Fi credentials in one, as on Linkkit's path
    /// `/sys/awss/device/softap/switchap`.
    Switchap,
}
