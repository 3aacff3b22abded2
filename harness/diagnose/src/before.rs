//! What stands before a cause: lines of failure that no rule explains, and stages that a log passes over in
//! silence.

use crate::rules::{Pattern, rules};
use crate::unnamed::{is_on_way, stage_of};
use crate::{Evidence, Stage};

/// Lines that are kept, the first ones.
const MOST: usize = 12;
/// Bytes of a line that are looked at.
const LONGEST: usize = 240;

/// Words of failure, of a try that came to nothing, and the level of an error.
pub const FAILS: &str = r"(?i)\bfail(?:ed|ure|s)?\b|\berrors?\b|\berr\b|\brefus\w*|\breject\w*|\bdenied\b|\babort\w*|\binvalid\b|\bmismatch\w*|\btimed? ?out\b|\bunreachable\b|\bunable\b|\bcannot\b|\bcould ?n.t\b|\bcan.t\b|\bnot (?:found|accepted|allowed|supported|reachable|valid|known|permitted)\b|\bno (?:answer|response|reply|route|such)\b|\bunknown\b|\bfehler\w*|\bfehlgeschlagen\b|\babgelehnt\b|\bfall\S{1,2}\b|\brechazad\w*|\b\S{1,2}chec\b|\bnack\b|\xE5\xA4\xB1\xE8\xB4\xA5|\xE9\x94\x99\xE8\xAF\xAF|\xE8\xB6\x85\xE6\x97\xB6|\xE6\x8B\x92\xE7\xBB\x9D|\b(?-i:E) \(\d|\[E\]|<err>|\blost\b|\bsilence\b|\bsilent\b|\bunanswered\b|\bg(?:ives|ave|iving) up\b|\bno (?:data|carrier|offer|lease|link)\b|\bnobody\b|\bverloren\b|\bkeine? (?:antwort|adresse)\b|\b(?:try|attempt|retry|versuch)\b ?#?[2-9]\b|\(\d of \d\)|\b\d von \d\b";

/// Lines of failure since the attempt last came further.
#[derive(Debug, Default)]
pub struct Failures {
    lines: Vec<Failure>,
}

#[derive(Debug)]
struct Failure {
    evidence: Evidence,
    /// The stage that its words name.
    stage: Option<Stage>,
    /// The rules that look for it.
    rules: Vec<usize>,
}

impl Failures {
    /// Takes a line that has [`FAILS`], in which these expressions were found.
    pub fn take(&mut self, line: u64, text: &str, found: &[Pattern]) {
        if self.lines.len() == MOST {
            return;
        }
        let text = &text[..text.floor_char_boundary(LONGEST)];
        let proves = |pattern: &Pattern| !rules().proved_by[*pattern].is_empty();
        if found.iter().any(proves) || !is_on_way(text) {
            return;
        }
        let said_by = found.iter().flat_map(|pattern| &rules().said_by[*pattern]);
        let rules: Vec<usize> = said_by.map(|(rule, _)| *rule).collect();
        self.lines.push(Failure {
            evidence: Evidence::of(line, text),
            // That a page of the device is not served tells nothing of where.
            stage: stage_of(text).filter(|stage| *stage != Stage::Serving),
            rules,
        });
    }

    /// The attempt has come past a stage: what failed in it or before it is over. Of a line that names no
    /// stage this is known once the device is online.
    pub fn passed(&mut self, stage: Stage) {
        let is_over = |failure: &Failure| match failure.stage {
            Some(of) => of <= stage,
            None => stage >= Stage::Mqtt,
        };
        if stage != Stage::Serving {
            self.lines.retain(|failure| !is_over(failure));
        }
    }

    /// The first line before `line` that is of an earlier stage than `stage` or of an unknown one, and of no
    /// rule that is met, with its stage. One of a known stage goes before the others.
    pub fn unexplained(
        &self,
        (stage, line): (Stage, u64),
        is_met: impl Fn(usize) -> bool,
    ) -> Option<(Option<Stage>, &Evidence)> {
        let unexplained = self.lines.iter().filter(|failure| {
            failure.evidence.line < line
                && failure.stage.is_none_or(|of| of < stage)
                && !failure.rules.iter().any(|rule| is_met(*rule))
        });
        let first = unexplained.min_by_key(|failure| failure.stage.is_none());
        first.map(|failure| (failure.stage, &failure.evidence))
    }
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
        let lines = [
            "dhcp: no answer",
            "keys: no answer",
            "tls: bad certificate, error 7",
        ];
        let left = |stages: &[Stage]| {
            let mut failures = Failures::default();
            for (line, text) in (1..).zip(lines) {
                failures.take(line, text, &[]);
            }
            stages.iter().for_each(|stage| failures.passed(*stage));
            failures.lines.len()
        };
        assert_eq!(left(&[]), 3);
        assert_eq!(left(&[Stage::Serving]), 3);
        assert_eq!(left(&[Stage::Dhcp]), 2);
        assert_eq!(left(&[Stage::Mqtt]), 0);
    }
}
