//! How strong the access point was when it could not be joined.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::gone::{NOT_FOUND, name_in};
use crate::meant::words;
use crate::rules::rules;
use crate::watch::told;
use crate::{Cause, Evidence, Stage};

/// The rule on a join that fails on a weak signal.
const WEAK: &str = "join-on-weak-signal";
/// What a join ends with on such a signal as well as for other reasons.
const LOOK_ALIKE: [&str; 6] = [
    "wrong-passphrase",
    "auth-expired",
    "association-failed",
    "beacon-lost",
    "join-failed",
    "authentication-failed",
];
/// The rule on a network that is lost again and again on such a signal.
const TOO_WEAK: &str = "signal-too-weak";
/// What follows from that.
const LOST: [&str; 6] = [
    "ap-not-found",
    "beacon-lost",
    "link-lost",
    "join-failed",
    "auth-expired",
    "no-address-again",
];
/// A signal in dBm on which hardly anything arrives.
const HARDLY_HEARD: i64 = -88;
/// How often a network is lost before what fails behind the join follows from that.
const LOSSES: u64 = 2;
/// A signal in dBm below which handshakes are lost.
const WEAKEST: i64 = -80;
/// Lines before a failed join in which the signal is told.
const BEFORE: u64 = 12;
/// Figures that are kept.
const MOST: usize = 32;
static FIGURE: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)\b(?:rssi|signal(?:[ _]?(?:strength|level|dbm))?)\b[^\w\n-]{0,4}-(\d{2,3})\b|[^\d-]-(\d{2,3}) ?dBm?\b",
    )
});
/// What tells that such a figure is one of a network that is heard, whichever it is.
static SCAN: LazyLock<Regex> =
    LazyLock::new(|| words(r"(?i)\b(?:scan\w*|neighbou?r\w*|found|networks?)\b"));

/// The last figures of the signal that a log tells.
#[derive(Debug, Default)]
pub struct Signal {
    told: Vec<(i64, Evidence)>,
}

impl Signal {
    /// Takes a line.
    pub fn take(&mut self, line: u64, text: &str) {
        let Some(found) = FIGURE.captures(text.as_bytes()) else {
            return;
        };
        let digits = found.get(1).or(found.get(2));
        let figure =
            digits.and_then(|digits| std::str::from_utf8(digits.as_bytes()).ok()?.parse().ok());
        let Some(figure) = figure.map(|figure: i64| -figure) else {
            return;
        };
        if !text.to_ascii_lowercase().contains("rssi") && SCAN.is_match(text.as_bytes()) {
            return;
        }
        if self.told.len() == MOST {
            self.told.remove(0);
        }
        let evidence = Evidence::of(line, text);
        self.told.push((figure, evidence));
    }

    /// What explains a join that failed, or a network that the device was in and lost: each figure shortly
    /// before it and since is of a weak signal.
    pub fn explain(&self, cause: &Cause, was_joined: bool) -> Option<Cause> {
        was_joined
            .then(|| self.explain_loss(cause))
            .flatten()
            .or_else(|| self.explain_join(cause))
            .or_else(|| self.explain_hardly_heard(cause))
    }

    fn explain_loss(&self, cause: &Cause) -> Option<Cause> {
        let line = cause.evidence.first()?.line;
        let before = self
            .told
            .iter()
            .filter(|(_, told)| told.line < line)
            .count();
        let since = &self.told[before.saturating_sub(2)..];
        let is_weak = since.iter().all(|(figure, _)| *figure <= HARDLY_HEARD);
        let is_lost = LOST.contains(&cause.id.as_str());
        if since.len() < 2 || !is_weak || !is_lost {
            return None;
        }
        let evidence = since.iter().take(2).map(|(_, told)| told.clone());
        Some(told(rules().named(TOO_WEAK)?, evidence.collect()))
    }

    /// What explains a connection that fails while the network is lost again and again: each figure is of a
    /// weak signal.
    pub fn explain_behind<'r>(
        &self,
        cause: &Cause,
        lost: impl Iterator<Item = (&'r str, u64)>,
    ) -> Option<Cause> {
        let is_of_way = (Stage::Dhcp..=Stage::Mqtt).contains(&cause.stage);
        let is_weak = |(figure, _): &(i64, Evidence)| *figure <= HARDLY_HEARD;
        if !is_of_way || self.told.len() < 2 || !self.told.iter().all(is_weak) {
            return None;
        }
        let of_signal = lost.filter(|(rule, _)| LOST.contains(rule));
        let losses: u64 = of_signal.map(|(_, count)| count).sum();
        if losses < LOSSES {
            return None;
        }
        let evidence = self.told.iter().take(2).map(|(_, told)| told.clone());
        Some(told(rules().named(TOO_WEAK)?, evidence.collect()))
    }

    /// What explains that a network is not found whose name was heard before, each time hardly.
    fn explain_hardly_heard(&self, cause: &Cause) -> Option<Cause> {
        let lost = cause.evidence.first()?;
        let name = NOT_FOUND
            .contains(&cause.id.as_str())
            .then(|| name_in(&lost.text))
            .flatten()?;
        let of_name = |(_, told): &&(i64, Evidence)| told.text.contains(name);
        let figures: Vec<_> = self.told.iter().filter(of_name).collect();
        let (_, heard) = figures.first()?;
        if figures.iter().any(|(figure, _)| *figure > WEAKEST) {
            return None;
        }
        let mut evidence = vec![heard.clone(), lost.clone()];
        evidence.sort_by_key(|evidence| evidence.line);
        Some(told(rules().named(WEAK)?, evidence))
    }

    fn explain_join(&self, cause: &Cause) -> Option<Cause> {
        if !LOOK_ALIKE.contains(&cause.id.as_str()) {
            return None;
        }
        let line = cause.evidence.first()?.line;
        let told_then = |(_, told): &&(i64, Evidence)| told.line + BEFORE >= line;
        let figures: Vec<_> = self.told.iter().filter(told_then).collect();
        let (_, first) = figures.first()?;
        if figures.len() < 2 || figures.iter().any(|(figure, _)| *figure > WEAKEST) {
            return None;
        }
        let mut evidence = vec![first.clone()];
        evidence.extend(cause.evidence.first().cloned());
        evidence.sort_by_key(|evidence| evidence.line);
        evidence.dedup_by_key(|evidence| evidence.line);
        Some(told(rules().named(WEAK)?, evidence))
    }
}
