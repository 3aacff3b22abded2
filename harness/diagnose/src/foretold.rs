//! A library that says that its next step will fail, for something is not set: the cause of a failure without a
//! reason that follows.

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::meant::words;
use crate::unnamed::{UNNAMED, is_on_way, stage_of};
use crate::{Cause, Certainty, Evidence, Stage};

/// The name of such a cause.
const FORETOLD: &str = "foretold-failure";
/// Lines that are kept.
const MOST: usize = 4;

/// Parts of words of which such a line has one.
pub const PARTS: &[&str] = &[
    "will",
    "WILL",
    "Will",
    "going to fail",
    "cannot work",
    "wird",
    "gt fehl",
    "gt so fehl",
    "a fallar",
    "fallar\u{e1}",
    "chouer",
    "\u{5931}\u{8d25}",
];

static WILL_FAIL: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)\bwill\W{1,3}(?:surely |probably |likely |always )?(?:fail|be refused|not (?:work|connect|succeed|start|resolve|verify|publish))\b|\b(?:is|are) going to fail\b|\bcannot work\b|\bwird (?:so )?(?:fehlschlagen|scheitern|nicht (?:gehen|funktionieren))|\bschl\S{1,2}gt (?:so )?fehl\b|\bva a fallar\b|\bfallar\xC3\xA1\b|\bva \xC3\xA9chouer|\xE5\xB0\x86(?:\xE4\xBC\x9A)?\xE5\xA4\xB1\xE8\xB4\xA5",
    )
});
static NOT_SET: LazyLock<Regex> = LazyLock::new(|| {
    words(
        r"(?i)\bno\b|\bnot (?:set|configured|provided|given|loaded|initiali[sz]ed|defined)\b|\bmissing\b|\bwithout\b|\bunset\b|\bempty\b|\bkein\w*\b|\bfehlt\b|\bleer\w*\b|\bsin\b|\bfalta\b|\bvac\S{1,2}o\b|\baucun|\bmanque\b|\xE6\x9C\xAA(?:\xE8\xAE\xBE\xE7\xBD\xAE|\xE9\x85\x8D\xE7\xBD\xAE)",
    )
});

/// A library that speaks of no session but its own.
static OF_TLS: LazyLock<Regex> =
    LazyLock::new(|| words(r"(?i)\b(?:\w*ssl\w*|mbedtls\w*|tls|WiFiClientSecure)\b"));

/// The failures that a log foretells.
#[derive(Debug, Default)]
pub struct Foretold {
    told: Vec<(Stage, Evidence)>,
}

impl Foretold {
    /// Takes a line.
    pub fn take(&mut self, line: u64, text: &str) {
        if self.told.len() == MOST
            || !WILL_FAIL.is_match(text.as_bytes())
            || !NOT_SET.is_match(text.as_bytes())
            || !is_on_way(text)
        {
            return;
        }
        let of_tls = || OF_TLS.is_match(text.as_bytes()).then_some(Stage::Tls);
        if let Some(stage) = of_tls().or_else(|| stage_of(text)) {
            self.told.push((stage, Evidence::of(line, text)));
        }
    }

    /// What explains a failure that tells no reason, by what was foretold and is not over.
    pub fn explain(&self, cause: &Cause, is_over: impl Fn(Stage, u64) -> bool) -> Option<Cause> {
        let first = cause.evidence.first()?;
        let tells_nothing = cause.id == UNNAMED || cause.is_general();
        let mut before = self.told.iter().filter(|(stage, told)| {
            told.line < first.line && !is_over(*stage, told.line) && *stage != Stage::Serving
        });
        let (stage, told) = before.next_back().filter(|_| tells_nothing)?;
        Some(Cause {
            id: FORETOLD.to_owned(),
            stage: *stage,
            cause:
                "the firmware itself says that its next step will fail, for something is not set"
                    .to_owned(),
            whose: "the firmware, or its settings".to_owned(),
            certainty: Certainty::Likely,
            evidence: vec![told.clone(), first.clone()],
            readings: Vec::new(),
            check: vec![
                "set what the line names, before the step that it is for".to_owned(),
                "is it read from a file or a partition that is empty?".to_owned(),
            ],
            ruled_out: Vec::new(),
            would_tell: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage_in(line: &str) -> Option<Stage> {
        let mut foretold = Foretold::default();
        foretold.take(1, line);
        foretold.told.first().map(|(stage, _)| *stage)
    }

    #[test]
    fn what_is_foretold_has_the_stage_of_its_words() {
        for (line, stage) in [
            (
                "W mqtt: no client id is set, CONNECT will fail",
                Stage::Mqtt,
            ),
            (
                "[wifi] ssid not configured, join will not work",
                Stage::Join,
            ),
            ("WARN sntp: no server given, sync will fail", Stage::Clock),
            (
                "[TLS] kein Zertifikat, Handshake wird scheitern",
                Stage::Tls,
            ),
            ("dns: falta servidor, la consulta va a fallar", Stage::Dns),
        ] {
            assert_eq!(stage_in(line), Some(stage), "{line}");
        }
        for line in [
            "I mqtt: no client id is set, one is made",
            "I app: will retry, no answer yet",
            "I wifi: join will fail over to the second ssid",
        ] {
            assert_eq!(stage_in(line), None, "{line}");
        }
    }
}
