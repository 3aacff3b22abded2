//! Names of hosts in lines: those that a device wants, and those that a network's filter blocks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::Evidence;
use crate::meant::words;

/// The rule on lines by which a filter blocks a name.
pub const NAME_BLOCKED: &str = "name-blocked";
/// Names of one log that are kept.
const MOST: usize = 512;
/// Names of one line.
const MOST_OF_LINE: usize = 4;

static NAME: LazyLock<Regex> =
    LazyLock::new(|| words(r"(?i)\b[a-z0-9](?:[a-z0-9_-]{0,62}\.){1,8}[a-z][a-z0-9-]{1,62}\b"));

/// The names that a log has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Names {
    /// Those in lines on servers, or in an address with a scheme.
    said: BTreeSet<String>,
    /// Those that a filter blocks, with the first line that says so.
    blocked: BTreeMap<String, Evidence>,
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

    /// The line by which a filter blocks a name that the device of another log has said.
    pub fn blocks(&self, device: &Self) -> Option<&Evidence> {
        let mut wanted = self
            .blocked
            .iter()
            .filter(|(name, _)| device.said.contains(*name));
        wanted.next().map(|(_, evidence)| evidence)
    }
}

/// The names of a line, in lower case.
fn of(text: &str) -> impl Iterator<Item = String> {
    let is_within = |three: &[u8]| {
        three[1] == b'.' && three[0].is_ascii_alphanumeric() && three[2].is_ascii_alphanumeric()
    };
    let has_any = text.as_bytes().windows(3).any(is_within);
    let text = if has_any { text } else { "" };
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
        router.block(
            9,
            "dnsmasq[7]: gravity blocked ingest.vendor.example is 0.0.0.0",
        );
        assert_eq!(router.blocks(&device).map(|found| found.line), Some(9));
    }
}
