//! What stands before a cause: lines of failure that no rule explains, and stages that a log passes over in
//! silence.

use std::cell::OnceCell;
use std::mem;
use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::meant::words;
use crate::rules::{Pattern, rules};
use crate::unnamed::{is_harmless, is_on_way, stage_of};
use crate::{Evidence, Stage};

/// Lines that are kept, the first ones.
const MOST: usize = 16;
/// Lines behind a trouble in which what follows from it at once is told.
const JUST_BEHIND: u64 = 3;

/// Words of failure, of a try that came to nothing, and the level of an error.
pub const FAILS: &str = r"(?i)\bfail(?:ed|ure|s)?\b|NOT_ENOUGH_SPACE|NO_FREE_PAGES|\berrors?\b|\berr\b|\brefus\w*|\breject\w*|\bdenied\b|\babort\w*|\binvalid\b|\bmismatch\w*|\btimed? ?out\b|\bunreachable\b|\bunable\b|\bcannot\b|\bcould ?n.t\b|\bcan.t\b|\bnot (?:found|accepted|allowed|supported|reachable|valid|known|permitted)\b|\bno (?:answer|response|reply|route|such)\b|\bunknown\b|\bfehler\w*|\bfehlgeschlagen\b|\babgelehnt\b|\bfall\S{1,2}\b|\brechazad\w*|\b\S{1,2}chec\b|\bnack\b|\xE5\xA4\xB1\xE8\xB4\xA5|\xE9\x94\x99\xE8\xAF\xAF|\xE8\xB6\x85\xE6\x97\xB6|\xE6\x8B\x92\xE7\xBB\x9D|\b(?-i:E) \(\d|\[E\]|<err>|\blost\b|\bsilence\b|\bsilent\b|\bunanswered\b|\bg(?:ives|ave|iving) up\b|\bno (?:data|carrier|offer|lease|link)\b|\bnobody\b|\bverloren\b|\bkeine? (?:antwort|adresse)\b|\b(?:try|attempt|retry|versuch)\b ?#?[2-9]\b|\(\d of \d\)|\b\d von \d\b";

/// Words of the firmware's own memory and storage.
static BASIC: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)nvs|flash|spiffs|littlefs|fatfs|partition|eeprom|ota|mmc|kv|heap|alloc|mem|brown|voltage|watchdog|wdt|stack|meditation|boot|oom|exception|header|cause",
    )
});

/// Lines of failure of an attempt, and how far it came behind them.
#[derive(Debug, Default)]
pub struct Failures {
    lines: Vec<Failure>,
    /// Of each stage that was passed, the last line that says so.
    passed: [u64; Stage::ALL.len()],
    /// Whether some of the lines may be over since they were looked at.
    may_be_over: bool,
}

#[derive(Debug)]
struct Failure {
    evidence: Evidence,
    /// The rules that look for it.
    rules: Vec<usize>,
    /// The stage that its words name, once it was asked for.
    stage: OnceCell<Option<Stage>>,
}

impl Failure {
    /// The stage that its words name: that a page of the device is not served tells nothing of where.
    fn stage(&self) -> Option<Stage> {
        let of_words = || stage_of(&self.evidence.text).filter(|stage| *stage != Stage::Serving);
        *self.stage.get_or_init(of_words)
    }
}

impl Failures {
    /// Takes a line that has [`FAILS`], in which these expressions were found. What it is about is asked
    /// when it is needed.
    pub fn take(&mut self, line: u64, text: &str, found: &[Pattern]) {
        if self.lines.len() == MOST && mem::take(&mut self.may_be_over) {
            let passed = &self.passed;
            self.lines
                .retain(|failure| !is_over(passed, failure, failure.stage()));
        }
        let proves = |pattern: &Pattern| !rules().proved_by[*pattern].is_empty();
        if self.lines.len() == MOST || found.iter().any(proves) {
            return;
        }
        let said_by = found.iter().flat_map(|pattern| &rules().said_by[*pattern]);
        self.lines.push(Failure {
            evidence: Evidence::of(line, text),
            rules: said_by.map(|(rule, _)| *rule).collect(),
            stage: OnceCell::new(),
        });
    }

    /// The attempt has come past a stage by this line: what failed in it or before it is over. Of a line that
    /// names no stage this is known once the device is online.
    pub fn passed(&mut self, stage: Stage, line: u64) {
        if stage != Stage::Serving {
            self.passed[stage as usize] = line;
            self.may_be_over = true;
        }
    }

    /// Whether the attempt has come past a stage behind this line.
    pub fn is_over(&self, stage: Stage, line: u64) -> bool {
        self.passed[stage as usize..]
            .iter()
            .any(|last| *last > line)
    }

