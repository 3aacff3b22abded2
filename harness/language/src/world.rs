//! What stands around the device before the first step.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use trace::Ssid;

use super::access_point::Auth;
use super::certificate::Certificate;
use super::duration;
use super::esp8266::Esp8266Nonos;
use super::linkkit::Linkkit;
use super::old_tls::OldTls;
use super::roles::Roles;
use super::span::{Placed, Span};
use super::thingsboard::{DeviceThingsBoard, ThingsBoard};
use super::web::WebServer;

/// Roles and how they are set up; the lab, or the rig, makes the values.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorldSpec {
    /// Access points, by role. A phone is on the LAN of the first one whenever it is not on a
    /// device's SoftAP.
    #[serde(default)]
    pub access_points: Roles<AccessPoint>,
    /// The cloud; without it devices are born without a broker and stay on the LAN.
    pub cloud: Option<Cloud>,
    /// Devices, by name.
    pub devices: Roles<Device>,
    /// Phones, by their owners' names.
    #[serde(default)]
    pub phones: Vec<Placed<String>>,
    /// Folder of files with certificate profiles of one's own, from the scenario's folder.
    pub certs: Option<Placed<String>>,
    /// What stands in these files, with their names.
    #[serde(skip)]
    pub profiles: Vec<(String, String)>,
    /// Files of which one profile was read, as `FILE.yaml#NAME` says it.
    #[serde(skip)]
    pub profile_files: Vec<PathBuf>,
}

/// An access point that forwards to the internet.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessPoint {
    /// Its name on the air, at most 32 bytes, in which `\\xNN` stands for a byte and `\\\\` for a
    /// backslash; or `!!binary` and base64. Made from the role if left out; several may share one.
    #[schemars(with = "Option<String>")]
    pub ssid: Option<Placed<Ssid>>,
    /// 8 to 63 characters, or the pre-shared key itself in 64 hex digits; empty for an open network.
    /// Made up if left out.
    pub passphrase: Option<Placed<String>>,
    /// How it authenticates; `wpa2-psk` with a passphrase and `open` without, if left out.
    pub auth: Option<Placed<Auth>>,
    /// Whether it keeps its name to itself until it is asked for it.
    #[serde(default)]
    pub hidden: bool,
    /// Refuses every station for this reason (802.11 §9.4.1.7, and ESP-IDF's own from 200 on).
    pub refuses: Option<Placed<u16>>,
    /// 1 to 13.
    #[serde(default = "default_channel")]
    #[schemars(range(min = 1, max = 13))]
    pub channel: Placed<u8>,
    /// Strength at the device in dBm.
    #[serde(default = "default_rssi")]
    pub rssi: i8,
}

fn default_channel() -> Placed<u8> {
    Placed::new(1, Span::default())
}

fn default_rssi() -> i8 {
    -50
}

/// Broker and fakes. A time server is always there.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cloud {
    /// The MQTT broker, always over TLS.
    #[serde(default)]
    pub broker: Broker,
    /// Token match and bind; every device then has a Linkkit identity.
    pub linkkit: Option<Linkkit>,
    /// ThingsBoard in the place of a broker; a world has only one of the two clouds.
    pub thingsboard: Option<Placed<ThingsBoard>>,
}

impl Cloud {
    /// Whether devices must show a certificate.
    pub fn client_certificate(&self) -> ClientCertificate {
        let usual = match self.thingsboard {
            Some(_) => ClientCertificate::Any,
            None => ClientCertificate::Required,
        };
        self.broker.client_certificate.unwrap_or(usual)
    }
}

/// The MQTT broker's front.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// The certificate that it shows: a profile's name in `certs/`, `FILE.yaml#NAME` for one in a
    /// file of one's own, or a profile; a good one if left out.
    pub certificate: Option<Placed<Certificate>>,
    /// Whether devices must show theirs; they must if left out, but with ThingsBoard any will do.
    pub client_certificate: Option<ClientCertificate>,
    /// What goes wrong in every handshake, and which versions are spoken.
    #[serde(default)]
    pub handshake: Handshake,
    /// Whether it speaks no TLS at all.
    #[serde(default)]
    pub plain: bool,
    /// The TLS of old devices in the place of today's; needs a build with the feature `legacy`.
    pub old_tls: Option<OldTls>,
}

