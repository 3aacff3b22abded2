//! Phones that come into a device's own network and leave it, again and again, whatever the firmware's words
//! for that are.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::meant::words;
use crate::rules::rules;
use crate::watch::told;
use crate::{Cause, Certainty, Evidence, Stage};

/// The rule on a phone that leaves.
const LEAVES: &str = "phone-leaves-network";
/// How often a phone leaves before it is told, and before it is likely.
const TIMES: u64 = 2;
const LIKELY: u64 = 3;
/// Bytes beside a phone's name in which a word tells what it does.
const NEAR: usize = 40;
/// Phones that are kept.
const MOST: usize = 16;

/// What tells that a network is the device's own, and that it waits there for a phone.
static OWN: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)hot-?spot|soft-?ap|\bAP(?:[ _-]?mode|_START|STA)\b|captive|portal|\b(?:own|setup|config\w*) (?:network|wi-?fi|wlan|ap|access point|netz)|access point (?:up|started|open)|einrichtung|provision",
    )
});

/// A phone, by its address or its name.
static WHO: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)(?:[0-9a-fx*]{2}[:-]){2,5}[0-9a-fx*]{2}\b|\b(?:guest|client|phone|station|visitor|handset|handy|gast|cliente|besucher|peer)\b",
    )
});

static COMES: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)\b(?:in|joins?|joined|came|comes|come|(?:\w+_)?(?:sta)?connect(?:s|ed)?|verbunden|assoc(?:iated)?|on|here|arrived|arrives|enters?|entered|new|added|up|kommt|da|conectado)\b|\+(?: |$)",
    )
});

static GOES: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)\b(?:out|leaves?|left|gone|goes|went|(?:\w+_)?(?:sta)?disconnect(?:s|ed)?|getrennt|de-?auth\w*|dis-?assoc\w*|off|away|weg|bye|lost|removed|drops|dropped|down|geht|desconectado)\b|\B-(?: |$)",
    )
});

/// The phones in a device's own network.
#[derive(Debug, Default)]
pub struct Visitors {
    is_open: bool,
    /// Whether the device has joined a network, or has got what it waits for.
    is_done: bool,
    phones: Vec<Phone>,
}

#[derive(Debug)]
struct Phone {
    name: Vec<u8>,
    is_in: bool,
    /// Lines by which it came.
    came: Evidence,
    /// The last line by which it left, and how often it did.
    left: Option<Evidence>,
}

impl Visitors {
    /// Takes a line.
    pub fn take(&mut self, line: u64, text: &str) {
        if self.is_done {
            return;
        }
        let bytes = text.as_bytes();
        self.is_open = self.is_open || OWN.is_match(bytes);
        if !self.is_open {
            return;
        }
        let Some(who) = WHO.find(bytes) else {
            return;
        };
        let name = who.as_bytes().to_ascii_lowercase();
        let behind = &bytes[who.end()..];
        let before = &bytes[..who.start()];
        let behind = &behind[..behind.len().min(NEAR)];
        let before = &before[before.len().saturating_sub(NEAR)..];
        let Some(goes) = tells_going(behind).or_else(|| tells_going(before)) else {
            return;
        };
        let has_room = self.phones.len() < MOST;
        let known = self.phones.iter_mut().find(|phone| phone.name == name);
        match known {
            Some(phone) if goes && phone.is_in => {
                phone.is_in = false;
                let count = phone.left.as_ref().map_or(0, |left| left.count) + 1;
                let left = Evidence::of(line, text);
                phone.left = Some(Evidence { count, ..left });
            }
            Some(phone) if !goes && !phone.is_in => {
                phone.is_in = true;
                phone.came.count += 1;
            }
            None if !goes && has_room => {
                self.phones.push(Phone {
                    name,
                    is_in: true,
                    came: Evidence::of(line, text),
                    left: None,
                });
            }
            _ => {}
        }
    }

    /// The device has passed a stage: behind that of a phone's network it needs none.
    pub fn passed(&mut self, stage: Stage) {
        if (Stage::Session..=Stage::Cloud).contains(&stage) {
            self.is_done = true;
        }
    }

    /// What a log tells in which a phone comes and leaves until the end, and nothing else.
    pub fn explain_silence(&self) -> Option<Cause> {
        if self.is_done {
            return None;
        }
        let times = |phone: &Phone| phone.left.as_ref().map_or(0, |left| left.count);
        let phone = self.phones.iter().max_by_key(|phone| times(phone))?;
        let left = phone.left.as_ref().filter(|left| left.count >= TIMES)?;
        let evidence = vec![phone.came.clone(), left.clone()];
        let mut cause = told(rules().named(LEAVES)?, evidence);
        if left.count < LIKELY {
            cause.certainty = Certainty::Possible;
        }
        Some(cause)
    }
}

/// Whether words tell that a phone goes, or that it comes; nothing if neither.
fn tells_going(words: &[u8]) -> Option<bool> {
    match (GOES.find(words), COMES.find(words)) {
        (Some(goes), Some(comes)) => Some(goes.start() < comes.start()),
        (None, None) => None,
        (goes, _) => Some(goes.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often a phone left.
    fn left(lines: &str) -> u64 {
        let mut visitors = Visitors::default();
        for (line, text) in (1..).zip(lines.lines()) {
            visitors.take(line, text);
        }
        let cause = visitors.explain_silence();
        cause.map_or(0, |cause| cause.evidence[1].count)
    }

    #[test]
    fn a_phone_that_comes_and_goes_is_counted_whatever_the_words_are() {
        for (opens, comes, goes) in [
            (
                "hotspot on ch 6",
                "guest 02:00:00:00:00:01 in",
                "guest 02:00:00:00:00:01 out (8)",
            ),
            ("setup network is up", "phone joined", "phone gone"),
            (
                "softAP started",
                "AP_STACONNECTED 02:00:00:00:00:01",
                "AP_STADISCONNECTED 02:00:00:00:00:01",
            ),
            ("portal open", "[ap] client + (1)", "[ap] client - (0)"),
            (
                "AP mode",
                "station: 02:00:00:00:00:01 join, AID=1",
                "station: 02:00:00:00:00:01 leave, AID=1",
            ),
        ] {
            let log = format!("{opens}\n{comes}\n{goes}\n{comes}\n{goes}\n");
            assert_eq!(left(&log), 2, "{log}");
            assert_eq!(left(&format!("{opens}\n{comes}\n{goes}")), 0, "{log}");
            assert_eq!(
                left(&format!("{comes}\n{goes}\n{comes}\n{goes}")),
                0,
                "{log}"
            );
        }
    }

    #[test]
    fn a_device_that_has_joined_a_network_needs_no_phone() {
        let mut visitors = Visitors::default();
        for (line, text) in (1..).zip([
            "hotspot on",
            "phone in",
            "phone out",
            "phone in",
            "phone out",
        ]) {
            visitors.take(line, text);
        }
        assert!(visitors.explain_silence().is_some());
        visitors.passed(Stage::Join);
        assert_eq!(visitors.explain_silence(), None);
    }
}
