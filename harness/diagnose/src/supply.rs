//! A supply voltage that falls in a log's own figures before each start that nobody asked for.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::meant::words;
use crate::rules::rules;
use crate::watch::told;
use crate::{Cause, Certainty, Evidence, Stage};

/// The rule on such a supply.
const SAGS: &str = "supply-sags";
/// Voltages in mV that a device or a modem has as its supply.
const SUPPLIES: std::ops::RangeInclusive<u64> = 2_000..=30_000;
/// What it falls by at least: in mV, and one part of so many of the highest figure.
const LEAST: u64 = 150;
const PART: u64 = 16;
/// Lines within which a start is told more than once.
const TOLD_TOGETHER: u64 = 2;
/// Falls, each with a start behind it, that are more than chance.
const OFTEN: u64 = 2;

/// Parts of words of which such a line has one.
pub const PARTS: &[&str] = &[
    "CBC", "XVBAT", "^SBC", "RDY", "SYSSTART", "ATREADY", "mV", "mv", " V", "0V", "1V", "2V", "3V",
    "4V", "5V", "6V", "7V", "8V", "9V", "odem", "MODEM", "rst", "Boot", "eset",
];

/// A figure of the supply: that of a modem, or one with its unit behind the word for it.
static FIGURE: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)[+#%^](?:CBC|XVBAT|SBC)\b[^\n]*?\b(\d{4})\b|[+]CBC\b[^\n]*?\b(\d)\.(\d{1,3})(?:\b|V)|(?:bat|akku|vcc|vdd|vin|vsys|supply|spannung|voltage|voltaje|tensi)\w*[^\n\d]{0,24}(?:(\d{4,5}) ?mv\b|(\d{1,2})[.,](\d{1,3}) ?V\b)|(?:bat|akku|vcc|vdd|vin|vsys|supply)\w*_?mv\b[^\n\d]{1,4}(\d{4,5})\b",
    )
});

/// A device or modem that starts.
static STARTS: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?:^|[\s<>\]|:])(?:RDY|\^SYSSTART\w*|\*?ATREADY(?:: ?1)?)\W*$|(?i)\bmodem\b[^\n]{0,24}\b(?:re-?(?:starts?|started|boots?|booted|set|sets)|neu gestartet|(?:se )?reinici\w+|restarted itself)\b|\brst:0x|\brst cause:|^\W{0,3}\*{3} Booting |\b(?:reset|re-?boot|restart)[ _-]?(?:cause|reason)\b",
    )
});

/// The figures of a supply, and the starts behind those that had fallen.
#[derive(Debug, Default)]
pub struct Supply {
    high: Option<(u64, Evidence)>,
    /// The first fallen figure since the last start.
    low: Option<Evidence>,
    last_start: u64,
    /// The first fallen figure of all and the start behind it.
    fallen: Option<(Evidence, Evidence)>,
    falls: u64,
}

impl Supply {
    /// Takes a line.
    pub fn take(&mut self, line: u64, text: &str) {
        if let Some(figure) = figure(text) {
            let high = self.high.as_ref().map_or(0, |(high, _)| *high);
            if figure > high {
                self.high = Some((figure, Evidence::of(line, text)));
            } else if high - figure >= LEAST.max(high / PART) && self.low.is_none() {
                self.low = Some(Evidence::of(line, text));
            }
        } else if STARTS.is_match(text.as_bytes()) {
            let is_another = self.last_start == 0 || line > self.last_start + TOLD_TOGETHER;
            self.last_start = line;
            if let Some(low) = self.low.take().filter(|_| is_another) {
                self.falls += 1;
                self.fallen
                    .get_or_insert_with(|| (low, Evidence::of(line, text)));
            }
        }
    }

    /// The device has reached its cloud: it was started anew for something else.
    pub fn reached(&mut self) {
        *self = Self::default();
    }

    /// What explains that the device or its modem comes no further.
    pub fn explain(&self, cause: Option<&Cause>) -> Option<Cause> {
        let (low, start) = self.fallen.as_ref()?;
        let (_, high) = self.high.as_ref()?;
        let is_general = |cause: &Cause| {
            let rule = rules().named(&cause.id);
            rule.is_none_or(|rule| rule.text.general || rule.says.is_empty())
        };
        let follows = |cause: &Cause| match cause.stage {
            Stage::Power => is_general(cause),
            stage => stage >= Stage::Join,
        };
        if self.falls < OFTEN || !cause.is_none_or(follows) {
            return None;
        }
        let low = Evidence {
            count: self.falls,
            ..low.clone()
        };
        let mut cause = told(rules().named(SAGS)?, vec![high.clone(), low, start.clone()]);
        cause.certainty = Certainty::Likely;
        Some(cause)
    }
}

/// The supply's voltage in mV that a line tells.
fn figure(text: &str) -> Option<u64> {
    let found = FIGURE.captures(text.as_bytes())?;
    let number = |group: usize| -> Option<u64> {
        let digits = std::str::from_utf8(found.get(group)?.as_bytes()).ok()?;
        digits.parse().ok()
    };
    let parts = |volts: usize, rest: usize| {
        let digits = found.get(rest)?.len();
        let scale = [100, 10, 1].get(digits.checked_sub(1)?)?;
        Some(number(volts)? * 1000 + number(rest)? * scale)
    };
    let all = [number(1), parts(2, 3), number(4), parts(5, 6), number(7)];
    let mut all = all.into_iter().flatten();
    all.find(|figure| SUPPLIES.contains(figure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_supply_is_told_in_many_forms() {
        for (line, millivolts) in [
            ("[ 44.139] << +CBC: 0,8,3267", Some(3267)),
            ("+CBC: 3.953V", Some(3953)),
            ("%XVBAT: 3598", Some(3598)),
            ("I (9) pwr: vbat 3.27 V", Some(3270)),
            ("<inf> adc: battery voltage: 3410 mV", Some(3410)),
            ("[akku] Spannung 3,3 V", Some(3300)),
            ("stat vbat_mv=3241 up=4", Some(3241)),
            ("I (9) app: 3267 bytes sent", None),
            ("battery 81 %", None),
        ] {
            assert_eq!(figure(line), millivolts, "{line}");
        }
    }

    #[test]
    fn a_supply_that_falls_before_each_start_is_told_and_one_that_holds_is_not() {
        let falls = |lines: &[&str]| {
            let mut supply = Supply::default();
            for (line, text) in (1..).map(|line| line * 5).zip(lines) {
                supply.take(line, text);
            }
            supply.explain(None).is_some()
        };
        let turn = ["vbat 3.91 V", "vbat 3.31 V", "modem restarted"];
        assert!(falls(&[turn, turn].concat()));
        assert!(!falls(&turn));
        let holds = ["vbat 3.91 V", "vbat 3.88 V", "modem restarted"];
        assert!(!falls(&[holds, holds, holds].concat()));
        let slowly = ["vbat 3.91 V", "vbat 3.31 V", "vbat 3.30 V", "door open"];
        assert!(!falls(&[slowly, slowly].concat()));
    }
}
