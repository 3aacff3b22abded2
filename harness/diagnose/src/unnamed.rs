//! A trouble that no rule knows: the same line of failure again and again at the end of a log.

use std::collections::VecDeque;
use std::sync::LazyLock;

use regex::bytes::{Regex, RegexSet, RegexSetBuilder};

use crate::before::FAILS;
use crate::meant::{is_aside, is_remark, words};
use crate::subject::Subject;
use crate::{Cause, Certainty, Evidence, Stage};

/// The name of such a cause.
const UNNAMED: &str = "unnamed-trouble";
/// Lines at the end of a log that are looked at.
const MOST: usize = 40;
/// Bytes of a line that are kept.
const LONGEST: usize = 240;
/// How often the line has to come.
const TIMES: usize = 3;
/// Lines that may stand behind the last of them.
const BEHIND: usize = 8;

/// Words of failure.
static FAILING: LazyLock<Regex> = LazyLock::new(|| words(FAILS));

/// The words of stages; of those that are found, the first counts.
const WORDS: [(Stage, &str); 16] = [
    (
        Stage::Power,
        r"(?i)\b(?:heap|malloc|alloc\w*|memory|no mem|brown-?out|undervoltage|watchdog|wdt)\b|7f00\b|-32512\b",
    ),
    (
        Stage::Clock,
        r"(?i)\b(?:s?ntp|clock|rtc|time ?sync\w*|time ?server|not yet valid|starts in the future)\b",
    ),
    (
        Stage::Dns,
        r"(?i)\b(?:dns|resolv\w*|resolution|look ?up|getaddrinfo|host ?names?|gaierror|name or service)\b",
    ),
    (Stage::Dhcp, r"(?i)\b(?:dhcp\w*|lease|no (?:ip|address))\b"),
    (
        Stage::Session,
        r"(?i)\b(?:pop|proof of possession|srp6?a?|security[012]|sec[012]|session set-?up|pase)\b",
    ),
    (
        Stage::Bind,
        r"(?i)\b(?:bind(?:ing)?|claim(?:ing)?|user.?mapping|user.?node|bindkey)\b",
    ),
    (
        Stage::Tcp,
        r"(?i)connection refused|unreachable|no route|delayed connect|select\(\)|ETIMEDOUT|connect(?:ion)? time|errno 1(?:04|1[013])\b|\bECONN",
    ),
    (
        Stage::Mqtt,
        r"(?i)connack|\brc ?[=:] ?(?:[1-5]|13[4-7])\b|not authori[sz]ed|client ?id|client identifier",
    ),
    (
        Stage::Tls,
        r"(?i)\b(?:handshake|cert\w*|x\.?509|ssl|bearssl|bssl|wolfssl|trust ?anchor|verif\w*|ca)\b",
    ),
    (
        Stage::Cloud,
        r"(?i)\b(?:thing ?model|property|telemetry|shadow|dps|iot ?hub|puback|suback|publish|cloud|http|40[134])\b",
    ),
    (
        Stage::Storage,
        r"(?i)\b(?:nvs\w*|littlefs|spiffs|fatfs|flash|partition\w*|eeprom|ota\w*|e?mmc\w*|kv)\b",
    ),
    (
        Stage::Join,
        r"(?i)\b(?:wi-?fi\w*|wlan\d?|ssid|assoc\w*|access point|wpa\w*|4-?way|auth expire\w*)\b",
    ),
    (
        Stage::Serving,
        r"(?i)\b(?:httpd\w*|web ?server|web ?socket)\b",
    ),
    (Stage::Mqtt, r"(?i)\b(?:mqtt\w*|broker)\b"),
    (Stage::Tls, r"(?i)\b(?:tls|mbedtls\w*)\b"),
    (
        Stage::Tcp,
        r"(?i)\b(?:tcp|socket|connect(?:ion|ing)?|port)\b",
    ),
];

/// Where in them those begin that name a part of the firmware, and not what failed.
const GENERAL: usize = 11;

static STAGES: LazyLock<RegexSet> = LazyLock::new(|| {
    #[expect(
        clippy::expect_used,
        reason = "the expressions are part of the program"
    )]
    RegexSetBuilder::new(WORDS.map(|(_, words)| words))
        .unicode(false)
        .build()
        .expect("the expressions are sound")
});

/// The last lines of a log.
#[derive(Debug, Default)]
pub struct Tail {
    lines: VecDeque<(u64, String)>,
}

impl Tail {
    /// Takes a line.
    pub fn take(&mut self, line: u64, text: &str) {
        let mut kept = match self.lines.len() {
            MOST => self.lines.pop_front().unwrap_or_default().1,
            _ => String::new(),
        };
        kept.clear();
        kept.push_str(&text[..text.floor_char_boundary(LONGEST)]);
        self.lines.push_back((line, kept));
    }

    /// The line of failure that comes again and again at the end, with nothing that went well since `well`.
    pub fn trouble(&self, well: u64) -> Option<Cause> {
        let since = self.lines.iter().filter(|(line, _)| *line > well);
        let failing: Vec<(u64, &str, String)> = since
            .filter(|(_, text)| is_failing(text))
            .map(|(line, text)| (*line, text.as_str(), bare(text)))
            .collect();
        let last_lines = self.lines.iter().rev().take(BEHIND).next_back()?.0;
        let again = failing.iter().filter_map(|(line, text, words)| {
            let mut same = failing.iter().filter(|(_, _, other)| other == words);
            let (times, last) = (same.clone().count(), same.next_back()?.0);
            if times < TIMES || last < last_lines {
                return None;
            }
            let place = place_of(text)?;
            let evidence = Evidence {
                line: *line,
                text: (*text).to_owned(),
                count: times as u64,
            };
            Some((place, evidence))
        });
        // Of lines that come together, one that says what failed rather than that something did.
        let (place, evidence) = again.min_by_key(|(place, _)| *place >= GENERAL)?;
        Some(cause(WORDS[place].0, evidence))
    }
}

/// Whether a line tells a failure on the way online, and is none by the way.
fn is_failing(text: &str) -> bool {
    FAILING.is_match(text.as_bytes()) && is_on_way(text)
}

/// Whether a line can be on the way online, and is none by the way.
pub fn is_on_way(text: &str) -> bool {
    Subject::of(text) == Subject::Any && !is_aside(text) && !is_remark(text)
}

/// The stage that the words of a line name, if they name one.
pub fn stage_of(text: &str) -> Option<Stage> {
    place_of(text).map(|place| WORDS[place].0)
}

/// The first of [`WORDS`] that a line has.
fn place_of(text: &str) -> Option<usize> {
    STAGES.matches(text.as_bytes()).iter().next()
}

/// A line without its figures, by which two of them differ.
fn bare(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    for letter in text.chars().filter(|letter| !letter.is_ascii_digit()) {
        let is_again = letter.is_ascii_punctuation() || letter == ' ';
        if !(is_again && bare.ends_with(letter)) {
            bare.push(letter);
        }
    }
    bare
}

fn cause(stage: Stage, evidence: Evidence) -> Cause {
    Cause {
        id: UNNAMED.to_owned(),
        stage,
        cause: "the same failure comes again and again until the log ends; what it means is not known"
            .to_owned(),
        whose: "the firmware, or what it talks to".to_owned(),
        certainty: Certainty::Possible,
        evidence: vec![evidence],
        readings: Vec::new(),
        check: vec![
            "look for the line in the firmware's or its library's source: what was attempted there?".to_owned(),
            "what stands directly before the first of these lines?".to_owned(),
        ],
        ruled_out: Vec::new(),
        would_tell: Vec::new(),
    }
}
