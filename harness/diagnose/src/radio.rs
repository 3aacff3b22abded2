//! Starts that come again and again just when the radio begins, with nothing that says why.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::meant::words;
use crate::rules::rules;
use crate::unnamed::UNNAMED;
use crate::watch::told;
use crate::{Cause, Evidence, Stage};

/// The rule on such starts.
const LOOP: &str = "restarts-at-radio";
/// How many of them in a row are no chance.
const TIMES: u64 = 3;
/// What is told of starts without a reason.
const FOLLOWS: [&str; 3] = ["restart-loop", "power-on-loop", UNNAMED];
/// Lines before a start in which the radio begins, those of a broken one between them.
const NEAR: usize = 3;

/// By which a firmware tells that its radio begins.
static BEGINS: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)\b(?:start\w*|init\w*|enabl\w*|begin\w*|turn\w* on|bring\w* up)\b[^\n]{0,16}\b(?:wi-?fi|wlan|radio|soft-?ap|ble|bluetooth)\b|\b(?:wi-?fi|wlan|radio|funk|soft-?ap|ble|bluetooth)\b[^\n]{0,12}\b(?:start\w*|init\w*|enabl\w*|begin\w*|on|up|ein)\b|phy_init: phy|wifi:mode :|\bWIFI_READY\b|WIFI_EVENT_STA_START",
    )
});

/// Lines before a start in which a join goes on.
const JOINS_WITHIN: usize = 4;
/// A join that goes on, and one that has failed.
static JOINS: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"^(?:scandone|state: \d -> [235] \((?:b0|0|10)\)|connected with |dhcp client start)|wifi:state: (?:init -> auth|auth -> assoc|assoc -> run)|wifi:connected with ",
    )
});
static FAILS: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)-> (?:0|init) \(|\breason\b|\bfail|disconnect|\bno [^\n]{1,40} found|time-?d? ?out|\berror\b|\brestart|\breboot",
    )
});

/// The starts of a log.
#[derive(Debug, Default)]
pub struct RadioStarts {
    /// The first line of the radio before a start, and how many there are in a row.
    told: Option<Evidence>,
    /// How many of them broke a join off.
    joins: u64,
}

impl RadioStarts {
    /// The device starts again behind these lines, the last one first.
    pub fn restarts<'t>(&mut self, last: impl Iterator<Item = (u64, &'t str)>) {
        let last: Vec<(u64, &str)> = last.take(JOINS_WITHIN).collect();
        let mut lines = last.iter().map(|(_, text)| text.as_bytes());
        let of_join = lines.find(|line| FAILS.is_match(line) || JOINS.is_match(line));
        self.joins += u64::from(of_join.is_some_and(|line| !FAILS.is_match(line)));
        let mut last = last.into_iter().take(NEAR);
        let radio = last.find(|(_, text)| BEGINS.is_match(text.as_bytes()));
        match (&mut self.told, radio) {
            (Some(told), Some(_)) => told.count += 1,
            (None, Some((line, text))) => self.told = Some(Evidence::of(line, text)),
            (_, None) => self.told = None,
        }
    }

    /// How many starts came in the middle of a join that had not failed.
    pub fn broken_joins(&self) -> u64 {
        self.joins
    }

    /// What explains a log that tells nothing but starts.
    pub fn explain(&self, cause: Option<&Cause>, reached: Option<Stage>) -> Option<Cause> {
        let told_by = self.told.as_ref().filter(|told| told.count >= TIMES)?;
        let follows = |cause: &Cause| FOLLOWS.contains(&cause.id.as_str());
        if !cause.is_none_or(follows) || reached > Some(Stage::Dhcp) {
            return None;
        }
        Some(told(rules().named(LOOP)?, vec![told_by.clone()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_behind_a_join_that_failed_breaks_none_off() {
        let broken = |lines: &[&'static str]| {
            let mut starts = RadioStarts::default();
            let lines = lines.iter().rev().map(|line| (1, *line));
            starts.restarts(lines);
            starts.broken_joins()
        };
        assert_eq!(broken(&["state: 2 -> 3 (0)", "{l$|rlnn"]), 1);
        assert_eq!(broken(&["connected with home", "dhcp client start..."]), 1);
        assert_eq!(
            broken(&["scandone", "no home found, reconnect after 1s"]),
            0
        );
        assert_eq!(broken(&["state: 2 -> 3 (0)", "state: 3 -> 0 (2)"]), 0);
        assert_eq!(broken(&["door open"]), 0);
    }

    #[test]
    fn starts_count_only_if_the_radio_begins_before_each() {
        let mut starts = RadioStarts::default();
        let radio = || [(2, "starting wifi"), (1, "motor open")].into_iter();
        starts.restarts(radio());
        starts.restarts(radio());
        assert_eq!(starts.explain(None, None), None);
        starts.restarts(radio());
        assert!(starts.explain(None, None).is_some());
        starts.restarts([(9, "motor shut")].into_iter());
        assert_eq!(starts.explain(None, None), None);
    }
}
