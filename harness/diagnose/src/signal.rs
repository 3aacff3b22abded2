//! How strong the access point was when it could not be joined.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::meant::words;
use crate::rules::rules;
use crate::watch::told;
use crate::{Cause, Evidence};

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
/// A signal in dBm below which handshakes are lost.
const WEAKEST: i64 = -80;
/// Lines before a failed join in which the signal is told.
const BEFORE: u64 = 12;
/// Figures that are kept.
const MOST: usize = 32;
static RSSI: LazyLock<Regex> = LazyLock::new(|| words(r"(?i)\brssi\b[^\w\n-]{0,4}-(\d{2,3})\b"));

/// The last figures of the signal that a log tells.
#[derive(Debug, Default)]
pub struct Signal {
    told: Vec<(i64, Evidence)>,
}

impl Signal {
    /// Takes a line.
    pub fn take(&mut self, line: u64, text: &str) {
        let found = RSSI.captures(text.as_bytes());
        let figure = found.and_then(|found| std::str::from_utf8(&found[1]).ok()?.parse().ok());
        let Some(figure) = figure.map(|figure: i64| -figure) else {
            return;
        };
        if self.told.len() == MOST {
            self.told.remove(0);
        }
        let evidence = Evidence::of(line, text);
        self.told.push((figure, evidence));
    }

    /// What explains a join that failed: each figure shortly before it and since is of a weak signal.
    pub fn explain(&self, cause: &Cause) -> Option<Cause> {
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
