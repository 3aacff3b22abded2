//! `[firmware.NAME]`: firmware that is not the reference device's: how it is provisioned, what it can
//! and prints, and how it is told of the world.

mod components;
mod hand_over;
mod name;
mod nvs_template;
mod partition;
mod provisioning;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

pub use components::{Components, ESP_IDF, REFERENCE};
pub use hand_over::{Endpoint, FileEntry, Files, HandOver};
pub use name::{NameTemplate, ServiceName, parse_mac};
pub use nvs_template::{NvsRow, NvsTemplate};
pub use partition::{PartitionError, PlacedPartition, find_partition};
pub use provisioning::{Provisioning, Security, Transport, VERSIONS};

use super::ProcessLink;
use super::section::Section;
use super::text::Value;

/// The firmware of a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firmware {
    /// Its name in the rig file; none for a program whose board names no firmware.
    pub name: Option<String>,
    /// How it is provisioned; not at all if it is on its network from the start.
    pub provisioning: Option<Provisioning>,
    /// What it can.
    pub can: BTreeSet<Feature>,
    /// Which tags stand in its log.
    pub components: Components,
    /// The least grave level of its log.
    pub log_level: trace::Level,
    /// Whether the certificate that it shows is the one that it is handed.
    pub is_handed_a_certificate: bool,
    /// How it is told of broker, time server and secrets.
    pub hand_over: HandOver,
}

/// Something that not every firmware can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// Talk to the broker.
    Mqtt,
    /// Send the telemetry that the scenario describes.
    Telemetry,
    /// Be bound to an account by a token, as Linkkit has it.
    Linkkit,
    /// Speak ThingsBoard's device API.
    ThingsBoard,
    /// Ask the time server.
    Sntp,
    /// Announce its provisioning service by mDNS.
    Mdns,
    /// Answer `prov-scan`.
    ProvScan,
    /// Answer `prov-ctrl`.
    ProvCtrl,
    /// Serve web pages as ESP-IDF's servers do.
    WebServer,
}

impl Feature {
    /// Each, with its word in rig.toml.
    pub const ALL: [(&str, Self); 9] = [
        ("mqtt", Self::Mqtt),
        ("telemetry", Self::Telemetry),
        ("linkkit", Self::Linkkit),
        ("thingsboard", Self::ThingsBoard),
        ("sntp", Self::Sntp),
        ("mdns", Self::Mdns),
        ("prov-scan", Self::ProvScan),
        ("prov-ctrl", Self::ProvCtrl),
        ("web-server", Self::WebServer),
    ];
}

/// As rig.toml has it.
impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::ALL.into_iter().find(|(_, feature)| feature == self);
        f.write_str(word.map_or("", |(word, _)| word))
    }
}

const LEVELS: [(&str, trace::Level); 5] = [
    ("error", trace::Level::Error),
    ("warn", trace::Level::Warn),
    ("info", trace::Level::Info),
    ("debug", trace::Level::Debug),
    ("verbose", trace::Level::Trace),
];

pub(super) fn firmware(name: &str, section: Section<'_>) -> Option<Firmware> {
    let provisioning = how_provisioned(&section);
    let hand_over = hand_over::hand_over(&section);
    let can = section.words("can", &Feature::ALL);
    let components = components::components(&section);
    let log_level = section.word("log_level", &LEVELS);
    let provisioning = provisioning?;
    let hand_over = hand_over?;
    if hand_over.endpoint.is_some() && provisioning.is_none() {
        let message = format!(
            "`{}` needs a session, and the firmware is not provisioned",
            section.name("endpoint")
        );
        let help = "leave it out, or say in `provisioning` how it is";
        section.note(section.span.clone(), message, help);
    }
    section.end();
    let mut can: BTreeSet<Feature> = match can {
        Some(said) => said.into_iter().map(|(feature, _)| feature).collect(),
        None if provisioning.is_some() => [Feature::ProvScan, Feature::ProvCtrl].into(),
        None => BTreeSet::new(),
    };
    can.extend(told_of(|value| hand_over.mentions(value)));
    Some(Firmware {
        name: Some(name.to_owned()),
        provisioning,
        can,
        components: components.unwrap_or(Components::Unsaid { esp_idf: true }),
        log_level: log_level.unwrap_or(trace::Level::Info),
        is_handed_a_certificate: is_handed_a_certificate(|value| hand_over.mentions(value)),
        hand_over,
    })
}

