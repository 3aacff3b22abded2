//! One log, read line by line.

use std::mem;

use dialect::{Row, Text};

use crate::diagnosis::{Attempt, Cause, Certainty, Diagnosis, Evidence, Milestone, Past, RuledOut};
use crate::rules::{Mark, Pattern, Rule, rules};
use crate::{Kind, Stage, decode};

/// Bytes of a line that are looked at.
const LONGEST_LINE: usize = 8 * 1024;
/// Characters of a line that are kept.
const SHOWN: usize = 240;
/// Past problems that are kept, of the first and of the last attempts.
const MOST_PAST: usize = 64;
/// Lines within which a problem is told by more than one part of a firmware.
const TOLD_TOGETHER: u64 = 12;
/// Percent of bytes that are no text, above which a log is garbled.
const GARBLED: u64 = 15;
/// Bytes without which that says nothing.
const ENOUGH: u64 = 64;

/// Reads a log; what it keeps does not grow with the log's length.
pub struct Log {
    name: String,
    kind: Option<Kind>,
    lines: u64,
    bytes: u64,
    garbage: u64,
    attempts: u64,
    current: Watch,
    /// The last attempt before this one that had a cause.
    failed: Option<(Attempt, Vec<Cause>, Vec<Cause>)>,
    history: Vec<Past>,
    left_out: u64,
}

/// What was seen of an attempt.
struct Watch {
    number: u64,
    first_line: u64,
    /// It begins with the device's start.
    from_start: bool,
    /// Nothing but a start was seen.
    only_start: bool,
    /// Each expression in the attempt.
    seen: Vec<Option<Evidence>>,
    /// Of each rule, its lines since it was last recovered from.
    open: Vec<Vec<Option<Evidence>>>,
    /// Of each milestone.
    proved: Vec<Option<Evidence>>,
}

impl Watch {
    fn new(number: u64, first_line: u64, from_start: bool) -> Self {
        let rules = rules();
        Self {
            number,
            first_line,
            from_start,
            only_start: true,
            seen: vec![None; rules.patterns.len()],
            open: rules
                .rules
                .iter()
                .map(|rule| vec![None; rule.says.len()])
                .collect(),
            proved: vec![None; rules.marks.len()],
        }
    }

    fn has(&self, pattern: Pattern) -> bool {
        self.seen[pattern].is_some()
    }
}

