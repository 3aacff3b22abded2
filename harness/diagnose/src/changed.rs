//! What the network gave a device when it worked and when it failed: the gateway of its address, the addresses
//! of its servers, how much memory was free, and how strong its access point was.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::LazyLock;

use regex::bytes;

use crate::expression::Expression;
use crate::gone::Joined;
use crate::heap::Heap;
use crate::meant::words;
use crate::peers;
use crate::rules::rules;
use crate::signal::Signal;
use crate::watch::told;
use crate::{Cause, Certainty, Evidence, Stage};

/// The rule on an address from another DHCP server.
const OTHER_SERVER: &str = "other-dhcp-server";
/// The rule on a gateway that is not in the device's network.
const GATEWAY_ELSEWHERE: &str = "gateway-elsewhere";
/// The rule on a name that stands for another address than before.
const ELSEWHERE: &str = "name-elsewhere";
/// The rule on a name that stands for the router.
const NAME_IS_GATEWAY: &str = "name-is-gateway";
/// Ends of names that a router gives to hosts of its own network.
const LOCAL: [&str; 9] = [
    ".lan",
    ".local",
    ".home",
    ".box",
    ".internal",
    ".intranet",
    ".arpa",
    ".localdomain",
    ".router",
];
/// What a server's certificate or answer tells if it is not the server that is meant.
const NOT_THE_SERVER: [&str; 4] = [
    "server-wrong-name",
    "server-untrusted",
    "fingerprint-differs",
    "handshake-not-tls",
];
/// Hosts that are kept.
const MOST_HOSTS: usize = 32;
/// Addresses of one host.
const MOST_ADDRESSES: usize = 8;
/// Points of an address.
const OF_ADDRESS: usize = 3;

/// A part of a word without which a line tells neither memory nor a network's name or signal.
static ANY: LazyLock<bytes::Regex> =
    LazyLock::new(|| words("eap|ree|HEAP|FREE|onnected |ssid|SSID|RSSI|rssi|ignal|dB"));

/// The gateway in a line by which a device tells its address.
static GATEWAY: Expression = Expression::new(
    r"(?i)(?:\b(?:gw|gateway|router|acquired from|obtained from)\b[ :=\x22(]*|^\('[\d.]+', '255\.[\d.]+', ')(\d+\.\d+\.\d+\.\d+)",
);

/// The network's name in a line by which a device tells that it has joined it.
static NETWORK: Expression = Expression::new(
    r"(?i)(?:\bssid[ :=]+|\bwifi:connected with |\b(?:wi-?fi|wlan)\b[^\n]*\bconnected (?:to|with) )([^\s,;)]+)",
);

/// A link beside Wi-Fi.
static WIRED: LazyLock<bytes::Regex> =
    LazyLock::new(|| words(r"(?i)\b(?:eth\w*|ppp\w*|lte|modem|wwan\d|usb\d)\b"));

/// A host's name and its address.
static HOST: Expression = Expression::new(
    r"(?i)\b((?:[a-z0-9][a-z0-9_-]*\.)+[a-z][a-z0-9-]+)(?:[ \t:=>()\[\],'\x22-]|\b(?:to|is|as|at|ip|ipv4|has|address|addr|resolved|ist|unter)\b)+(\d+\.\d+\.\d+\.\d+)(?:$|[^\d.])",
);

/// What changed in a log, as far as its lines tell.
#[derive(Debug, Default)]
pub struct Changes {
    /// The network that was joined last.
    network: Option<String>,
    /// The last address.
    lease: Option<Lease>,
    /// The last one with which a server was reached.
    worked: Option<Lease>,
    /// Of each host its addresses, in the order in which they were first told.
    hosts: BTreeMap<String, Vec<(Ipv4Addr, Evidence)>>,
    heap: Heap,
    signal: Signal,
    joined: Joined,
}

#[derive(Clone, Debug)]
struct Lease {
    gateway: Ipv4Addr,
    /// Whether the address is of another network than the gateway.
    is_torn: bool,
    /// Whether it is of Wi-Fi, as far as the line tells.
    is_wireless: bool,
    network: Option<String>,
    evidence: Evidence,
}

