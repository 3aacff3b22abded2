//! Names of hosts in lines: those that a device wants, and those that a network's filter blocks.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::meant::words;
use crate::{Evidence, peers};

/// The rule on lines by which a filter blocks a name.
pub const NAME_BLOCKED: &str = "name-blocked";
/// Names of one log that are kept.
const MOST: usize = 512;
/// Names of one line.
const MOST_OF_LINE: usize = 4;

static NAME: LazyLock<Regex> =
    LazyLock::new(|| words(r"(?i)\b[a-z0-9](?:[a-z0-9_-]{0,62}\.){1,8}[a-z][a-z0-9-]{1,62}\b"));

/// What stands beside the name of a server that a device wants.
static SERVER: LazyLock<Regex> =
    LazyLock::new(|| words(r"(?i)://|\b(?:broker|server|host|endpoint|hub)\b|:[18]883\b"));

/// Whether a line may be on a server by its words alone.
pub fn may_have(text: &str) -> bool {
    has_dotted(text) && SERVER.is_match(text.as_bytes())
}

/// The names that a log has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Names {
    /// Those in lines on servers, or in an address with a scheme.
    said: BTreeSet<String>,
    /// Those that a filter blocks, with the first line that says so.
    blocked: BTreeMap<String, Evidence>,
    /// Those that a station asks the network's DNS server for, with its address.
    asked: BTreeSet<(Ipv4Addr, String)>,
}

impl Names {
    /// Takes the names of a line.
    pub fn take(&mut self, text: &str) {
        if self.said.len() < MOST {
            self.said.extend(of(text));
        }
    }

    /// Takes the names of a line by which a filter blocks them.
    pub fn block(&mut self, line: u64, text: &str) {
        for name in of(text) {
            if let Some(known) = self.blocked.get_mut(&name) {
                known.count += 1;
            } else if self.blocked.len() < MOST {
                let (text, count) = (text.chars().take(240).collect(), 1);
                self.blocked.insert(name, Evidence { line, text, count });
            }
        }
    }

    /// Takes the names of a line in which a station asks for them.
    pub fn ask(&mut self, text: &str) {
        if text.contains("query")
            && self.asked.len() < MOST
            && let Some(station) = peers::own(text)
        {
            self.asked.extend(of(text).map(|name| (station, name)));
        }
    }

    /// The line by which a filter blocks a name that the device of another log has said.
    pub fn blocks(&self, device: &Self) -> Option<&Evidence> {
        self.blocked_if(|name| device.said.contains(name))
    }

    /// The line by which a filter blocks a name that the station of this address has asked for.
    pub fn blocks_for(&self, station: Ipv4Addr) -> Option<&Evidence> {
        self.blocked_if(|name| self.asked.contains(&(station, name.to_owned())))
    }

    fn blocked_if(&self, is_wanted: impl Fn(&str) -> bool) -> Option<&Evidence> {
        let mut wanted = self.blocked.iter().filter(|(name, _)| is_wanted(name));
        wanted.next().map(|(_, evidence)| evidence)
    }
}

/// Whether a line has a point between a letter or digit and a letter, as names have.
fn has_dotted(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_within = |at: usize| {
        let (before, behind) = (at.checked_sub(1).map(|at| bytes[at]), bytes.get(at + 1));
        before.is_some_and(|byte| byte.is_ascii_alphanumeric())
            && behind.is_some_and(u8::is_ascii_alphabetic)
    };
    text.match_indices('.').any(|(at, _)| is_within(at))
}

/// The names of a line, in lower case.
fn of(text: &str) -> impl Iterator<Item = String> {
    let text = if has_dotted(text) { text } else { "" };
    let found = NAME.find_iter(text.as_bytes()).take(MOST_OF_LINE);
    found.map(|found| String::from_utf8_lossy(found.as_bytes()).to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_blocked_is_found_in_what_the_device_says() {
        let (mut device, mut router) = (Names::default(), Names::default());
        device.take("I (3490) app: connecting to mqtts://Ingest.vendor.example:8883");
        router.block(7, "dnsmasq[7]: gravity blocked ads.example is 0.0.0.0");
        assert_eq!(router.blocks(&device), None);
        let station = Ipv4Addr::new(192, 168, 1, 44);
        router.ask("dnsmasq[7]: query[A] ads.example from 192.168.1.44");
        assert_eq!(router.blocks_for(station).map(|found| found.line), Some(7));
        assert_eq!(router.blocks_for(Ipv4Addr::new(192, 168, 1, 4)), None);
        router.block(
            9,
            "dnsmasq[7]: gravity blocked ingest.vendor.example is 0.0.0.0",
        );
        assert_eq!(router.blocks(&device).map(|found| found.line), Some(9));
    }
}