impl Log {
    /// A log of this name, still empty.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: None,
            lines: 0,
            bytes: 0,
            garbage: 0,
            attempts: 1,
            current: Watch::new(1, 1, false),
            failed: None,
            history: Vec::new(),
            left_out: 0,
        }
    }

    /// The next line, without its end.
    pub fn line(&mut self, line: &[u8]) {
        self.lines += 1;
        let line = &line[..line.len().min(LONGEST_LINE)];
        let text = Text::of(line);
        self.bytes += line.len() as u64;
        self.garbage += text.garbage as u64;
        let clean = text.clean();
        if clean.trim().is_empty() {
            return;
        }
        let rules = rules();
        let matches = rules.set.matches(clean);
        let is_rom = matches!(dialect::row(clean), Some(Row::Rom));
        if matches.matched_any() {
            let found: Vec<Pattern> = matches.iter().collect();
            self.meet(&found, clean);
        }
        if !is_rom && !self.begins(&matches.iter().collect::<Vec<_>>()) {
            self.current.only_start = false;
        }
    }

    fn begins(&self, found: &[Pattern]) -> bool {
        let mut marks = rules().marks.iter();
        marks.any(|mark| mark.begins && self.is_of(mark.log) && found.contains(&mark.says))
    }

    /// Whether what is of `kind` counts here. A log of which nothing is known is a device's.
    fn is_of(&self, kind: Option<Kind>) -> bool {
        kind.unwrap_or(Kind::Device) == self.kind.unwrap_or(Kind::Device)
    }

    fn meet(&mut self, found: &[Pattern], text: &str) {
        let rules = rules();
        for mark in &rules.marks {
            if self.kind.is_none() && mark.log.is_some() && found.contains(&mark.says) {
                self.kind = mark.log;
            }
        }
        if self.begins(found) && !self.current.only_start {
            self.attempts += 1;
            let next = Watch::new(self.attempts, self.lines, true);
            let ended = mem::replace(&mut self.current, next);
            self.end_attempt(ended);
        } else if self.begins(found) {
            self.current.from_start = true;
        }
        let evidence = Evidence {
            line: self.lines,
            text: text.chars().take(SHOWN).collect(),
            count: 1,
        };
        for pattern in found {
            count(&mut self.current.seen[*pattern], &evidence);
        }
        for (rule, open) in rules.rules.iter().zip(&mut self.current.open) {
            for (pattern, place) in rule.says.iter().zip(open) {
                if found.contains(pattern) {
                    count(place, &evidence);
                }
            }
        }
        for (index, mark) in rules.marks.iter().enumerate() {
            if found.contains(&mark.says) && self.is_of(mark.log) {
                count(&mut self.current.proved[index], &evidence);
                if mark.passed {
                    self.recover(mark);
                }
            }
        }
    }

    /// What is of this stage, or of one before, is over.
    fn recover(&mut self, mark: &Mark) {
        let rules = rules();
        for (index, rule) in rules.rules.iter().enumerate() {
            if rule.stage > mark.stage || rule.text.lasting || rule.says.is_empty() {
                continue;
            }
            if self.hit(&self.current, index).is_some()
                && let Some(Some(evidence)) = self.current.open[index].first().cloned()
            {
                let number = self.current.number;
                self.remember(past(rule, number, evidence, true));
            }
            self.current.open[index].fill(None);
        }
    }

    fn remember(&mut self, past: Past) {
        let is_known = |known: &&mut Past| known.id == past.id && known.recovered == past.recovered;
        if let Some(known) = self.history.iter_mut().find(is_known) {
            known.evidence.count += past.evidence.count;
        } else if self.history.len() < MOST_PAST {
            self.history.push(past);
        } else {
            self.left_out += 1;
        }
    }

    /// The line at which a rule's lines are complete, if they are.
    fn hit(&self, watch: &Watch, index: usize) -> Option<u64> {
        let rule = &rules().rules[index];
        let fits = self.is_of(rule.text.log)
            && rule.after.iter().all(|pattern| watch.has(*pattern))
            && !rule.unless.iter().any(|pattern| watch.has(*pattern));
        if !fits || (rule.says.is_empty() && rule.after.is_empty()) {
            return None;
        }
        let lines = watch.open[index]
            .iter()
            .map(|seen| Some(seen.as_ref()?.line));
        let lines: Option<Vec<u64>> = lines.collect();
        lines.map(|lines| lines.into_iter().max().unwrap_or(u64::MAX))
    }

    fn end_attempt(&mut self, watch: Watch) {
        let (attempt, causes, consequences) = self.judge(&watch);
        if let Some(first) = causes.first() {
            if let Some(evidence) = first.evidence.first() {
                self.remember(Past {
                    attempt: watch.number,
                    id: first.id.clone(),
                    stage: first.stage,
                    cause: first.cause.clone(),
                    evidence: evidence.clone(),
                    recovered: false,
                });
            }
            self.failed = Some((attempt, causes, consequences));
        }
    }

    /// What an attempt proves, its causes, and what followed from them.
    fn judge(&self, watch: &Watch) -> (Attempt, Vec<Cause>, Vec<Cause>) {
        let rules = rules();
        let attempt = self.attempt(watch);
        let mut hits: Vec<(u64, usize)> = (0..rules.rules.len())
            .filter_map(|index| Some((self.hit(watch, index)?, index)))
            .collect();
        // Of absences, the first stage's counts.
        hits.sort_by_key(|(line, index)| (*line, *index));
        let rule = |hit: &(u64, usize)| &rules.rules[hit.1];
        let Some(&first) = hits.first() else {
            return (attempt, Vec::new(), Vec::new());
        };
        let is_told_with_it = |hit: &(u64, usize)| {
            let silent = first.0 == u64::MAX;
            let same = rule(hit).stage == rule(&first).stage && hit.0 != u64::MAX;
            let near = hit.0 != u64::MAX && hit.0 - first.0.min(hit.0) <= TOLD_TOGETHER;
            *hit == first || (!silent && (near || same))
        };
        let (mut causes, rest): (Vec<_>, Vec<_>) = hits.into_iter().partition(is_told_with_it);
        // What tells more goes before what tells less, and after that the earlier stage and line.
        causes.sort_by_key(|hit| {
            let rule = rule(hit);
            let text = &rule.text;
            (
                text.general,
                rule.stage,
                std::cmp::Reverse(text.sure),
                hit.0,
            )
        });
        let mut causes: Vec<Cause> = causes.iter().map(|hit| self.cause(watch, hit.1)).collect();
        let first_stage = causes.first().map(|cause| cause.stage);
        let is_general = |cause: &Cause| {
            rules
                .rules
                .iter()
                .any(|rule| rule.text.id == cause.id && rule.text.general)
        };
        let mut consequences = Vec::new();
        let all = mem::take(&mut causes);
        for (place, cause) in all.into_iter().enumerate() {
            let is_another = Some(cause.stage) == first_stage && !is_general(&cause);
            match place == 0 || is_another {
                true => causes.push(cause),
                false => consequences.push(cause),
            }
        }
        consequences.extend(rest.iter().map(|hit| self.cause(watch, hit.1)));
        (attempt, causes, consequences)
    }

    fn attempt(&self, watch: &Watch) -> Attempt {
        let marks = rules().marks.iter().zip(&watch.proved);
        let mut proved: Vec<Milestone> = marks
            .filter_map(|(mark, evidence)| {
                Some(Milestone {
                    stage: mark.stage,
                    what: mark.proves.clone(),
                    evidence: evidence.clone()?,
                })
            })
            .collect();
        proved.sort_by_key(|milestone| (milestone.stage, milestone.evidence.line));
        Attempt {
            number: watch.number,
            first_line: watch.first_line,
            reached: proved.last().map(|milestone| milestone.stage),
            proved,
        }
    }

    fn cause(&self, watch: &Watch, index: usize) -> Cause {
        let rules = rules();
        let rule = &rules.rules[index];
        let mut evidence: Vec<Evidence> = watch.open[index].iter().flatten().cloned().collect();
        let after = rule
            .after
            .iter()
            .filter_map(|pattern| watch.seen[*pattern].clone());
        evidence.extend(after.take(2));
        evidence.sort_by_key(|evidence| evidence.line);
        evidence.dedup_by_key(|evidence| evidence.line);
        let mut readings = Vec::new();
        for line in &evidence {
            for reading in decode(&line.text) {
                if !readings.contains(&reading) {
                    readings.push(reading);
                }
            }
        }
        let text = &rule.text;
        let (mut ruled_out, mut would_tell) = (Vec::new(), Vec::new());
        for (other, pattern) in text.or.iter().zip(&rule.or) {
            match pattern.and_then(|pattern| watch.seen[pattern].clone()) {
                Some(by) => ruled_out.push(RuledOut {
                    cause: other.cause.clone(),
                    by,
                }),
                None => would_tell.push(format!("{}: {}", other.cause, other.tell)),
            }
        }
        // What is missing may have been said before the log began.
        let is_missed = rule.says.is_empty() && !watch.from_start;
        Cause {
            id: text.id.clone(),
            stage: rule.stage,
            cause: text.cause.clone(),
            whose: text.whose.clone(),
            certainty: if is_missed {
                Certainty::Possible
            } else {
                text.sure
            },
            evidence,
            readings,
            check: text.check.clone(),
            ruled_out,
            would_tell,
        }
    }

    /// What the log tells.
    pub fn end(mut self) -> Diagnosis {
        let watch = mem::replace(&mut self.current, Watch::new(0, 0, false));
        let (mut last, mut causes, mut consequences) = self.judge(&watch);
        let mut notes = Vec::new();
        if let Some((attempt, earlier, followed)) = self.failed.take()
            && causes.is_empty()
            && attempt.reached >= last.reached
        {
            notes.push(format!(
                "the cause is of attempt {}: attempt {}, which follows, shows nothing wrong as far as the log goes",
                attempt.number, last.number
            ));
            (last, causes, consequences) = (attempt, earlier, followed);
        }
        let is_garbled = self.bytes >= ENOUGH && self.garbage * 100 / self.bytes >= GARBLED;
        if is_garbled {
            let percent = self.garbage * 100 / self.bytes;
            notes.push(format!("{percent} % of the log's bytes are no text"));
            if causes.is_empty() {
                causes.push(garbled());
            }
        }
        if causes.is_empty() && last.reached.is_none() {
            notes.push(match self.lines {
                0 => "the log is empty".to_owned(),
                _ => "no line of the log tells how far the device came".to_owned(),
            });
        } else if !watch.from_start && self.attempts == 1 && self.is_of(None) {
            notes.push(
                "the log does not begin with the device's start: what is missing may have been said before"
                    .to_owned(),
            );
        }
        if self.left_out > 0 {
            notes.push(format!(
                "{} more problems of the past are left out",
                self.left_out
            ));
        }
        Diagnosis {
            log: self.name,
            kind: self.kind,
            lines: self.lines,
            last,
            causes,
            consequences,
            history: self.history,
            notes,
        }
    }
}

fn count(place: &mut Option<Evidence>, evidence: &Evidence) {
    match place {
        Some(seen) => seen.count += 1,
        None => *place = Some(evidence.clone()),
    }
}

fn past(rule: &Rule, attempt: u64, evidence: Evidence, recovered: bool) -> Past {
    Past {
        attempt,
        id: rule.text.id.clone(),
        stage: rule.stage,
        cause: rule.text.cause.clone(),
        evidence,
        recovered,
    }
}

/// A log that is mostly no text.
fn garbled() -> Cause {
    Cause {
        id: "log-garbled".to_owned(),
        stage: Stage::Power,
        cause: "the serial output is garbled: another baud rate than the port was read with, or noise on the line"
            .to_owned(),
        whose: "the reader of the log".to_owned(),
        certainty: Certainty::Likely,
        evidence: Vec::new(),
        readings: Vec::new(),
        check: vec![
            "read the port at the baud rate of the firmware: 115200 for most, 74880 for an ESP8266's ROM".to_owned(),
            "on an ESP8266, flash all images at their addresses: without one of them it prints rubbish".to_owned(),
        ],
        ruled_out: Vec::new(),
        would_tell: vec!["noise: it stays garbled at every baud rate".to_owned()],
    }
}
