//! What stands around the device before the first step.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::duration;
use super::roles::Roles;
use super::span::{Placed, Span};

/// Roles and how they are set up; the lab, or the rig, makes the values.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct World {
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
}

/// An access point that forwards to the internet.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessPoint {
    /// Its name on the air, at most 32 bytes; made from the role if left out.
    pub ssid: Option<Placed<String>>,
    /// WPA2 passphrase, 8 to 63 characters, or empty for an open network; made up if left out.
    pub passphrase: Option<Placed<String>>,
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
}

/// The MQTT broker's front.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// Profile in `certs/` of the certificate that it shows; a good one if left out.
    pub certificate: Option<Placed<String>>,
    /// Whether devices must show theirs.
    #[serde(default)]
    pub client_certificate: ClientCertificate,
}

/// Whether the broker asks for a client's certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClientCertificate {
    /// It asks, and ends the handshake without one.
    #[default]
    Required,
    /// It asks, and goes on without one.
    Optional,
    /// It does not ask.
    None,
}

/// The Linkkit fake, and what devices and cloud agree on.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Linkkit {
    /// Which version's numbers and spellings.
    #[serde(default)]
    pub profile: Profile,
    /// How long after its report the cloud takes a token for a bind; without it, for ever.
    #[serde(default, deserialize_with = "duration::optional")]
    #[schemars(with = "Option<duration::Text>")]
    pub token_life: Option<Duration>,
}

/// A version of the Linkkit SDK.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Profile {
    /// The article of 2019-05-31.
    #[default]
    #[serde(rename = "seed-2019")]
    Seed2019,
    /// SDK 2.3.0.
    #[serde(rename = "sdk-2.3.0")]
    Sdk230,
    /// SDK 3.0.1.
    #[serde(rename = "sdk-3.0.1")]
    Sdk301,
}

/// A device as it leaves the factory.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// How it is provisioned.
    #[serde(default)]
    pub provisioning: Provisioning,
    /// How it meets the world's cloud, if there is one.
    #[serde(default)]
    pub cloud: DeviceCloud,
    /// What it reports once it is connected; nothing if left out.
    pub telemetry: Option<Telemetry>,
}

/// How a device is provisioned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provisioning {
    /// By which transport.
    #[serde(default)]
    pub over: Over,
    /// Security of the session; its proof of possession or password are made up.
    #[serde(default)]
    pub security: Security,
}

/// A transport of protocomm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Over {
    /// HTTP on the device's own access point.
    #[default]
    Softap,
}

/// Security of a provisioning session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
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
}

/// How a device meets the cloud.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeviceCloud {
    /// Profile in `certs/` of its own certificate, or `none`; a good one if left out.
    pub certificate: Option<Placed<String>>,
    /// Whether it checks the dates in the broker's certificate.
    #[serde(default = "yes")]
    pub check_dates: bool,
    /// Whether it checks the name in the broker's certificate.
    #[serde(default = "yes")]
    pub check_name: bool,
}

impl Default for DeviceCloud {
    fn default() -> Self {
        Self {
            certificate: None,
            check_dates: true,
            check_name: true,
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
    /// Payload, sent as it is.
    pub payload: String,
    /// Quality of service, 0 or 1.
    #[serde(default)]
    #[schemars(range(max = 1))]
    pub qos: Placed<u8>,
}