/// What goes wrong in every handshake with the broker, and which versions are spoken.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Handshake {
    /// Which version is spoken; 1.2 and 1.3 if left out.
    pub version: Option<TlsVersion>,
    /// Records carry so many bytes at the most, with their head, so that messages come in pieces.
    #[schemars(range(min = 32, max = 16389))]
    pub record_size: Option<Placed<u16>>,
    /// The broker says nothing more after so many bytes.
    pub stops_after: Option<u32>,
    /// The alert of a refusal is lost, because a reset overtakes it.
    #[serde(default)]
    pub alert_lost: bool,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum TlsVersion {
    /// TLS 1.2.
    #[serde(rename = "tls-1.2")]
    Tls12,
    /// TLS 1.3.
    #[serde(rename = "tls-1.3")]
    Tls13,
}

/// Whether the broker asks for a client's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClientCertificate {
    /// It asks, and ends the handshake without one.
    Required,
    /// It asks, and goes on without one.
    Optional,
    /// It asks, and takes none as well as any whose chain holds together; the cloud judges it.
    Any,
    /// It does not ask.
    None,
}

/// A device as it leaves the factory.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// How it is provisioned.
    #[serde(default)]
    pub provisioning: Provisioning,
    /// Whether it is on its network from the start: a network that no phone has to tell it of, with a
    /// way to the cloud.
    #[serde(default)]
    pub on_network: bool,
    /// How it meets the world's cloud, if there is one.
    #[serde(default)]
    pub cloud: DeviceCloud,
    /// What it reports once it is connected; nothing if left out.
    pub telemetry: Option<Telemetry>,
    /// What it does with ThingsBoard besides reporting the telemetry of the example.
    pub thingsboard: Option<DeviceThingsBoard>,
    /// Its own web server; none if left out.
    pub server: Option<WebServer>,
    /// It is an ESP8266 with the NONOS SDK and its MQTT demo, on its network from the start.
    pub esp8266_nonos: Option<Placed<Esp8266Nonos>>,
}

/// How a device is provisioned.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provisioning {
    /// By which transport; any if left out, and SoftAP where the device is ours.
    pub over: Option<Over>,
    /// Security of the session; any if left out, and `v1` where the device is ours. Its proof of
    /// possession or password are made up.
    pub security: Option<Security>,
    /// Whose behaviour it has; any if left out, and that of ESP-IDF 5.5 where the device is ours.
    pub version: Option<IdfVersion>,
    /// Passphrase of its SoftAP; open if left out.
    pub service_key: Option<Placed<String>>,
    /// Whether the service stops by itself once it has reported success.
    #[serde(default = "yes")]
    pub auto_stop: bool,
    /// How often it tries to join before it reports a failure; once if left out (ESP-IDF 5.5).
    pub attempts: Option<Placed<u8>>,
    /// After how many failures it forgets its credentials by itself, as ESP-IDF's example does; never if left out.
    pub reset_after_failures: Option<Placed<u8>>,
    /// Which memory of Bluetooth it gives back once the service has stopped.
    #[serde(default)]
    pub memory_release: MemoryRelease,
    /// Which of ESP-IDF's Bluetooth stacks it has; NimBLE if left out and the device is ours.
    pub bluetooth: Option<BluetoothStack>,
    /// Longest line of its console in bytes, the end included; 256 if left out.
    #[schemars(range(min = 64, max = 4096))]
    pub line_limit: Option<Placed<u16>>,
    /// What the application says of itself in `proto-ver`.
    pub app: Option<AppInfo>,
    /// Endpoints of the application's own.
    #[serde(default)]
    pub custom_endpoints: Vec<Placed<String>>,
    /// Endpoint of the application's own that makes it stop the service, whether it is listed there or not.
    pub stop_endpoint: Option<Placed<String>>,
    /// Whether, and how, it takes a binding token that the phone has made.
    pub phone_token: Option<PhoneToken>,
    /// Endpoints that lose their handlers as soon as the service has started.
    #[serde(default)]
    pub unregister: Vec<Placed<String>>,
    /// Whether the application hears of a failure with the reason of the one before, as with
    /// ESP-IDF 5.4.3 to 5.5.
    #[serde(default)]
    pub stale_reason: bool,
    /// Whether its SoftAP announces the service by mDNS; if left out, only ESP-IDF 4.4 does.
    pub mdns: Option<bool>,
}

