//! Starts after a loss of power, one upon the other, whatever else the starts between them say.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::meant::words;
use crate::rules::rules;
use crate::unnamed::UNNAMED;
use crate::waiting::{Moment, Waited};
use crate::watch::told;
use crate::{Cause, Certainty, Evidence, Stage};

/// The rule on such starts.
const LOOP: &str = "power-on-loop";
/// How many of them are none that somebody makes by hand.
const TIMES: u64 = 3;
/// Seconds between two of them in which nobody takes the plug out and puts it in again.
const SECONDS: u64 = 10;
/// What a supply that fails makes of a start beside a loss of power: flash that cannot be read, and the
/// watchdog of the ROM that waits for it. Starts without a reason are told by theirs.
const FOLLOWS: [&str; 4] = [
    "no-bootable-image",
    "restart-loop",
    "task-watchdog",
    UNNAMED,
];

/// Joins that a loss of power broke off, which are more than chance.
const JOINS: u64 = 2;

/// Parts of words of which such a line has one.
pub const PARTS: &[&str] = &[
    "rst:",
    "rst cause",
    "OWER",
    "ower-on",
    "ower on",
    "oweron",
    "ower up",
    "cold",
    "Cold",
    "COLD",
    "altstart",
    "encendido",
    "POR",
    "wdt",
    "WDT",
];

/// By which a chip or its firmware tells that it had no power before.
static POWER_ON: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)\brst:0x0*1 \(POWER|\brst cause:1\b|\bESP_RST_POWERON\b|\b(?:reset|restart|re?boot|boot|start|wake-?up)(?:[ _-]?(?:cause|reason|why|source|grund|ursache|motivo))?\W{1,4}(?:\d+ ?\W{0,2})?(?:power[ _-]?(?:on|up)|POR\b|PORRST|cold[ _-]?(?:boot|start)|kaltstart|encendido)|\b(?:power[ _-]?on|cold) (?:reset|boot|start)\b|\bkaltstart\b",
    )
});
static WATCHDOG: LazyLock<Regex> =
    LazyLock::new(|| words(r"WDT\w*RE?SE?T?|\bwdt reset|rst cause:[34]"));

/// The starts after a loss of power.
#[derive(Debug, Default)]
pub struct PowerLosses {
    /// The first line by which one is told, and how often lines of its form were.
    told: Option<(Evidence, String)>,
    /// Where the first of them stands, and the last.
    from: Moment,
    to: Moment,
    watchdogs: u64,
}

impl PowerLosses {
    /// Takes a line.
    pub fn take(&mut self, line: u64, text: &str) {
        if !POWER_ON.is_match(text.as_bytes()) {
            self.watchdogs += u64::from(WATCHDOG.is_match(text.as_bytes()));
            return;
        }
        let form: String = text
            .chars()
            .filter(|letter| !letter.is_ascii_digit())
            .collect();
        let at = Moment::of_day(line, text);
        match &mut self.told {
            None => {
                self.told = Some((Evidence::of(line, text), form));
                self.from = at;
            }
            // A start is told by the chip and again by its firmware.
            Some((told, known)) if *known == form => told.count += 1,
            Some(_) => return,
        }
        self.to = at;
    }

    /// The device has reached its cloud: it was switched off and on.
    pub fn reached(&mut self) {
        *self = Self::default();
    }

    /// What explains joins that were broken off by a loss of power, unless each of them tells its own trouble.
    pub fn explain_joins(
        &self,
        broken: u64,
        cause: Option<&Cause>,
        reached: Option<Stage>,
    ) -> Option<Cause> {
        let (first, _) = self.told.as_ref()?;
        let is_enough = broken >= JOINS && first.count >= JOINS && first.count > self.watchdogs;
        let is_seldom = |cause: &Cause| cause.evidence.iter().all(|line| line.count < JOINS);
        let follows =
            |cause: &Cause| (Stage::Join..=Stage::Dhcp).contains(&cause.stage) && is_seldom(cause);
        if !is_enough || !cause.is_none_or(follows) || reached > Some(Stage::Dhcp) {
            return None;
        }
        let cause = told(rules().named(LOOP)?, vec![first.clone()]);
        Some(Cause {
            certainty: Certainty::Possible,
            ..cause
        })
    }

