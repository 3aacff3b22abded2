//! `[broker]`: where boards find the broker, ours or one that is left to others.

use std::net::{IpAddr, Ipv4Addr};

use super::external_broker::{self, ExternalBroker};
use super::section::{Found, Section};

/// The broker of a rig.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RigBroker {
    /// Ours, which a run starts and watches.
    Own(Broker),
    /// One that runs without us, and of which nothing is seen but that it answers.
    External(ExternalBroker),
}

impl RigBroker {
    /// The broker that a run starts.
    pub fn own(&self) -> Option<&Broker> {
        match self {
            Self::Own(broker) => Some(broker),
            Self::External(_) => None,
        }
    }

    /// The broker that runs without us.
    pub fn external(&self) -> Option<&ExternalBroker> {
        match self {
            Self::Own(_) => None,
            Self::External(broker) => Some(broker),
        }
    }
}

/// A broker of ours: where boards find it.
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

/// The address of this host at which boards find what is ours.
pub(super) const BIND: &str =
    "`bind = \"192.168.1.10\"`, the address of this host in the boards' network";

pub(super) fn broker(section: Section<'_>) -> Option<RigBroker> {
    if section.has(external_broker::KEY) {
        return external_broker::external(section).map(RigBroker::External);
    }
    own(section).map(RigBroker::Own)
}

fn own(section: Section<'_>) -> Option<Broker> {
    let bind = section.address("bind", BIND);
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
    if let Some(bind) = &bind
        && is_one_address(&section, bind)
        && !bind.value.is_loopback()
        && !required
    {
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

/// Whether boards can connect to it; a mistake is noted if not.
pub(super) fn is_one_address(section: &Section<'_>, bind: &Found<IpAddr>) -> bool {
    let is_one = !bind.value.is_unspecified() && !bind.value.is_multicast();
    if !is_one {
        let message = format!(
            "`{}` cannot be `{}`: boards need one address to connect to",
            section.name("bind"),
            bind.value
        );
        section.note(bind.span.clone(), message, format!("write {BIND}"));
    }
    is_one
}

/// Whether a certificate could carry it.
pub(super) fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let fits = (1..=63).contains(&label.len());
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        fits && label.chars().all(allowed)
    };
    name.parse::<IpAddr>().is_ok() || (name.len() <= 253 && name.split('.').all(is_label))
}
