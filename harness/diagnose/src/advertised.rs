//! The name by which a device is found over Bluetooth, and the one that an app looks for.

use crate::expression::Expression;
use crate::rules::rules;
use crate::watch::told;
use crate::{Cause, Evidence, Stage};

/// The rule on an app that looks for another name.
const LOOKS_FOR_OTHER: &str = "app-looks-for-other-name";
/// Names that are kept.
const MOST: usize = 8;
/// The name that a device advertises.
static OWN: Expression = Expression::new(
    r#"(?i)\b(?:service name ?[:=]|adverti[sz]\w*[^\n]{0,16}\b(?:as|name)\b ?[:=]?|device name ?[:=]|\badv(?:ertising)?[ _]name ?[:=]) ?["']?([\w-]{3,32})"#,
);

/// The beginning of a name that an app looks for.
static WANTED: Expression = Expression::new(
    r#"(?i)(?:scan\w*|search\w*|look\w*|filter\w*|find\w*)\b[^\n]{0,40}\bprefix(?:es)?\b ?(?:is|of)? ?[:=(\[]{0,2} ?["']?([\w-]{2,32})|\bprefix ?[:=] ?["']?([\w-]{2,32})["']?[^\n]{0,24}\b(?:scan\w*|ble|bluetooth)\b"#,
);

/// The names that a log tells.
#[derive(Debug, Default)]
pub struct Advertised {
    own: Vec<(String, Evidence)>,
    wanted: Vec<(String, Evidence)>,
}

impl Advertised {
    /// Takes a line, in which a rule or a milestone has found something or not.
    pub fn take(&mut self, line: u64, text: &str, is_telling: bool) {
        if text.contains("refix")
            && let Some(found) = WANTED.captures(text)
        {
            let name = found.iter().skip(1).flatten().next();
            keep(&mut self.wanted, name.map(|name| name.as_str()), line, text);
        } else if is_telling
            && (text.contains("name") || text.contains("dverti"))
            && let Some(found) = OWN.captures(text)
        {
            keep(&mut self.own, Some(&found[1]), line, text);
        }
    }

    /// An app that looks for no name that the device has, in a log in which no session comes about.
    pub fn explain(&self, reached: Option<Stage>) -> Option<Cause> {
        let begins = |name: &str, prefix: &str| {
            let head = name.get(..prefix.len());
            head.is_some_and(|head| head.eq_ignore_ascii_case(prefix))
        };
        let is_found =
            |(wanted, _): &(String, Evidence)| self.own.iter().any(|(own, _)| begins(own, wanted));
        if reached > Some(Stage::Provisioning) || self.wanted.iter().any(is_found) {
            return None;
        }
        let ((_, own), (_, wanted)) = (self.own.first()?, self.wanted.first()?);
        let mut evidence = vec![own.clone(), wanted.clone()];
        evidence.sort_by_key(|evidence| evidence.line);
        Some(told(rules().named(LOOKS_FOR_OTHER)?, evidence))
    }
}

fn keep(names: &mut Vec<(String, Evidence)>, name: Option<&str>, line: u64, text: &str) {
    let is_known = |name: &str| names.iter().any(|(known, _)| known == name);
    if let Some(name) = name.filter(|name| names.len() < MOST && !is_known(name)) {
        let evidence = Evidence::of(line, text);
        names.push((name.to_owned(), evidence));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_of_topics_is_no_name_that_an_app_looks_for() {
        let is_wanted = |line: &str| WANTED.is_match(line);
        assert!(is_wanted("D ESP:BleScanner: startScan, prefix : PROV_"));
        assert!(!is_wanted(
            "[C][mqtt:101]:   Discovery prefix: homeassistant"
        ));
        assert!(!is_wanted("I (9) mqtt: topic prefix = plant/7"));
    }
}