impl Changes {
    /// Takes a line.
    pub fn take(&mut self, line: u64, text: &str) {
        let points = points(text);
        if ANY.is_match(text.as_bytes()) {
            if ["ssi", "SSI", "ignal", "dB"]
                .iter()
                .any(|word| text.contains(word))
            {
                self.signal.take(line, text);
            }
            self.heap.take(line, text);
            self.take_network(text);
        }
        if points >= OF_ADDRESS {
            self.take_lease(line, text);
        }
        if points > OF_ADDRESS {
            self.take_host(line, text);
        }
    }

    /// A server was reached.
    pub fn reached(&mut self) {
        if let Some(lease) = &self.lease {
            let is_same = |worked: &Lease| worked.gateway == lease.gateway;
            if !self.worked.as_ref().is_some_and(is_same) {
                self.worked = Some(lease.clone());
            }
        }
    }

    /// The device was let into its network by this line.
    pub fn joined(&mut self, line: u64, text: &str) {
        self.joined.take(line, text);
    }

    /// Whether the device was in a network with the credentials that it has.
    pub fn was_joined(&self) -> bool {
        self.joined.is_any()
    }

    /// The device was given other credentials.
    pub fn has_other_credentials(&mut self) {
        self.joined.forget();
    }

    /// An attempt ends with this trouble or what followed from it, and the next begins.
    pub fn restarts<'c>(&mut self, causes: impl IntoIterator<Item = &'c Cause>) {
        self.heap.restarts(causes);
    }

    /// A leak that ended an attempt before, and ends the next ones as well.
    pub fn leaked(&self) -> Option<Cause> {
        self.heap.leaked()
    }

    /// What explains a log's first cause by what changed before it; that cause then follows from it.
    pub fn explain(&self, cause: &Cause) -> Option<Cause> {
        self.heap
            .explain(cause)
            .or_else(|| self.signal.explain(cause, self.joined.is_any()))
            .or_else(|| self.joined.explain(cause))
            .or_else(|| self.gateway_elsewhere(cause))
            .or_else(|| self.other_server(cause))
            .or_else(|| self.elsewhere(cause))
            .or_else(|| self.gateway_of_name(cause))
    }

    /// What explains a trouble behind the join by a network that was lost again and again, by the rules and
    /// counts of `lost`.
    pub fn behind_loss<'r>(
        &self,
        cause: &Cause,
        lost: impl Iterator<Item = (&'r str, u64)>,
    ) -> Option<Cause> {
        let is_joined = self.joined.is_any();
        is_joined
            .then(|| self.signal.explain_behind(cause, lost))
            .flatten()
    }

    /// Whether a cause at a server need not be one, by what changed before it.
    pub fn is_doubtful(&self, cause: &Cause) -> bool {
        let is_short = self.heap.is_short();
        let is_connection = matches!(
            cause.id.as_str(),
            "connection-refused" | "connect-timeout" | "host-unreachable"
        );
        is_connection && (is_short || self.moved(cause).is_some())
    }

    fn other_server(&self, cause: &Cause) -> Option<Cause> {
        let (worked, lease) = (self.worked.as_ref()?, self.lease.as_ref()?);
        let is_other = worked.gateway != lease.gateway && worked.is_wireless == lease.is_wireless;
        let is_same_network = match (&worked.network, &lease.network) {
            (Some(before), Some(now)) => before == now,
            _ => true,
        };
        let follows = cause
            .evidence
            .first()
            .is_some_and(|line| line.line > worked.evidence.line);
        let is_on_way = (Stage::Dns..=Stage::Tcp).contains(&cause.stage);
        if !(is_other && is_same_network && follows && is_on_way) {
            return None;
        }
        let rule = rules().named(OTHER_SERVER)?;
        let evidence = vec![worked.evidence.clone(), lease.evidence.clone()];
        let mut cause = told(rule, evidence);
        if lease.network.is_none() {
            cause.certainty = Certainty::Possible;
        }
        Some(cause)
    }

    fn gateway_elsewhere(&self, cause: &Cause) -> Option<Cause> {
        let lease = self.lease.as_ref().filter(|lease| lease.is_torn)?;
        let is_on_way = (Stage::Dns..=Stage::Tcp).contains(&cause.stage);
        let rule = rules().named(GATEWAY_ELSEWHERE).filter(|_| is_on_way)?;
        Some(told(rule, vec![lease.evidence.clone()]))
    }

    fn elsewhere(&self, cause: &Cause) -> Option<Cause> {
        if !NOT_THE_SERVER.contains(&cause.id.as_str()) {
            return None;
        }
        let (before, now) = self.moved(cause)?;
        let rule = rules().named(ELSEWHERE)?;
        Some(told(rule, vec![before.clone(), now.clone()]))
    }

    fn gateway_of_name(&self, cause: &Cause) -> Option<Cause> {
        let gateway = self.lease.as_ref()?.gateway;
        let line = cause.evidence.first()?.line;
        let is_foreign = |name: &str| !LOCAL.iter().any(|local| name.ends_with(local));
        let mut told_of = self.hosts.iter().filter_map(|(name, addresses)| {
            let of_gateway =
                |(address, told): &&(Ipv4Addr, Evidence)| *address == gateway && told.line < line;
            let found = addresses.iter().find(of_gateway)?;
            is_foreign(name).then_some(&found.1)
        });
        let is_on_way = (Stage::Tcp..=Stage::Tls).contains(&cause.stage);
        let evidence = told_of.next().filter(|_| is_on_way)?;
        let rule = rules().named(NAME_IS_GATEWAY)?;
        Some(told(rule, vec![evidence.clone()]))
    }

    /// The lines on a host that stood for another network before the cause than at first.
    fn moved(&self, cause: &Cause) -> Option<(&Evidence, &Evidence)> {
        let line = cause.evidence.first()?.line;
        self.hosts.values().find_map(|addresses| {
            let is_before = |(_, evidence): &&(Ipv4Addr, Evidence)| evidence.line < line;
            let mut before: Vec<_> = addresses.iter().filter(is_before).collect();
            let (address, now) = before.pop()?;
            let is_near = |(other, _): &&(Ipv4Addr, Evidence)| near(*other) == near(*address);
            let (_, first) = before.first()?;
            (!before.iter().any(is_near)).then_some((first, now))
        })
    }

    fn take_network(&mut self, text: &str) {
        if let Some(found) = NETWORK.captures(text) {
            let name = found[1].trim_matches(|letter: char| !letter.is_alphanumeric());
            if !name.is_empty() && !name.contains('.') {
                self.network = Some(name.to_owned());
            }
        }
    }

    fn take_lease(&mut self, line: u64, text: &str) {
        let found = GATEWAY.captures(text);
        let gateway: Option<Ipv4Addr> = found.and_then(|found| found[1].parse().ok());
        let Some(gateway) = gateway.filter(|gateway| !gateway.is_unspecified()) else {
            return;
        };
        // The device's own network, or no more than a route.
        let Some(own) = peers::own(text).filter(|own| *own != gateway) else {
            return;
        };
        let is_small = text.contains("/24") || text.contains("255.255.255.0");
        self.lease = Some(Lease {
            gateway,
            is_torn: is_small && own.octets()[..3] != gateway.octets()[..3],
            is_wireless: !WIRED.is_match(text.as_bytes()),
            network: self.network.clone(),
            evidence: Evidence::of(line, text),
        });
    }

    fn take_host(&mut self, line: u64, text: &str) {
        let Some(found) = HOST.captures(text) else {
            return;
        };
        let Ok(address) = found[2].parse::<Ipv4Addr>() else {
            return;
        };
        let name = found[1].to_ascii_lowercase();
        if self.hosts.len() >= MOST_HOSTS && !self.hosts.contains_key(&name) {
            return;
        }
        let addresses = self.hosts.entry(name).or_default();
        let is_known = addresses.iter().any(|(known, _)| *known == address);
        if !is_known && addresses.len() < MOST_ADDRESSES {
            addresses.push((address, Evidence::of(line, text)));
        }
    }
}

/// What addresses of one provider share as a rule.
fn near(address: Ipv4Addr) -> [u8; 2] {
    let [first, second, ..] = address.octets();
    [first, second]
}

/// How many points a line has.
fn points(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'.').count()
}
