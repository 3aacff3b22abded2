//! A device with Espressif's ESP8266 NONOS SDK in a scenario: what is in its flash, and how its firmware
//! calls the SDK.

use schemars::JsonSchema;
use serde::Deserialize;

use super::mistake::Mistake;
use super::span::Placed;
use super::world::Device;

/// Highest address of a flash of 16 MiB, the largest that the chip addresses.
const LAST: u32 = 0xff_ffff;

/// A device with Espressif's ESP8266 NONOS SDK and the MQTT demo of ustccw/MQTTESP8266.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Esp8266Nonos {
    /// The image of the authority, and `espconn_secure_ca_enable`.
    #[serde(default)]
    pub ca: CaImage,
    /// The image of the device's certificate and key, and `espconn_secure_cert_req_enable`.
    #[serde(default)]
    pub client: ClientImage,
    /// Which image is flashed last: it erases what it overlaps.
    #[serde(default)]
    pub flashed_last: FlashedLast,
    /// What `espconn_secure_set_size` is called with, in bytes: 2048 to 8192 are taken.
    #[serde(default = "seeds_buffer")]
    pub buffer: u16,
    /// The longest records that it asks the broker for, in bytes: 512, 1024, 2048 or 4096. The SDK itself asks for
    /// none.
    pub max_fragment: Option<Placed<u16>>,
    /// Start of the topics that it publishes and subscribes to.
    #[serde(default = "demos_topics")]
    pub topics: String,
}

impl Default for Esp8266Nonos {
    fn default() -> Self {
        Self {
            ca: CaImage::default(),
            client: ClientImage::default(),
            flashed_last: FlashedLast::default(),
            buffer: seeds_buffer(),
            max_fragment: None,
            topics: demos_topics(),
        }
    }
}

/// `esp_ca_cert.bin`, and the call that names it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CaImage {
    /// Whether the firmware calls `espconn_secure_ca_enable`; without it, it verifies nothing.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Sector that the call names.
    #[serde(default = "ca_sector")]
    pub sector: u16,
    /// Whether the image is flashed.
    #[serde(default = "yes")]
    pub flashed: bool,
    /// Address that it is flashed to.
    #[serde(default = "ca_address")]
    pub address: Placed<u32>,
    /// The authority in it; `rsa-ca`, which signs what is good here, if left out.
    pub authority: Option<Placed<String>>,
    /// Bytes that it has at the least: further authorities stand behind the first.
    #[serde(default)]
    pub size: Placed<u16>,
}

/// `esp_cert_private_key.bin`, and the call that names it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientImage {
    /// Whether the firmware calls `espconn_secure_cert_req_enable`; without it, it has no certificate.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Sector that the call names.
    #[serde(default = "client_sector")]
    pub sector: u16,
    /// Whether the image is flashed.
    #[serde(default = "yes")]
    pub flashed: bool,
    /// Address that it is flashed to.
    #[serde(default = "client_address")]
    pub address: Placed<u32>,
    /// Whether the record of the key stands before that of the certificate.
    #[serde(default)]
    pub key_first: bool,
}

impl Default for CaImage {
    fn default() -> Self {
        Self {
            enabled: true,
            sector: ca_sector(),
            flashed: true,
            address: ca_address(),
            authority: None,
            size: Placed::default(),
        }
    }
}

impl Default for ClientImage {
    fn default() -> Self {
        Self {
            enabled: true,
            sector: client_sector(),
            flashed: true,
            address: client_address(),
            key_first: false,
        }
    }
}

/// Which image is flashed last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FlashedLast {
    /// That of the authority.
    Ca,
    /// That of the device.
    #[default]
    Client,
}

fn yes() -> bool {
    true
}

fn seeds_buffer() -> u16 {
    6 * 1024
}

fn demos_topics() -> String {
    "/mqtt/topic".to_owned()
}

fn ca_sector() -> u16 {
    0x77
}

fn ca_address() -> Placed<u32> {
    Placed::new(0x7_7000, super::span::Span::default())
}

fn client_sector() -> u16 {
    0x78
}

fn client_address() -> Placed<u32> {
    Placed::new(0x7_8000, super::span::Span::default())
}

/// What is wrong with a device of this kind; `authorities` are those that there are.
pub(super) fn mistakes(device: &Device, authorities: &[String]) -> Vec<Mistake> {
    let Some(chip) = &device.esp8266_nonos else {
        return Vec::new();
    };
    let mut mistakes = Vec::new();
    if !device.on_network {
        let message = "an ESP8266 with this demo is built for its network: `on_network: true`";
        mistakes.push(Mistake::at(chip.span, message));
    }
    for address in [&chip.ca.address, &chip.client.address] {
        if address.value > LAST {
            let message = "the chip addresses 16 MiB of flash";
            mistakes.push(Mistake::at(address.span, message));
        }
    }
    if let Some(longest) = &chip.max_fragment
        && ![512, 1024, 2048, 4096].contains(&longest.value)
    {
        let message = "TLS knows 512, 1024, 2048 and 4096 bytes (RFC 6066, section 4)";
        mistakes.push(Mistake::at(longest.span, message));
    }
    if chip.ca.size.value > 8192 {
        let message = "the SDK reads 8192 bytes of an image";
        mistakes.push(Mistake::at(chip.ca.size.span, message));
    }
    if let Some(authority) = &chip.ca.authority
        && !authorities.contains(authority)
    {
        let known = authorities.iter().map(String::as_str);
        let span = Some(authority.span);
        mistakes.push(Mistake::unknown(span, "authority", authority, known));
    }
    mistakes
}