/// `provisioning`; the inner none stands for `"none"`.
fn how_provisioned(section: &Section<'_>) -> Option<Option<Provisioning>> {
    const KEY: &str = "provisioning";
    let example = "`provisioning = { transport = \"ble\", security = \"v1\" }`, or `provisioning = \"none\"` if it is on its network already";
    if section.is_text(KEY) {
        return section.word(KEY, &[("none", ())]).map(|()| None);
    }
    if !section.has(KEY) {
        section.missing(KEY, example);
    }
    let found = section.table(KEY, example)?;
    provisioning::provisioning(found).map(Some)
}

impl Firmware {
    /// The firmware of a program whose board names none: it is on the host's network, and can what it
    /// is told of.
    pub fn of_program(link: &ProcessLink) -> Self {
        Self {
            name: None,
            provisioning: None,
            can: told_of(|value| link.mentions(value)),
            components: Components::Unsaid { esp_idf: false },
            log_level: trace::Level::Trace,
            is_handed_a_certificate: is_handed_a_certificate(|value| link.mentions(value)),
            hand_over: HandOver::default(),
        }
    }

    /// Whether it is told of the network that it is to be on.
    pub fn is_told_of_a_network(&self) -> bool {
        let told = &self.hand_over;
        told.mentions(Value::WifiSsid) || told.mentions(Value::WifiPassphrase)
    }

    /// Whether lines of this tag stand in its log.
    pub fn prints(&self, tag: &str) -> bool {
        self.components.prints(tag, self.provisioning.is_some())
    }
}

fn is_handed_a_certificate(is_told: impl Fn(Value) -> bool) -> bool {
    let certificates = [
        Value::ClientCertificate,
        Value::ClientCertificateDer,
        Value::Factory,
    ];
    certificates.into_iter().any(is_told)
}

/// What a firmware can that is told of these values: why else would it be told?
fn told_of(is_told: impl Fn(Value) -> bool) -> BTreeSet<Feature> {
    let told = [
        (Value::BrokerHost, Feature::Mqtt),
        (Value::BrokerPort, Feature::Mqtt),
        (Value::Factory, Feature::Mqtt),
        (Value::TelemetryTopic, Feature::Telemetry),
        (Value::TelemetryPayload, Feature::Telemetry),
        (Value::Factory, Feature::Telemetry),
        (Value::ProductKey, Feature::Linkkit),
        (Value::DeviceName, Feature::Linkkit),
        (Value::DeviceSecret, Feature::Linkkit),
        (Value::Factory, Feature::Linkkit),
        (Value::Factory, Feature::ThingsBoard),
        (Value::TimeHost, Feature::Sntp),
        (Value::TimePort, Feature::Sntp),
        (Value::Factory, Feature::Sntp),
    ];
    let told = told.into_iter().filter(|(value, _)| is_told(*value));
    told.map(|(_, feature)| feature).collect()
}

/// As the rest of a sentence has it.
impl fmt::Display for Firmware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "firmware.{name}"),
            None => f.write_str("a program"),
        }
    }
}

/// No file that a section names is longer, in bytes.
const LONGEST_FILE: u64 = 1 << 20;

/// What a file that a section names holds.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // A device file has no length, and may have no end.
    let length = fs::File::open(path)?
        .take(LONGEST_FILE + 1)
        .read_to_end(&mut bytes)?;
    match length as u64 > LONGEST_FILE {
        true => Err(io::Error::other("longer than a mebibyte")),
        false => Ok(bytes),
    }
}
