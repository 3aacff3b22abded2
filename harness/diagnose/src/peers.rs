//! Who a line is about, by its address.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use crate::expression::{Expression, Match};

/// Identifiers that are kept.
const MOST: usize = 1024;
/// Identifiers that a device has.
const MOST_IDS: usize = 4;
/// Addresses of one of them.
const MOST_ADDRESSES: usize = 16;

static ADDRESS: Expression =
    Expression::new(r"(?:^|[^\d.])(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})(?:$|[^\d.]|\.\D)");

static PORT: Expression = Expression::new(r"(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}):\d{4,5}\b");

static CONNECTED: Expression =
    Expression::new(r"(?i)client connected from (\d+\.\d+\.\d+\.\d+)\S* as (\S+)");

static CLIENT: Expression = Expression::new(
    r"\bClient (\S+) (?:has exceeded|disconnected|closed|already|\[[^\]]*\] (?:disconnected|closed|already))",
);

/// The identifier that a device tells it has.
static OWN_ID: Expression =
    Expression::new(r#"(?i)\bclient[_ -]?id[ :="'(]{1,3}(?:b')?([\w.:/@+-]{3,64})"#);

/// The client that a broker's line names.
static NAMED: Expression = Expression::new(
    r"(?i)\bclientid: ([^\s,]+)|\bDenied (?:PUBLISH|SUBSCRIBE) from (\S+)|\bclient ?id: ([^\s,]+), IP\b|\bSending CONNACK to (\S+) \(|\bclient connected from \S+ as (\S+)|\bClient (\S+) (?:has exceeded|disconnected|closed|already)",
);

static STATION: Expression = Expression::new(r"(?i)\b[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}\b");

/// The identifiers of a broker's clients, with the addresses that they come from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Clients {
    /// Of each, where it comes from.
    from: BTreeMap<String, BTreeSet<Ipv4Addr>>,
    /// All that are named.
    named: BTreeSet<String>,
}

impl Clients {
    /// Takes a line, by which the broker may let a client in.
    pub fn take(&mut self, line: &str) {
        if self.named.len() < MOST
            && let Some(id) = id_in(line)
            && !self.named.contains(id)
        {
            self.named.insert(id.to_owned());
        }
        let Some(found) = CONNECTED.captures(line) else {
            return;
        };
        if self.from.len() < MOST
            && let Ok(address) = found[1].parse()
        {
            let addresses = self.from.entry(found[2].to_owned()).or_default();
            if addresses.len() < MOST_ADDRESSES {
                addresses.insert(address);
            }
        }
    }

    /// Whether a line is on a client by an identifier that no session from these addresses had.
    pub fn is_of_other(&self, line: &str, devices: &BTreeSet<Ipv4Addr>) -> bool {
        let is_device = |of: &BTreeSet<Ipv4Addr>| !of.is_disjoint(devices);
        let Some(client) = CLIENT.captures(line) else {
            return false;
        };
        self.from.values().any(is_device) && !self.from.get(&client[1]).is_some_and(is_device)
    }

    /// Whether the log names one of these identifiers.
    pub fn names(&self, ids: &BTreeSet<String>) -> bool {
        !self.named.is_disjoint(ids)
    }

    /// Whether a line names another one, in a log that names one of these.
    pub fn is_beside(&self, line: &str, ids: &BTreeSet<String>) -> bool {
        self.names(ids) && id_in(line).is_some_and(|id| !ids.contains(id))
    }
}

/// The identifier of a client that a broker's line names.
fn id_in(line: &str) -> Option<&str> {
    let found = NAMED.captures(line)?;
    found.iter().skip(1).flatten().next().map(|id| id.as_str())
}

/// Whether a line has the word for such an identifier.
fn may_tell_id(line: &str) -> bool {
    let is_id = |behind: &str| {
        let behind = behind.trim_start_matches([' ', '_', '-']);
        behind
            .get(..2)
            .is_some_and(|word| word.eq_ignore_ascii_case("id"))
    };
    // Quicker than to look where it is.
    line.contains("lient") && line.split("lient").skip(1).any(is_id)
}

/// Takes the identifier that a device tells it has.
pub fn take_own_id(line: &str, ids: &mut BTreeSet<String>) {
    if ids.len() < MOST_IDS
        && may_tell_id(line)
        && let Some(found) = OWN_ID.captures(line)
        && !ids.contains(&found[1])
    {
        ids.insert(found[1].to_owned());
    }
}

/// The clients that a server's line names: addresses with a client's port.
pub fn of(line: &str) -> Vec<Ipv4Addr> {
    let found = PORT.all_captures(line);
    found
        .iter()
        .filter_map(|found| found[1].parse().ok())
        .filter(|address: &Ipv4Addr| !address.is_unspecified())
        .take(4)
        .collect()
}

/// The stations that a line of the network names, by the addresses of their radios.
pub fn stations(line: &str) -> impl Iterator<Item = &str> {
    let found = STATION.all_captures(line).into_iter();
    found.filter_map(|found| found.get(0)).map(Match::as_str)
}

/// Whether a line is on a station that another one does not name.
pub fn are_of_others(one: &str, other: &str) -> bool {
    let mut of_one = stations(one).peekable();
    let of_other: Vec<&str> = stations(other).collect();
    let is_named = |station: &str| {
        of_other
            .iter()
            .any(|other| other.eq_ignore_ascii_case(station))
    };
    of_one.peek().is_some() && !of_one.any(is_named)
}

/// The first address that a device's line names: its own, in a line that says which it was given.
pub fn own(line: &str) -> Option<Ipv4Addr> {
    ADDRESS.captures(line)?[1].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_lines_of_both_sides() {
        let station = Ipv4Addr::new(192, 168, 1, 20);
        assert_eq!(
            of("New connection from 192.168.1.20:50112 on port 8883."),
            [station]
        );
        assert!(of("listener tcp:default on 0.0.0.0:1883").is_empty());
        assert_eq!(
            own("sta ip: 192.168.1.20, mask: 255.255.255.0, gw: 192.168.1.1"),
            Some(station)
        );
        assert_eq!(own("fw 1.2.3"), None);
    }
}
