//! A network that a device was in, and that it does not hear any more.

use crate::expression::Expression;
use crate::rules::rules;
use crate::watch::told;
use crate::{Cause, Evidence};

/// The rule on such a network.
const GONE: &str = "network-gone";
/// What a device tells that hears no network of the name that it has.
pub const NOT_FOUND: [&str; 3] = ["ap-not-found", "portal-ap-not-found", "cyw43-not-found"];
/// The name of a network in a line on it.
static NAME: Expression = Expression::new(
    r#"(?i)\bconnected (?:with|to) ["']?([^\s"',;]{1,32})|\bno (.{1,32}) found\b|\bssid[ :='"]{1,4}([^"',;\n]{1,32}?)["',;]|\bssid[ :=]{1,3}(\S{1,32})"#,
);

/// The network that a device was in last.
#[derive(Debug, Default)]
pub struct Joined {
    /// The line by which it was let in; none if it was in none.
    line: u64,
    text: String,
}

impl Joined {
    /// The device was let into a network by this line.
    pub fn take(&mut self, line: u64, text: &str) {
        self.line = line;
        self.text.clear();
        self.text.push_str(text);
    }

    /// The device was given other credentials.
    pub fn forget(&mut self) {
        self.line = 0;
    }

    /// Whether the device was in a network.
    pub fn is_any(&self) -> bool {
        self.line > 0
    }

    /// What explains that no network of a name is heard: there was one.
    pub fn explain(&self, cause: &Cause) -> Option<Cause> {
        let lost = cause.evidence.first()?;
        let is_same = || match (name_in(&self.text), name_in(&lost.text)) {
            (Some(before), Some(now)) => before == now,
            _ => true,
        };
        let is_not_found = NOT_FOUND.contains(&cause.id.as_str());
        let is_gone = is_not_found && self.is_any() && self.line < lost.line && is_same();
        let rule = rules().named(GONE).filter(|_| is_gone)?;
        let joined = Evidence::of(self.line, &self.text);
        Some(told(rule, vec![joined, lost.clone()]))
    }
}

/// The name of a network in a line.
pub fn name_in(line: &str) -> Option<&str> {
    let found = NAME.captures(line)?;
    found
        .iter()
        .skip(1)
        .flatten()
        .next()
        .map(|name| name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_lines_on_networks() {
        for (line, name) in [
            ("connected with Depot-2G, channel 1", "Depot-2G"),
            ("I (3012) wifi:connected with home, aid = 1", "home"),
            ("no Depot 2 found, reconnect after 1s", "Depot 2"),
            ("reason 201, ssid='Depot 2', retry", "Depot 2"),
        ] {
            assert_eq!(name_in(line), Some(name), "{line}");
        }
        assert_eq!(name_in("sta ip: 192.168.1.20"), None);
    }
}