    /// What explains a log that tells nothing but starts, and what a supply that fails makes of them.
    pub fn explain(&self, cause: Option<&Cause>, reached: Option<Stage>) -> Option<Cause> {
        let (first, _) = self.told.as_ref()?;
        let follows =
            |cause: &Cause| cause.stage == Stage::Power && FOLLOWS.contains(&cause.id.as_str());
        let is_enough = first.count >= TIMES && first.count > self.watchdogs;
        if !is_enough || !cause.is_none_or(follows) || reached > Some(Stage::Dhcp) {
            return None;
        }
        let mut cause = told(rules().named(LOOP)?, vec![first.clone()]);
        let is_timed = self.from.has_time() && self.to.has_time();
        let quick = self.from.waited(SECONDS * (first.count - 1), self.to) == Waited::Little;
        if is_timed && quick {
            cause.certainty = Certainty::Likely;
        }
        Some(cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_of_power_in_the_middle_of_joins_are_of_the_supply() {
        let mut losses = PowerLosses::default();
        let start = "ets Jan  8 2013,rst cause:1, boot mode:(3,6)";
        losses.take(1, start);
        assert_eq!(losses.explain_joins(2, None, None), None);
        losses.take(9, start);
        let said = losses.explain_joins(2, None, None);
        assert_eq!(said.map(|cause| cause.certainty), Some(Certainty::Possible));
        assert_eq!(losses.explain_joins(1, None, None), None);
        assert_eq!(losses.explain_joins(2, None, Some(Stage::Mqtt)), None);
    }

    fn explained(lines: &[&str]) -> Option<Certainty> {
        let mut losses = PowerLosses::default();
        for (line, text) in (1..).zip(lines) {
            losses.take(line, text);
        }
        losses.explain(None, None).map(|cause| cause.certainty)
    }

    #[test]
    fn starts_without_power_are_told_in_many_words() {
        for text in [
            "rst:0x1 (POWERON_RESET),boot:0x17 (SPI_FAST_FLASH_BOOT)",
            " ets Jan  8 2013,rst cause:1, boot mode:(3,6)",
            "I (300) app: reset reason: POWERON",
            "[main] Reset-Grund: Kaltstart",
            "<inf> app: reset cause: POR",
            "boot: cold boot, fw 1.2",
        ] {
            assert_eq!(explained(&[text; 3]), Some(Certainty::Possible), "{text}");
            assert_eq!(explained(&[text; 2]), None, "{text}");
        }
        assert_eq!(explained(&["I (9) app: powered on the valve"; 3]), None);
    }

    #[test]
    fn nobody_switches_it_off_and_on_within_a_second() {
        let starts = [
            "17:41:02 rst:0x1 (POWERON)",
            "17:41:04 rst:0x1 (POWERON)",
            "17:41:05 rst:0x1 (POWERON)",
        ];
        assert_eq!(explained(&starts), Some(Certainty::Likely));
        let by_hand = starts.map(|start| start.replace(":04", ":44").replace(":05", ":59"));
        let by_hand: Vec<&str> = by_hand.iter().map(String::as_str).collect();
        assert_eq!(explained(&by_hand), Some(Certainty::Possible));
    }

    #[test]
    fn a_watchdog_that_bites_more_often_is_none_of_the_supply() {
        let power_on = "rst:0x1 (POWERON_RESET),boot:0x17";
        let watchdog = "rst:0x8 (TG1WDT_SYS_RESET),boot:0x17";
        let once = [power_on, power_on, watchdog, power_on];
        assert!(explained(&once).is_some());
        let mostly = [power_on, watchdog, watchdog, power_on, watchdog, power_on];
        assert_eq!(explained(&mostly), None);
    }
}