impl Provisioning {
    /// The transport of a device of ours.
    pub fn over(&self) -> Over {
        self.over.unwrap_or_default()
    }

    /// The security of a device of ours.
    pub fn security(&self) -> Security {
        self.security.unwrap_or_default()
    }

    /// Whose behaviour a device of ours has.
    pub fn version(&self) -> IdfVersion {
        self.version.unwrap_or_default()
    }

    /// Whether the SoftAP announces the service by mDNS.
    pub fn announces(&self) -> bool {
        self.mdns.unwrap_or(self.version() == IdfVersion::V4_4)
    }
}

impl Default for Provisioning {
    fn default() -> Self {
        Self {
            over: None,
            security: None,
            version: None,
            service_key: None,
            auto_stop: true,
            attempts: None,
            reset_after_failures: None,
            memory_release: MemoryRelease::default(),
            bluetooth: None,
            line_limit: None,
            app: None,
            custom_endpoints: Vec::new(),
            stop_endpoint: None,
            phone_token: None,
            unregister: Vec::new(),
            stale_reason: false,
            mdns: None,
        }
    }
}

/// A version of ESP-IDF, or of the component that took over from it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema,
)]
pub enum IdfVersion {
    /// 4.4.
    #[serde(rename = "4.4")]
    V4_4,
    /// 5.0.
    #[serde(rename = "5.0")]
    V5_0,
    /// 5.1.
    #[serde(rename = "5.1")]
    V5_1,
    /// 5.2.
    #[serde(rename = "5.2")]
    V5_2,
    /// 5.3.
    #[serde(rename = "5.3")]
    V5_3,
    /// 5.4.
    #[serde(rename = "5.4")]
    V5_4,
    /// 5.5.4.
    #[serde(rename = "5.5.4")]
    V5_5_4,
    /// 5.5.
    #[default]
    #[serde(rename = "5.5")]
    V5_5,
    /// The component `network_provisioning`.
    #[serde(rename = "network-provisioning")]
    NetworkProvisioning,
}

impl IdfVersion {
    /// Each, with the word that scenarios have for it.
    pub const ALL: [(&str, Self); 9] = [
        ("4.4", Self::V4_4),
        ("5.0", Self::V5_0),
        ("5.1", Self::V5_1),
        ("5.2", Self::V5_2),
        ("5.3", Self::V5_3),
        ("5.4", Self::V5_4),
        ("5.5.4", Self::V5_5_4),
        ("5.5", Self::V5_5),
        ("network-provisioning", Self::NetworkProvisioning),
    ];
}

/// In a sentence.
impl fmt::Display for IdfVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::ALL.into_iter().find(|(_, version)| version == self);
        match word.map_or("", |(word, _)| word) {
            number if number.starts_with(|c: char| c.is_ascii_digit()) => {
                write!(f, "ESP-IDF {number}")
            }
            word => f.write_str(word),
        }
    }
}

/// What an application says of itself in `proto-ver`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AppInfo {
    /// Under which key.
    pub label: String,
    /// Its version.
    pub version: String,
    /// What it can do.
    #[serde(default)]
    pub capabilities: Vec<String>,
}

/// How a device takes a binding token that the phone has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PhoneToken {
    /// On an endpoint of its own.
    Endpoint,
    /// With the credentials in one message.
    Switchap,
}

/// A transport of protocomm.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Over {
    /// HTTP on the device's own access point.
    #[default]
    Softap,
    /// GATT over Bluetooth LE.
    Ble,
    /// Lines over the device's UART.
    Console,
}

