//! A phone looks for devices by multicast DNS: a service (DNS-SD, RFC 6763), or a host by its name.
//!
//! It asks from a port of its own, so that answers come to it alone (RFC 6762 §5.1 and §6.7) and the
//! host's own responder, which has port 5353, is not in the way. Where nothing has that port it can ask from
//! there, too, as most resolvers do, or only listen.

mod message;
mod records;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use clock::Clock;
use serde::Serialize;

use crate::{Datagrams, Dial};
use message::Question;
use records::Records;

/// Where questions go (RFC 6762 §3).
const GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(224, 0, 0, 251), 5353);
/// From one question to the next (RFC 6762 §5.2: a second at least).
const INTERVAL: Duration = Duration::from_secs(1);
/// Hosts whose answers are remembered.
const MOST_HOSTS: usize = 64;

/// What a phone looks for: a service, or a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The kind of service, such as `_http._tcp`.
    pub service: Option<String>,
    /// The name of one instance of it, such as `lamp`; any without one.
    pub instance: Option<String>,
    /// The host that has it, such as `lamp.local`; any without one. Without a service, the host itself.
    pub host: Option<String>,
    /// The address that must answer; any without one.
    pub from: Option<Ipv4Addr>,
    /// How the phone looks.
    pub way: Way,
}

/// How a phone looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// It asks from a port of its own, and is answered alone.
    #[default]
    OneShot,
    /// It asks from port 5353, and the answer is for all (RFC 6762 §5.2).
    Continuous,
    /// It waits for what is told unasked (RFC 6762 §8.3).
    Listening,
}

/// What a device has told of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Discovered {
    /// Name of the instance, if a service was looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Its host, such as `lamp.local`.
    pub host: String,
    /// Address of that host.
    pub address: Ipv4Addr,
    /// Port of the service, if one was looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// What the service says of itself.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub txt: BTreeMap<String, String>,
    /// For how many seconds the longest-lived of its records may be believed.
    pub ttl_s: u32,
}

/// What was looked for was not found.
#[derive(Debug, thiserror::Error)]
pub enum MdnsError {
    /// No answer in time that has all of it.
    #[error("{what} was not found by mDNS within {within:?}: {heard}")]
    NotFound {
        /// What was looked for.
        what: String,
        /// How long was waited, in lab time.
        within: Duration,
        /// What was heard instead.
        heard: String,
    },
    /// It cannot be a name of DNS.
    #[error("{0:?} cannot be a name of DNS: labels have 1 to 63 bytes")]
    Name(String),
    /// The phone's network does not carry it.
    #[error("failed to {what}")]
    Io {
        /// What was attempted.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl Wanted {
    /// In words.
    fn shown(&self) -> String {
        let mut words: Vec<&str> = Vec::new();
        words.extend(self.instance.as_deref());
        words.extend(self.service.as_deref());
        words.extend(self.host.as_deref());
        words.join(" ")
    }

    /// The name under which instances of the service are listed.
    fn listing(&self) -> Option<String> {
        let service = self.service.as_deref()?;
        Some(format!("{}.local", service.trim_end_matches(".local")))
    }
}

/// Looks for a device on the network of `dial`, for so much lab time.
pub async fn discover(
    dial: &dyn Dial,
    wanted: &Wanted,
    within: Duration,
    clock: &Clock,
) -> Result<Discovered, MdnsError> {
    let from = match wanted.way {
        Way::OneShot => 0,
        Way::Continuous | Way::Listening => GROUP.port(),
    };
    let port = dial.udp(from).await.map_err(|source| MdnsError::Io {
        what: "bind a port for mDNS",
        source,
    })?;
    let mut heard = BTreeMap::new();
    let looking = look(&*port, wanted, &mut heard, clock);
    match clock.timeout(within, looking).await {
        Ok(found) => found,
        Err(_) => Err(MdnsError::NotFound {
            what: wanted.shown(),
            within,
            heard: told(&heard),
        }),
    }
}

async fn look(
    port: &dyn Datagrams,
    wanted: &Wanted,
    heard: &mut BTreeMap<Ipv4Addr, Records>,
    clock: &Clock,
) -> Result<Discovered, MdnsError> {
    loop {
        if wanted.way != Way::Listening {
            let query = message::query(&questions(wanted, heard))?;
            port.send(&query, GROUP)
                .await
                .map_err(|source| MdnsError::Io {
                    what: "ask by mDNS",
                    source,
                })?;
        }
        let round = clock.now() + INTERVAL;
        while clock.now() < round {
            let left = round.since(clock.now());
            let Ok(received) = clock.timeout(left, port.receive()).await else {
                break;
            };
            let (bytes, from) = received.map_err(|source| MdnsError::Io {
                what: "hear answers by mDNS",
                source,
            })?;
            let from = *from.ip();
            if wanted.from.is_some_and(|wanted| wanted != from) {
                continue;
            }
            if !heard.contains_key(&from) && heard.len() >= MOST_HOSTS {
                continue;
            }
            let records = heard.entry(from).or_default();
            records.add(&bytes);
            if let Some(found) = records.find(wanted) {
                return Ok(found);
            }
        }
    }
}

/// What is to be asked now: for all of it, and for what answers have left out.
fn questions(wanted: &Wanted, heard: &BTreeMap<Ipv4Addr, Records>) -> Vec<Question> {
    let mut questions = match wanted.listing() {
        Some(listing) => vec![Question::pointer(&listing)],
        None => wanted
            .host
            .iter()
            .map(|host| Question::address(host))
            .collect(),
    };
    for records in heard.values() {
        for question in records.missing(wanted) {
            if !questions.contains(&question) && questions.len() < message::MOST_QUESTIONS {
                questions.push(question);
            }
        }
    }
    questions
}

/// What was heard, in words.
fn told(heard: &BTreeMap<Ipv4Addr, Records>) -> String {
    let told: Vec<String> = heard
        .iter()
        .map(|(from, records)| format!("{from} answered {records}"))
        .collect();
    match told.is_empty() {
        true => "no answer came".to_owned(),
        false => told.join("; "),
    }
}
