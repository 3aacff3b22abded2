//! A modem that stays out of every network: what it answers when it is asked for its registration.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::meant::words;
use crate::rules::rules;
use crate::unnamed::UNNAMED;
use crate::waiting::{Moment, Waited};
use crate::watch::told;
use crate::{Cause, Certainty, Evidence, Stage};

/// The rule on such a modem.
const NO_NETWORK: &str = "mobile-no-network";
/// Answers without a network that are more than the time which a search takes.
const OFTEN: u64 = 3;
/// The same in a log in which it was registered before.
const OFTEN_BEHIND: u64 = 8;

/// Seconds in which a search may well end, and those in which it does as a rule.
const SOON: u64 = 20;
const LATE: u64 = 60;

/// Parts of words of which such a line has one.
pub const PARTS: &[&str] = &[
    "REG:",
    "CPIN",
    "egist",
    "earching",
    "sucht",
    "uscando",
    "\u{7f51}\u{7edc}",
    "SIM",
];

/// The answer of a modem: 3GPP TS 27.007 §7.2, 10.1.20 and 10.1.22.
static STATE: LazyLock<Regex> =
    LazyLock::new(|| words(r"\+C(?:E|G|5G)?REG: ?(?:\d, ?)?(\d{1,2})(?:\s|,|$)"));
/// The same in a firmware's own words.
static OUT: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)\b(?:network|modem|lte\S*|nb-?iot|cell\w*|gsm|gprs|cereg|creg|registration|reg(?:istration)?[ _]stat\w*)\b[^\n]{0,40}\b(?:not registered|unregistered|searching|NOT_REGISTERED\w*)\b|\b(?:cereg|creg|cgreg|(?:network )?registration|reg)[ _]?(?:state|status|stat)?[ =:]{1,3}[02]\b|\bnot registered\b[^\n]{0,12}\b(?:searching|to (?:a|any|the) network)\b|\b(?:registrierung|modem|gsm|lte|mobilfunk)\b[^\n]{0,24}\bsucht\b|\b(?:registro|m\S{1,2}dem|modem|operador)\b[^\n]{0,24}\bbuscando\b|\xE7\xBD\x91\xE7\xBB\x9C\xE6\xB3\xA8\xE5\x86\x8C[^\n]{0,24}(?:\xE6\x90\x9C\xE7\xB4\xA2|\xE6\x9C\xAA\xE6\xB3\xA8\xE5\x86\x8C)",
    )
});
static IN: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)\bregistered[ ,(:]{1,3}(?:home|roaming)|\bregistration\b[^\n]{0,24}\b(?:home|roaming)\b|\bREGISTERED_(?:HOME|ROAMING)\b|\b(?:network|lte\S*) (?:is )?(?:attached|registered|connected)\b",
    )
});
static READY: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)\+CPIN: ?READY|\b(?:u?sim)(?: ?card)?\b[^\n]{0,16}\b(?:ready|ok|detected|inserted|unlocked)\b",
    )
});

/// What a modem has answered.
#[derive(Debug, Default)]
pub struct Registration {
    /// The first answer without a network, and how many there are.
    out: Option<Evidence>,
    /// Where the first of them stands, and the last.
    from: Moment,
    to: Moment,
    ready: Option<Evidence>,
    was_in: bool,
}

impl Registration {
    /// Takes a line.
    pub fn take(&mut self, line: u64, text: &str) {
        let bytes = text.as_bytes();
        if READY.is_match(bytes) {
            self.ready = Some(Evidence::of(line, text));
        }
        let state = STATE.captures(bytes).map(|found| found[1].to_vec());
        let is_out = match state.as_deref() {
            Some(b"0" | b"2" | b"4") => true,
            Some(b"1" | b"5" | b"6" | b"7" | b"9" | b"10") => {
                self.is_in();
                false
            }
            // Another rule knows a refusal.
            Some(_) => false,
            None if IN.is_match(bytes) => {
                self.is_in();
                false
            }
            None => OUT.is_match(bytes),
        };
        if is_out {
            self.to = Moment::of(line, text);
            if self.out.is_none() {
                self.from = self.to;
            }
            Evidence::count(&mut self.out, line, text);
        }
    }

    /// What explains that the device comes no further.
    pub fn explain(&self, cause: Option<&Cause>, reached: Option<Stage>) -> Option<Cause> {
        let out = self.out.as_ref()?;
        let often = if self.was_in { OFTEN_BEHIND } else { OFTEN };
        let follows = |cause: &Cause| {
            cause.id == UNNAMED
                || cause.stage > Stage::Join
                || (cause.stage == Stage::Join && cause.is_general())
        };
        let waited = |seconds| match self.from.has_time() {
            true => self.from.waited(seconds, self.to),
            false => Waited::Unknown,
        };
        if out.count < often
            || waited(SOON) == Waited::Little
            || reached > Some(Stage::Join)
            || !cause.is_none_or(follows)
        {
            return None;
        }
        let ready = self.ready.iter().cloned();
        let mut evidence: Vec<Evidence> = ready.chain([out.clone()]).collect();
        evidence.sort_by_key(|evidence| evidence.line);
        let mut cause = told(rules().named(NO_NETWORK)?, evidence);
        if self.ready.is_none() || waited(LATE) == Waited::Little {
            cause.certainty = Certainty::Possible;
        }
        Some(cause)
    }

    fn is_in(&mut self) {
        self.out = None;
        self.was_in = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explained(lines: &[&str]) -> Option<Certainty> {
        let mut registration = Registration::default();
        for (line, text) in (1..).zip(lines) {
            registration.take(line, text);
        }
        let cause = registration.explain(None, None);
        cause.map(|cause| cause.certainty)
    }

    #[test]
    fn a_modem_that_no_network_takes_is_known_by_its_answers() {
        for out in [
            "+CEREG: 0,2",
            "[ 19.014] << +CGREG: 2",
            "+CEREG: 2,0",
            "modem: network status: not registered, searching",
            "<inf> lte: LTE registration: searching",
            "[MODEM] Registrierung: sucht Netz",
            "modem: registro de red: buscando",
        ] {
            let often = ["+CPIN: READY", out, out, out];
            assert_eq!(explained(&often), Some(Certainty::Likely), "{out}");
            assert_eq!(explained(&often[1..]), Some(Certainty::Possible), "{out}");
            assert_eq!(explained(&often[..3]), None, "{out}");
        }
    }

    #[test]
    fn one_that_is_taken_in_the_end_is_well() {
        for taken in [
            "+CEREG: 5,\"1A2B\",\"01C3D4\",7",
            "+CREG: 0,1",
            "registered, roaming",
        ] {
            let out = "+CEREG: 0,2";
            assert_eq!(explained(&["+CPIN: READY", out, out, out, taken]), None);
        }
    }
}
