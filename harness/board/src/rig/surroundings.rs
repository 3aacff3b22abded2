//! What stands around real boards.

use std::net::{IpAddr, Ipv4Addr};

use trace::Ssid;

use super::secret::SecretReference;
use super::section::Section;
use crate::command::{CommandTemplate, SwitchCommands};

/// What a switch's commands may take, in s.
const SWITCH_LIMIT_S: u64 = 30;
const SET_EXAMPLE: &str = "`set = { command = [\"./set-up\", \"{file}\"] }`";
/// Longest SSID, in bytes (IEEE 802.11 §9.4.2.2).
const LONGEST_SSID: usize = 32;

/// A real access point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessPoint {
    /// Its name in the air.
    pub ssid: Ssid,
    /// Where its passphrase stands; none if the network is open.
    pub passphrase: Option<SecretReference>,
    /// What switches it.
    pub switch: Option<SwitchCommands>,
    /// What switches its way to the internet.
    pub internet: Option<SwitchCommands>,
    /// What keeps its clients apart.
    pub isolation: Option<SwitchCommands>,
    /// What sets it up as `{file}` says, in lines of hostapd.conf.
    pub set: Option<CommandTemplate>,
}

/// Where boards find the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// The address of this host to which it binds.
    pub bind: IpAddr,
    /// Its port; 0 takes any.
    pub port: u16,
    /// The time server's port at the same address; 0 takes any.
    pub time_port: u16,
    /// Further names and addresses for its certificate.
    pub names: Vec<String>,
    /// Whether boards must show a certificate.
    pub client_certificate: ClientCertificate,
}

/// Whether the broker asks for a client's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificate {
    /// It asks, and ends the handshake without one.
    Required,
    /// It asks, and goes on without one.
    Optional,
    /// It does not ask.
    None,
}

impl Broker {
    /// On this host alone, at any port: for boards that are programs.
    pub fn on_loopback() -> Self {
        let bind = IpAddr::from(Ipv4Addr::LOCALHOST);
        Self {
            bind,
            port: 0,
            time_port: 0,
            // The first is what programs are told; it needs no resolver.
            names: vec![bind.to_string(), "localhost".to_owned()],
            client_certificate: ClientCertificate::Required,
        }
    }

    /// Everything that its certificate must carry.
    pub fn certificate_names(&self) -> Vec<String> {
        let mut names = vec![self.bind.to_string()];
        names.extend(self.names.iter().cloned());
        names.dedup();
        names
    }

    /// What boards are told that it is called.
    pub fn host(&self) -> String {
        let named = self.names.first().cloned();
        named.unwrap_or_else(|| self.bind.to_string())
    }

    /// Whether others than this host can reach it. It must then require client certificates, and
    /// serve nothing in the clear.
    pub fn is_off_loopback(&self) -> bool {
        !self.bind.is_loopback()
    }
}

pub(super) fn access_point(section: Section<'_>) -> Option<AccessPoint> {
    let ssid = section.required_string("ssid", "`ssid = \"…\"`");
    let ssid = ssid.and_then(|ssid| {
        let name = section.name("ssid");
        let message = match ssid.value.parse::<Ssid>() {
            Ok(read) if read.as_bytes().len() <= LONGEST_SSID => return Some(read),
            Ok(_) => format!("`{name}` is longer than {LONGEST_SSID} bytes"),
            Err(error) => format!("`{name}`: {error}"),
        };
        section.note(
            ssid.span,
            message,
            "write the name that the access point sends",
        );
        None
    });
    let passphrase = passphrase(&section);
    let [switched, internet, isolation] =
        ["switch", "internet", "isolation"].map(|key| switch_at(&section, key));
    let set = section.table("set", SET_EXAMPLE).and_then(set);
    section.end();
    Some(AccessPoint {
        ssid: ssid?,
        passphrase,
        switch: switched,
        internet,
        isolation,
        set,
    })
}

/// What sets an access point up.
fn set(section: Section<'_>) -> Option<CommandTemplate> {
    let limit = section.seconds("limit_s", SWITCH_LIMIT_S);
    if !section.has("command") {
        section.missing("command", SET_EXAMPLE);
    }
    let command = section.command("command", &["file"], limit, SET_EXAMPLE);
    if let Some(command) = &command
        && !command.value.mentions("file")
    {
        let message = format!(
            "`{}` does not say where the settings go",
            section.name("command")
        );
        section.note(
            command.span.clone(),
            message,
            format!("write {SET_EXAMPLE}"),
        );
    }
    section.end();
    command.map(|command| command.value)
}