    /// The first line before `line` that is of an earlier stage than `stage` or of an unknown one, and of no
    /// rule that is met, with its stage. One of a known stage goes before the others.
    pub fn unexplained(
        &self,
        (stage, line): (Stage, u64),
        is_met: impl Fn(usize) -> bool,
    ) -> Option<(Option<Stage>, &Evidence)> {
        let before = self.lines.iter().filter(|failure| {
            let is_before = failure.evidence.line < line;
            is_before && !failure.rules.iter().any(|rule| is_met(*rule))
        });
        let unexplained = before.filter_map(|failure| {
            let text = &failure.evidence.text;
            let of = failure.stage();
            let is_unexplained = of.is_none_or(|of| of < stage)
                && !is_over(&self.passed, failure, of)
                && is_on_way(text)
                && !is_harmless(text);
            is_unexplained.then_some((of, &failure.evidence))
        });
        unexplained.min_by_key(|(of, _)| of.is_none())
    }

    /// The first line shortly behind `line` by which something failed that a phone needs, and of no rule
    /// that is met and tells of that.
    pub fn followed(&self, line: u64, is_met: impl Fn(usize) -> bool) -> Option<&Evidence> {
        let is_behind = |failure: &&Failure| {
            (1..=JUST_BEHIND).contains(&(failure.evidence.line.saturating_sub(line)))
        };
        let mut behind = self.lines.iter().filter(is_behind);
        let is_of_phone = |failure: &&Failure| {
            (Some(Stage::Provisioning)..=Some(Stage::Credentials)).contains(&failure.stage())
        };
        let failure = behind.find(|failure| {
            is_of_phone(failure) && !failure.rules.iter().any(|rule| is_met(*rule))
        });
        failure.map(|failure| &failure.evidence)
    }

    /// The first line of a failure of the storage, or of one of the firmware that no rule knows, which the next
    /// attempt begins with.
    pub fn lasting(&self, is_met: impl Fn(usize) -> bool) -> Option<&Evidence> {
        let may_last = self.lines.iter().filter(|failure| {
            // Quicker than to ask for the stage.
            BASIC.is_match(failure.evidence.text.as_bytes())
        });
        let mut lasting = may_last.filter(|failure| {
            let text = &failure.evidence.text;
            let of = failure.stage();
            of.is_some_and(|of| of <= Stage::Storage)
                && !is_over(&self.passed, failure, of)
                && is_on_way(text)
                && !is_harmless(text)
        });
        // What was not saved is missing after a restart, whether a rule knows why or not.
        let failure = lasting.find(|failure| {
            failure.stage() == Some(Stage::Storage)
                || !failure.rules.iter().any(|rule| is_met(*rule))
        });
        failure.map(|failure| &failure.evidence)
    }
}

/// Whether an attempt has come past a stage behind a failure in it.
fn is_over(passed: &[u64], failure: &Failure, stage: Option<Stage>) -> bool {
    // A device goes on without what it could not read or save, and misses it later.
    let from = stage.filter(|stage| *stage != Stage::Storage);
    let from = from.unwrap_or(Stage::Mqtt) as usize;
    passed[from..]
        .iter()
        .any(|line| *line > failure.evidence.line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_known_by_their_words_their_level_or_by_tries() {
        let fails = crate::meant::words(FAILS);
        let lines = [
            "[NAME] #3a11 silence 5000ms (1 of 3)",
            "E (455) keys: slot 3: 71",
            "[cfg] attempt 2",
            "[cfg] no answer",
            "[cfg] read, 3 of 4 slots used",
            "I (455) app: door open",
        ];
        assert_eq!(
            lines.map(|line| fails.is_match(line.as_bytes())),
            [true, true, true, true, false, false]
        );
    }

    #[test]
    fn what_failed_in_a_stage_is_over_once_it_is_passed() {
        let mut failures = Failures::default();
        let is_left = |failures: &Failures| {
            let left = failures.unexplained((Stage::Tls, 9), |_| false);
            left.map(|(_, evidence)| evidence.line)
        };
        failures.take(1, "dhcp: no answer", &[]);
        failures.take(2, "keys: no answer", &[]);
        failures.take(3, "publish: no answer", &[]);
        assert_eq!(is_left(&failures), Some(1));
        failures.passed(Stage::Serving, 4);
        assert_eq!(is_left(&failures), Some(1));
        failures.passed(Stage::Dhcp, 5);
        assert_eq!(is_left(&failures), Some(2));
        failures.passed(Stage::Mqtt, 6);
        assert_eq!(is_left(&failures), None);
    }
}