/// As scenarios have it.
impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Softap => "softap",
            Self::Ble => "ble",
            Self::Console => "console",
        })
    }
}

/// A Bluetooth stack of ESP-IDF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BluetoothStack {
    /// It answers a request that it cannot serve with an error.
    Nimble,
    /// It ends the link of whoever sends such a request.
    Bluedroid,
}

/// Which memory of Bluetooth a device gives back (`WIFI_PROV_SCHEME_BLE_EVENT_HANDLER_…`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MemoryRelease {
    /// None.
    None,
    /// That of BLE and of classic Bluetooth.
    #[default]
    Btdm,
    /// That of BLE.
    Ble,
    /// That of classic Bluetooth.
    Bt,
}

/// Security of a provisioning session.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Security {
    /// Security 0: plain.
    None,
    /// Security 1 with a proof of possession.
    #[default]
    V1,
    /// Security 1 without proof of possession.
    V1NoPop,
    /// Security 2: user name and password by SRP6a.
    V2,
    /// Security 2 as it was before its nonces counted.
    #[serde(rename = "v2-patch0")]
    V2Patch0,
}

/// As scenarios have it.
impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::V1 => "v1",
            Self::V1NoPop => "v1-no-pop",
            Self::V2 => "v2",
            Self::V2Patch0 => "v2-patch0",
        })
    }
}

/// How a device meets the cloud.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceCloud {
    /// Its own certificate, as the broker's; `none` for a device without; a good one if left out.
    pub certificate: Option<Placed<Certificate>>,
    /// Whose signature it trusts on the broker's certificate.
    #[serde(default)]
    pub trusts: Trusts,
    /// Whether it speaks TLS.
    #[serde(default = "yes")]
    pub tls: bool,
    /// Whether it checks the dates in the broker's certificate.
    #[serde(default = "yes")]
    pub check_dates: bool,
    /// Whether it checks the name in the broker's certificate.
    #[serde(default = "yes")]
    pub check_name: bool,
    /// Whether it knows the broker by its address instead of its name, `198.18.0.2` in the lab.
    #[serde(default)]
    pub by_address: bool,
    /// Whether its MQTT sessions end with their connections; else the broker is to keep them.
    #[serde(default = "yes")]
    pub clean_session: bool,
    /// Its keep-alive in seconds, as CONNECT has it; 120 if left out, 0 for none.
    pub keep_alive_s: Option<Placed<u16>>,
    /// What the broker publishes when the device vanishes.
    pub will: Option<Will>,
}

/// What a broker publishes in a device's name when that vanishes without DISCONNECT.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Will {
    /// MQTT topic.
    pub topic: String,
    /// Payload, sent as it is.
    pub payload: String,
    /// Quality of service, 0 or 1.
    #[serde(default)]
    #[schemars(range(max = 1))]
    pub qos: Placed<u8>,
    /// Whether the broker retains it.
    #[serde(default)]
    pub retain: bool,
}

/// Whose signature a device trusts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Trusts {
    /// That of the authority that signs everything good.
    #[default]
    Authority,
    /// That of the broker's own certificate, which signs itself.
    Broker,
}

impl Default for DeviceCloud {
    fn default() -> Self {
        Self {
            certificate: None,
            trusts: Trusts::default(),
            tls: true,
            check_dates: true,
            check_name: true,
            by_address: false,
            clean_session: true,
            keep_alive_s: None,
            will: None,
        }
    }
}

fn yes() -> bool {
    true
}

/// What a device publishes.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// MQTT topic.
    pub topic: String,
    /// Payload, in which `%n` stands for the number of the message, from 1.
    pub payload: String,
    /// Quality of service, 0 or 1.
    #[serde(default)]
    #[schemars(range(max = 1))]
    pub qos: Placed<u8>,
    /// From one message to the next, from the first session on and as long as the device lives; once in
    /// each session if left out.
    #[serde(default, deserialize_with = "duration::optional")]
    #[schemars(with = "Option<duration::Text>")]
    pub every: Option<Duration>,
}
