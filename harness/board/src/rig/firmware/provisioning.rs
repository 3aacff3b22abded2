//! How a firmware is provisioned.

use std::fmt;
use std::ops::Range;

use super::super::secret::{SecretReference, secret};
use super::super::section::Section;
use super::name::{ServiceName, service_name};

/// How a firmware is provisioned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provisioning {
    /// By which transport of protocomm.
    pub transport: Transport,
    /// Security of its sessions.
    pub security: Security,
    /// Version of ESP-IDF whose provisioning manager it has, one of [`VERSIONS`].
    pub version: Option<&'static str>,
    /// SSID of its network, or the name that it advertises.
    pub service_name: ServiceName,
    /// Passphrase of its network.
    pub service_key: Option<SecretReference>,
    /// Proof of possession, for security 1.
    pub pop: Option<SecretReference>,
    /// User name, for security 2.
    pub username: Option<String>,
    /// Password, for security 2.
    pub password: Option<SecretReference>,
    /// Whether it prints the payload of a QR code with name and secret.
    pub qr: bool,
    /// Where its service is in its own network, such as `http://192.168.4.1`.
    pub url: Option<String>,
    /// Endpoints of the application's own.
    pub custom_endpoints: Vec<String>,
}

/// A transport of protocomm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// HTTP in the device's own network.
    Softap,
    /// GATT over Bluetooth LE.
    Ble,
    /// Lines over a UART.
    Console,
}

/// Security of a provisioning session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Security 0: plain.
    None,
    /// Security 1 with a proof of possession.
    V1,
    /// Security 1 without.
    V1NoPop,
    /// Security 2.
    V2,
    /// Security 2 as it was before its nonces counted.
    V2Patch0,
}

/// Versions of ESP-IDF that differ in their provisioning, and the component that took over from it.
pub const VERSIONS: [&str; 9] = [
    "4.4",
    "5.0",
    "5.1",
    "5.2",
    "5.3",
    "5.4",
    "5.5.4",
    "5.5",
    "network-provisioning",
];

const TRANSPORTS: [(&str, Transport); 3] = [
    ("softap", Transport::Softap),
    ("ble", Transport::Ble),
    ("console", Transport::Console),
];
const SECURITIES: [(&str, Security); 5] = [
    ("none", Security::None),
    ("v1", Security::V1),
    ("v1-no-pop", Security::V1NoPop),
    ("v2", Security::V2),
    ("v2-patch0", Security::V2Patch0),
];

/// The keys of `[firmware.NAME.provisioning]`.
pub(super) fn provisioning(section: Section<'_>) -> Option<Provisioning> {
    for (key, example) in [
        ("transport", "`transport = \"ble\"`"),
        ("security", "`security = \"v1\"`"),
    ] {
        if !section.has(key) {
            section.missing(key, example);
        }
    }
    let transport = section.word("transport", &TRANSPORTS);
    let security = section.word("security", &SECURITIES);
    let version = section.word("version", &VERSIONS.map(|version| (version, version)));
    let service_name = service_name(&section);
    let [service_key, pop, password] =
        ["service_key", "pop", "password"].map(|key| secret(&section, key));
    let text = |key: &'static str, example: &str| Some(section.string(key, example)?.value);
    let username = text("username", "`username = \"wifiprov\"`");
    let url = text("url", "`url = \"http://192.168.4.1\"`");
    let qr = section.word("qr", &[("log", true)]).unwrap_or(false);
    let endpoints = section.strings("custom_endpoints", "`custom_endpoints = [\"custom-data\"]`");
    let only = |key: &'static str, is_right: bool, why: &str| {
        if section.has(key) && !is_right {
            let message = format!("`{}` is for {why} only", section.name(key));
            section.note(section.span.clone(), message, "leave it out");
        }
    };
    if let Some(transport) = transport {
        let softap = transport == Transport::Softap;
        only("service_key", softap, "`transport = \"softap\"`");
        only("url", softap, "`transport = \"softap\"`");
        let named = transport != Transport::Console;
        only("service_name", named, "`softap` and `ble`");
        only("qr", named, "`softap` and `ble`");
    }
    if let Some(security) = security {
        let v2 = matches!(security, Security::V2 | Security::V2Patch0);
        only("pop", security == Security::V1, "`security = \"v1\"`");
        only("username", v2, "`security = \"v2\"`");
        only("password", v2, "`security = \"v2\"`");
    }
    section.end();
    Some(Provisioning {
        transport: transport?,
        security: security?,
        version,
        service_name: service_name?,
        service_key,
        pop,
        username,
        password,
        qr,
        url,
        custom_endpoints: endpoints
            .unwrap_or_default()
            .into_iter()
            .map(|endpoint| endpoint.value)
            .collect(),
    })
}

impl Provisioning {
    /// Notes that a phone would have no secret for it, whose board's label has `labelled` ones.
    pub(in crate::rig) fn check_secrets(
        &self,
        section: &Section<'_>,
        span: &Range<usize>,
        labelled: &crate::rig::Label,
        is_handed_over: bool,
    ) {
        let firmware =
            |key: &str| format!("the firmware has security {} and no `{key}`", self.security);
        let missing = match self.security {
            Security::V1 if self.pop.is_none() && labelled.pop.is_none() && !is_handed_over => {
                "pop"
            }
            Security::V2 | Security::V2Patch0
                if self.password.is_none() && labelled.password.is_none() =>
            {
                "password"
            }
            _ => return,
        };
        if !self.qr {
            let variable = missing.to_ascii_uppercase();
            let help = format!(
                "write `{missing} = \"env:{variable}\"` in its `provisioning` or this board's `label`, or `qr = \"log\"` if it prints a QR code"
            );
            section.note(span.clone(), firmware(missing), help);
        }
    }
}

/// As rig.toml has it.
impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = TRANSPORTS.into_iter().find(|(_, one)| one == self);
        f.write_str(word.map_or("", |(word, _)| word))
    }
}

/// As rig.toml has it.
impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = SECURITIES.into_iter().find(|(_, one)| one == self);
        f.write_str(word.map_or("", |(word, _)| word))
    }
}
