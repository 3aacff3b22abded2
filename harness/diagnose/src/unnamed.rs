//! A trouble that no rule knows: the line of failure that a log ends in, or an attempt that nothing follows from.

mod words;

use std::collections::VecDeque;

use regex::bytes::Regex;

use crate::meant::{is_aside, is_remark, without_settings};
use crate::subject::Subject;
use crate::{Cause, Certainty, Evidence, Stage};
use words::{ATTEMPTED, FAILING, GENERAL, HARMLESS, ILL, OF_PHONE, OF_START, STAGES, WORDS};

/// The name of such a cause.
pub const UNNAMED: &str = "unnamed-trouble";
/// Lines at the end of a log that are looked at.
const MOST: usize = 40;
/// Bytes of a line that are kept.
const LONGEST: usize = 240;
/// How often the line has to come.
const TIMES: usize = 3;
/// Lines that may stand behind the last of them.
const BEHIND: usize = 8;

/// Lines at the end of a log, of which one tells a failure that is told once.
const LONE: u64 = 3;
/// How often a line has to come that only tells what is attempted.
const ATTEMPTS: usize = 3;

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

    /// The lines, the last of them first.
    pub fn lines(&self) -> impl Iterator<Item = (u64, &str)> {
        let lines = self.lines.iter().rev();
        lines.map(|(line, text)| (*line, text.as_str()))
    }

    /// The line of failure that a log ends in, with nothing that went well since `well`: one that comes again
    /// and again, or else the most telling one of its end, or an attempt that nothing follows from.
    pub fn trouble(
        &self,
        well: u64,
        is_own: impl Fn(&str) -> bool,
        is_over: impl Fn(Stage, u64) -> bool,
    ) -> Option<Cause> {
        let since = self
            .lines
            .iter()
            .filter(|(line, text)| *line > well && is_own(text));
        let told: Vec<Told<'_>> = since
            .map(|(line, text)| Told::of(*line, text))
            .filter(|told| {
                let stage = told.place.map(|place| WORDS[place].0);
                stage.is_some_and(|stage| !is_over(stage, told.line))
            })
            .collect();
        let last_lines = self.lines.iter().rev().take(BEHIND).next_back()?.0;
        let again = |told: &[&Told<'_>], times: usize| {
            let mut all = told.iter().filter_map(|line| {
                let same = || told.iter().filter(|other| other.bare == line.bare);
                let (count, last) = (same().count(), same().next_back()?.line);
                let place = line.place?;
                // A browser asks for what is not there, and distrusts what it does not know.
                let times = match WORDS[place].0 {
                    Stage::Serving if !OF_START.is_match(line.text.as_bytes()) => times.max(2),
                    _ => times,
                };
                let is_enough = count >= times && last >= last_lines;
                is_enough.then(|| (place, line.evidence(count)))
            });
            // Of lines that come together, one that says what failed rather than that something did.
            let mut best = all.next()?;
            for other in all {
                if best.0 >= GENERAL && other.0 < best.0 && other.0 < GENERAL {
                    best = other;
                }
            }
            Some(best)
        };
        let failing: Vec<&Told<'_>> = told.iter().filter(|line| line.fails).collect();
        let again_and_again = again(&failing, TIMES);
        if let Some((place, evidence)) = &again_and_again
            && *place < GENERAL
        {
            return Some(cause(WORDS[*place].0, AGAIN, evidence.clone()));
        }
        let ill: Vec<&Told<'_>> = told
            .iter()
            .filter(|line| line.fails || line.is_ill)
            .collect();
        let last_line = self.lines.back()?.0;
        let is_last = ill.last().is_some_and(|line| line.line >= last_lines);
        // Of a single line, the log has to end in it.
        let is_enough = match &ill[..] {
            [lone] => self.lines.len() > 1 && lone.line + LONE > last_line,
            _ => is_last,
        };
        if is_enough
            && let Some((place, evidence)) = again(&ill, 1)
            && (place < GENERAL || again_and_again.is_none())
        {
            return Some(cause(WORDS[place].0, ENDS, evidence));
        }
        if let Some((place, evidence)) = again_and_again {
            return Some(cause(WORDS[place].0, AGAIN, evidence));
        }
        // A device may wait for a phone as long as it likes.
        let is_way_on = |line: &Told<'_>| line.place.is_some_and(|place| is_of_way(WORDS[place].0));
        let attempts: Vec<&Told<'_>> = told
            .iter()
            .filter(|line| line.is_attempt && is_way_on(line))
            .collect();
        let (place, evidence) = again(&attempts, ATTEMPTS)?;
        Some(cause(WORDS[place].0, WAITS, evidence))
    }
}

/// What is told of a failure that comes again and again.
const AGAIN: &str =
    "the same failure comes again and again until the log ends; what it means is not known";
/// What is told of one that a log ends in.
const ENDS: &str = "the log ends in a failure; what it means is not known";
/// What is told of an attempt.
const WAITS: &str = "the same attempt comes again and again until the log ends, and nothing tells what follows from it";

/// A line at the end of a log.
struct Told<'t> {
    line: u64,
    text: &'t str,
    bare: String,
    /// The first of [`WORDS`] that it has.
    place: Option<usize>,
    fails: bool,
    is_ill: bool,
    is_attempt: bool,
}

impl<'t> Told<'t> {
    fn of(line: u64, text: &'t str) -> Self {
        let place = place_of(text).filter(|place| may_tell(text, WORDS[*place].0));
        let plain = without_settings(text);
        let has = |words: &Regex| place.is_some() && words.is_match(plain.as_bytes());
        Self {
            line,
            text,
            bare: bare(text),
            place,
            fails: has(&FAILING) && !has(&HARMLESS),
            is_ill: has(&ILL) && !has(&HARMLESS),
            is_attempt: has(&ATTEMPTED),
        }
    }

    fn evidence(&self, count: usize) -> Evidence {
        Evidence {
            line: self.line,
            text: self.text.to_owned(),
            count: count as u64,
        }
    }
}

/// Whether a line can be of this stage, and is none by the way.
fn may_tell(text: &str, stage: Stage) -> bool {
    let subject = Subject::of(text);
    let is_phone_s = OF_PHONE.is_match(text.as_bytes());
    !(is_phone_s && is_of_way(stage))
        && subject != Subject::Peripheral
        && subject.tells_of(stage)
        && !is_aside(text)
        && !is_remark(text)
}

/// Whether a stage is one of a device's own way online, in which no phone has a part.
fn is_of_way(stage: Stage) -> bool {
    (Stage::Join..=Stage::Cloud).contains(&stage)
}

/// Whether a line tells what devices that are well tell as well.
pub fn is_harmless(text: &str) -> bool {
    HARMLESS.is_match(text.as_bytes())
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
    STAGES.found_in(text.as_bytes()).first().copied()
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

fn cause(stage: Stage, what: &str, evidence: Evidence) -> Cause {
    Cause {
        id: UNNAMED.to_owned(),
        stage,
        cause: what.to_owned(),
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