fn passphrase(section: &Section<'_>) -> Option<SecretReference> {
    let variable = variable(&section.key);
    let example = format!("`passphrase = \"env:{variable}\"`");
    let found = section.multiline("passphrase", &example)?;
    let reference = SecretReference::parse(&found.value, section.folder());
    if reference.is_none() {
        let message = format!(
            "`{}` must say where the passphrase is, not what it is",
            section.name("passphrase")
        );
        section.note_secret(
            found.span,
            message,
            format!(
                "put it into the environment and write {example}, or into a file of its own and write `passphrase = \"file:home.passphrase\"`"
            ),
        );
    }
    reference
}

/// `access_points.home` as a variable would be called.
fn variable(key: &str) -> String {
    let name = key.rsplit('.').next().unwrap_or(key);
    let name: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect();
    format!("{name}_PASSPHRASE")
}

fn switch_at(section: &Section<'_>, key: &'static str) -> Option<SwitchCommands> {
    let example =
        format!("`{key} = {{ on = [\"./{key}\", \"on\"], off = [\"./{key}\", \"off\"] }}`");
    switch(section.table(key, &example)?, 0)
}

/// A pair of commands.
pub(super) fn switch(section: Section<'_>, settle_ms: i64) -> Option<SwitchCommands> {
    let limit = section.seconds("limit_s", SWITCH_LIMIT_S);
    let command = |key: &'static str| {
        let example = format!("`{key} = [\"./switch\", \"{key}\"]`");
        if !section.has(key) {
            section.missing(key, &example);
        }
        section.command(key, &[], limit, &example)
    };
    let (on, off) = (command("on"), command("off"));
    let settle = section.number("settle_ms", 0..=60_000, "`settle_ms = 500`");
    section.end();
    Some(SwitchCommands {
        on: on?.value,
        off: off?.value,
        discharge: std::time::Duration::from_millis(settle.unwrap_or(settle_ms).unsigned_abs()),
    })
}

pub(super) fn broker(section: Section<'_>) -> Option<Broker> {
    let example = "`bind = \"192.168.1.10\"`, the address of this host in the boards' network";
    let bind = section.address("bind", example);
    let port = section.number("port", 0..=65_535, "`port = 8883`");
    let time_port = section.number("time_port", 0..=65_535, "`time_port = 123`");
    let names = section.strings("names", "`names = [\"lab.example\"]`");
    let certificates = section.word(
        "client_certificate",
        &[
            ("required", ClientCertificate::Required),
            ("optional", ClientCertificate::Optional),
            ("none", ClientCertificate::None),
        ],
    );
    let mut carried = Vec::new();
    for name in names.unwrap_or_default() {
        if is_name(&name.value) {
            carried.push(name.value);
        } else {
            let message = format!("`{}` is neither a host name nor an address", name.value);
            section.note(
                name.span,
                message,
                "write a name such as `lab.example`, without scheme or port",
            );
        }
    }
    let required = certificates.is_none_or(|found| found == ClientCertificate::Required);
    if let Some(bind) = &bind {
        if bind.value.is_unspecified() || bind.value.is_multicast() {
            let message = format!(
                "`{}` cannot be `{}`: boards need one address to connect to",
                section.name("bind"),
                bind.value
            );
            section.note(bind.span.clone(), message, format!("write {example}"));
        } else if !bind.value.is_loopback() && !required {
            let message = format!(
                "the broker at `{}` could be reached by others without a client certificate",
                bind.value
            );
            section.note(
                bind.span.clone(),
                message,
                "write `client_certificate = \"required\"`, or `bind = \"127.0.0.1\"`",
            );
        }
    }
    section.end();
    Some(Broker {
        bind: bind?.value,
        port: port.and_then(|port| u16::try_from(port).ok()).unwrap_or(0),
        time_port: time_port
            .and_then(|port| u16::try_from(port).ok())
            .unwrap_or(0),
        names: carried,
        client_certificate: certificates.unwrap_or(ClientCertificate::Required),
    })
}

/// Whether a certificate could carry it.
fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let fits = (1..=63).contains(&label.len());
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        fits && label.chars().all(allowed)
    };
    name.parse::<IpAddr>().is_ok() || (name.len() <= 253 && name.split('.').all(is_label))
}
