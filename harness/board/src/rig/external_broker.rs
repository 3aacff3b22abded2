//! `broker.external`: a broker that runs without us, and what boards can still be told of it.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::ops::Range;

use super::authority::AuthorityPlace;
use super::broker::{self, BIND};
use super::section::{Found, Section};
use super::text::Value;
use super::{BoardLink, Rig, RigBoard};

/// The key that names it.
pub(super) const KEY: &str = "external";
const EXAMPLE: &str = "`external = \"mqtts://broker.example:8883\"`";
/// Port of MQTT over TLS (IANA: secure-mqtt).
const SECURE_PORT: u16 = 8883;
/// Port of MQTT in the clear (IANA: mqtt).
const PLAIN_PORT: u16 = 1883;

/// A broker that runs without us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalBroker {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether it speaks TLS there.
    pub tls: bool,
    /// Where a time server of ours is to listen; none if boards have another.
    pub time: Option<SocketAddr>,
}

/// As the rig file has it.
impl fmt::Display for ExternalBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        match self.host.parse::<Ipv6Addr>() {
            Ok(address) => write!(f, "{scheme}://[{address}]:{}", self.port),
            Err(_) => write!(f, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

/// `[broker]` with `external`. `bind` and `time_port` are those of our time server beside it.
pub(super) fn external(section: Section<'_>) -> Option<ExternalBroker> {
    let url = section.string(KEY, EXAMPLE);
    let url = url.and_then(|found| read(&section, &found));
    let bind = match section.has("bind") {
        true => section.address("bind", BIND),
        false => None,
    };
    let bind = bind.filter(|bind| broker::is_one_address(&section, bind));
    let time_port = section.number("time_port", 0..=65_535, "`time_port = 123`");
    if time_port.is_some() && !section.has("bind") {
        section.missing("bind", &format!("{BIND}, for the time server"));
    }
    for key in ["port", "names", "client_certificate"] {
        if let Some(place) = section.place_of(key) {
            let message = format!(
                "`{}` is about a broker of ours, and `{}` leaves the broker to another",
                section.name(key),
                section.name(KEY)
            );
            let help = format!("leave out `{key}`, or `{KEY}`");
            section.note(place, message, help);
        }
    }
    section.end();
    let time_port = time_port.and_then(|port| u16::try_from(port).ok());
    Some(ExternalBroker {
        time: bind.map(|bind| (bind.value, time_port.unwrap_or(0)).into()),
        ..url?
    })
}

/// What the URL says; a mistake is noted where it stands.
fn read(section: &Section<'_>, found: &Found<String>) -> Option<ExternalBroker> {
    match parse(&found.value) {
        Ok(broker) => Some(broker),
        Err(mistake) => {
            let name = section.name(KEY);
            let message = format!("`{name}`: {}", mistake.why);
            let help = format!("write {EXAMPLE}");
            if mistake.is_secret {
                section.note_secret(found.span.clone(), message, help);
            } else {
                let place = mistake.place_in(found);
                section.note(place, message, help);
            }
            None
        }
    }
}

/// What is wrong with a URL, and where in it.
struct UrlMistake {
    place: Range<usize>,
    why: String,
    is_secret: bool,
}

impl UrlMistake {
    fn new(place: Range<usize>, why: impl Into<String>) -> Self {
        Self {
            place,
            why: why.into(),
            is_secret: false,
        }
    }

    /// Where it stands in the rig file. A text with escapes in it is shown whole.
    fn place_in(&self, found: &Found<String>) -> Range<usize> {
        let span = &found.span;
        match span.len() == found.value.len() + 2 && !self.place.is_empty() {
            true => span.start + 1 + self.place.start..span.start + 1 + self.place.end,
            false => span.clone(),
        }
    }
}

/// `mqtts://host:port` or `mqtt://host:port`, without anything else. The port may be left out.
fn parse(url: &str) -> Result<ExternalBroker, UrlMistake> {
    let Some((scheme, rest)) = url.split_once("://") else {
        let why = format!("`{}` is no URL", url.escape_debug());
        // It may be a password.
        let is_secret = url.contains('@');
        return Err(match is_secret {
            true => no_secrets(url),
            false => UrlMistake::new(0..url.len(), why),
        });
    };
    if rest.contains('@') {
        return Err(no_secrets(url));
    }
    let tls = match scheme {
        "mqtts" => true,
        "mqtt" => false,
        other => {
            let why = format!(
                "`{}` is not spoken: `mqtts` is MQTT over TLS, `mqtt` is MQTT in the clear",
                other.escape_debug()
            );
            return Err(UrlMistake::new(0..scheme.len(), why));
        }
    };
    let start = url.len() - rest.len();
    if let Some(at) = rest.find(['/', '?', '#']) {
        let why = format!("`{}` behind the port means nothing here", &rest[at..]);
        return Err(UrlMistake::new(start + at..url.len(), why));
    }
    let (host, port) = host_and_port(rest);
    let host_place = start..start + host.len();
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let is_host = match bare {
        Some(bare) => bare.parse::<Ipv6Addr>().is_ok(),
        None => is_host(host),
    };
    if !is_host {
        let why = match host {
            "" => "there is no host in it".to_owned(),
            host => format!(
                "`{}` is neither a host name nor an address",
                host.escape_debug()
            ),
        };
        return Err(UrlMistake::new(host_place, why));
    }
    let port = match port {
        None => {
            if tls {
                SECURE_PORT
            } else {
                PLAIN_PORT
            }
        }
        Some(text) => {
            let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
            let port = text
                .parse::<u16>()
                .ok()
                .filter(|port| *port > 0 && is_number);
            port.ok_or_else(|| {
                let why = format!("`{}` is no port from 1 to 65535", text.escape_debug());
                UrlMistake::new(url.len() - text.len()..url.len(), why)
            })?
        }
    };
    Ok(ExternalBroker {
        host: bare.unwrap_or(host).to_owned(),
        port,
        tls,
        time: None,
    })
}

fn no_secrets(url: &str) -> UrlMistake {
    UrlMistake {
        is_secret: true,
        ..UrlMistake::new(
            0..url.len(),
            "a user's name or password must not stand in a rig file, and boards have their own",
        )
    }
}

/// An address of IPv6 has colons of its own, in brackets.
fn host_and_port(text: &str) -> (&str, Option<&str>) {
    let behind = match (text.starts_with('['), text.rfind(']')) {
        (true, None) => text.len(),
        (_, at) => at.map_or(0, |at| at + 1),
    };
    match text[behind..].split_once(':') {
        Some((before, port)) => (&text[..behind + before.len()], Some(port)),
        None => (text, None),
    }
}

fn is_host(host: &str) -> bool {
    let is_v4_or_name = !host.is_empty() && host.parse::<Ipv6Addr>().is_err();
    is_v4_or_name && broker::is_name(host)
}

/// Notes at `span` what `board` is handed that nothing in the rig can give beside an external broker.
pub(super) fn check_handed(
    root: &Section<'_>,
    span: &Range<usize>,
    board: &RigBoard,
    rig: &Rig,
    has_authority: bool,
) {
    let Some(external) = rig.broker.as_ref().and_then(|broker| broker.external()) else {
        return;
    };
    let of = format!("`boards.{}`", board.name);
    let authorities = [Value::Authority, Value::AuthorityDer, Value::Factory];
    let clients = [
        Value::ClientCertificate,
        Value::ClientKey,
        Value::ClientCertificateDer,
        Value::ClientKeyDer,
    ];
    let times = [Value::TimeHost, Value::TimePort];
    let told = |values: &[Value]| {
        values
            .iter()
            .copied()
            .find(|value| is_handed(board, *value))
    };
    match rig.authority.as_ref().map(|authority| &authority.place) {
        // A mistake of its own is noted already.
        None if has_authority => {}
        None => {
            // In the clear, the reference firmware needs none.
            let needed =
                told(&authorities).filter(|value| external.tls || *value != Value::Factory);
            if let Some(value) = needed.or(told(&clients)) {
                let message = format!(
                    "{of} is handed {}, and nothing says which authority {external} trusts and is \
                     signed by",
                    named(value)
                );
                let help = "write `[authority]` with `certificate = \"ca.pem\"`, and `key = \"ca.key\"` \
                            if boards are to get certificates of it";
                root.note(span.clone(), message, help);
            }
        }
        Some(AuthorityPlace::Trusted(_)) => {
            if let Some(value) = told(&clients) {
                let message = format!(
                    "{of} is handed {}, which only the key of the authority can sign",
                    named(value)
                );
                let help = "write `key = \"ca.key\"` under `[authority]`, or leave it out here";
                root.note(span.clone(), message, help);
            }
        }
        Some(AuthorityPlace::Kept(_) | AuthorityPlace::Own { .. }) => {}
    }
    if external.time.is_none()
        && let Some(value) = told(&times)
    {
        let message = format!(
            "{of} is handed {}, and `broker.external` says of no time server",
            named(value)
        );
        let help = format!("write {BIND}, at which one of ours is then, or leave it out here");
        root.note(span.clone(), message, help);
    }
}

fn is_handed(board: &RigBoard, value: Value) -> bool {
    let of_firmware = board.firmware.as_ref();
    let is_told = of_firmware.is_some_and(|firmware| firmware.hand_over.mentions(value));
    match &board.link {
        BoardLink::Process(link) => is_told || link.mentions(value),
        // The reference firmware has it in its factory data.
        BoardLink::Serial(_) | BoardLink::Probe(_) => {
            is_told || (of_firmware.is_none() && value == Value::Factory)
        }
    }
}

fn named(value: Value) -> String {
    match value {
        Value::Factory => "factory data, with an authority in them".to_owned(),
        value => format!("`${{{value}}}`"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_url_names_a_host_a_port_and_whether_it_is_tls() {
        for (url, shown) in [
            ("mqtts://broker.example:9000", "mqtts://broker.example:9000"),
            ("mqtts://broker.example", "mqtts://broker.example:8883"),
            ("mqtt://127.0.0.1", "mqtt://127.0.0.1:1883"),
            ("mqtts://[::1]:8884", "mqtts://[::1]:8884"),
        ] {
            let read = parse(url).map_err(|mistake| mistake.why);
            assert_eq!(read.map(|read| read.to_string()).as_deref(), Ok(shown));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_panic_and_places_are_in_it(url in "(mqtts?)?:?/{0,2}[a-z:@/\\[\\]é.0-9]{0,20}") {
            match parse(&url) {
                Ok(read) => prop_assert_eq!(parse(&read.to_string()).ok(), Some(read)),
                Err(mistake) => prop_assert!(url.get(mistake.place).is_some()),
            }
        }
    }
}
