//! What was seen of one attempt, and what it tells.

use std::cmp::Reverse;

use crate::diagnosis::{Attempt, Cause, Certainty, Evidence, Milestone, RuledOut};
use crate::rules::{Pattern, Rule, rules};
use crate::{Kind, Stage, decode};

/// Lines within which a problem is told by more than one part of a firmware.
const TOLD_TOGETHER: u64 = 12;
/// Characters of a line that are kept.
const SHOWN: usize = 240;
/// The line of what never came.
const NEVER: u64 = u64::MAX;

/// What an attempt tells.
pub struct Verdict {
    pub attempt: Attempt,
    pub causes: Vec<Cause>,
    pub consequences: Vec<Cause>,
    pub hints: Vec<Cause>,
}

/// What was seen of an attempt.
pub struct Watch {
    pub number: u64,
    pub first_line: u64,
    /// It begins with the device's start.
    pub from_start: bool,
    /// Nothing but a start was seen.
    pub only_start: bool,
    /// Each expression in the attempt.
    seen: Vec<Option<Evidence>>,
    /// Of each rule, its lines since it was last recovered from.
    open: Vec<Vec<Option<Evidence>>>,
    /// Of each milestone.
    proved: Vec<Option<Evidence>>,
}

/// A rule whose lines are complete.
#[derive(Clone, Copy, PartialEq)]
struct Hit {
    /// Where they became complete.
    line: u64,
    index: usize,
}

impl Hit {
    fn rule(self) -> &'static Rule {
        &rules().rules[self.index]
    }

    /// Whether it says no more than that something is wrong.
    fn is_weak(self) -> bool {
        let text = &self.rule().text;
        text.general && text.sure == Certainty::Possible
    }
}

impl Watch {
    /// An attempt that begins at this line.
    pub fn new(number: u64, first_line: u64, from_start: bool) -> Self {
        let rules = rules();
        Self {
            number,
            first_line,
            from_start,
            only_start: true,
            seen: vec![None; rules.patterns],
            open: rules
                .rules
                .iter()
                .map(|rule| vec![None; rule.says.len()])
                .collect(),
            proved: vec![None; rules.marks.len()],
        }
    }

    /// Takes a line in which `pattern` was found.
    pub fn meet(&mut self, pattern: Pattern, line: u64, text: &str) {
        count(&mut self.seen[pattern], line, text);
        for (rule, place) in &rules().said_by[pattern] {
            count(&mut self.open[*rule][*place], line, text);
        }
    }

    /// Takes a line that proves a milestone.
    pub fn prove(&mut self, mark: usize, line: u64, text: &str) {
        count(&mut self.proved[mark], line, text);
    }

    /// Ends what was open of this stage and of those before it, and returns the rules that were complete.
    pub fn recover(&mut self, stage: Stage, kind: Option<Kind>) -> Vec<(usize, Evidence)> {
        let mut over = Vec::new();
        for (index, rule) in rules().rules.iter().enumerate() {
            let is_open = self.open[index].iter().any(Option::is_some);
            if !is_open || rule.stage > stage || rule.text.lasting {
                continue;
            }
            if self.hit(index, kind).is_some()
                && let Some(Some(evidence)) = self.open[index].first().cloned()
            {
                over.push((index, evidence));
            }
            self.open[index].fill(None);
        }
        over
    }

    /// A rule whose lines are complete, if they are.
    fn hit(&self, index: usize, kind: Option<Kind>) -> Option<Hit> {
        let rule = &rules().rules[index];
        let has = |pattern: &Pattern| self.seen[*pattern].is_some();
        let fits = (rule.text.anywhere || is_of(rule.text.log, kind))
            && rule.after.iter().all(has)
            && !rule.unless.iter().any(has);
        if !fits || (rule.says.is_empty() && (rule.after.is_empty() || self.is_past(rule.stage))) {
            return None;
        }
        let lines = self.open[index]
            .iter()
            .map(|seen| Some(seen.as_ref()?.line));
        let lines: Option<Vec<u64>> = lines.collect();
        let line = lines?.into_iter().max().unwrap_or(NEVER);
        Some(Hit { line, index })
    }

    /// Whether a stage behind this one was passed, so that nothing can be missing in this one.
    fn is_past(&self, stage: Stage) -> bool {
        let marks = rules().marks.iter().zip(&self.proved);
        marks
            .filter(|(mark, _)| mark.passed && mark.stage > stage)
            .any(|(_, proved)| proved.is_some())
    }

    /// What the attempt proves, its causes, and what followed from them.
    pub fn judge(&self, kind: Option<Kind>) -> Verdict {
        let mut hits: Vec<Hit> = (0..rules().rules.len())
            .filter_map(|index| self.hit(index, kind))
            .collect();
        // Of absences, the first stage's counts.
        hits.sort_by_key(|hit| (hit.line, hit.index));
        let (hints, hits): (Vec<Hit>, Vec<Hit>) =
            hits.into_iter().partition(|hit| hit.rule().text.hint);
        let (causes, consequences) = rank(hits);
        let told = |hits: Vec<Hit>| hits.into_iter().map(|hit| self.cause(hit.index)).collect();
        Verdict {
            attempt: self.attempt(),
            causes: told(causes),
            consequences: told(consequences),
            hints: told(hints),
        }
    }

    fn attempt(&self) -> Attempt {
        let marks = rules().marks.iter().zip(&self.proved);
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
            number: self.number,
            first_line: self.first_line,
            reached: proved.last().map(|milestone| milestone.stage),
            proved,
        }
    }

    fn cause(&self, index: usize) -> Cause {
        let rules = rules();
        let rule = &rules.rules[index];
        let mut evidence: Vec<Evidence> = self.open[index].iter().flatten().cloned().collect();
        let after = rule
            .after
            .iter()
            .filter_map(|pattern| self.seen[*pattern].clone());
        evidence.extend(after.take(2));
        evidence.sort_by_key(|evidence| evidence.line);
        evidence.dedup_by_key(|evidence| evidence.line);
        let text = &rule.text;
        let (mut ruled_out, mut would_tell) = (Vec::new(), Vec::new());
        for (other, pattern) in text.or.iter().zip(&rule.or) {
            match pattern.and_then(|pattern| self.seen[pattern].clone()) {
                Some(by) => ruled_out.push(RuledOut {
                    cause: other.cause.clone(),
                    by,
                }),
                None => would_tell.push(format!("{}: {}", other.cause, other.tell)),
            }
        }
        let mut cause = told(rule, evidence);
        // What is missing may have been said before the log began.
        if rule.says.is_empty() && !self.from_start {
            cause.certainty = Certainty::Possible;
        }
        cause.ruled_out = ruled_out;
        cause.would_tell = would_tell;
        cause
    }
}

/// The cause that a rule names, told by these lines.
pub fn told(rule: &Rule, evidence: Vec<Evidence>) -> Cause {
    let mut readings = Vec::new();
    for line in &evidence {
        for reading in decode(&line.text) {
            if !readings.contains(&reading) {
                readings.push(reading);
            }
        }
    }
    let text = &rule.text;
    Cause {
        id: text.id.clone(),
        stage: rule.stage,
        cause: text.cause.clone(),
        whose: text.whose.clone(),
        certainty: text.sure,
        evidence,
        readings,
        check: text.check.clone(),
        ruled_out: Vec::new(),
        would_tell: Vec::new(),
    }
}

/// Parts what was hit, in the order of the lines, into causes and what followed from them. The first cause
/// is the most telling one of those that were told together at the first trouble.
fn rank(hits: Vec<Hit>) -> (Vec<Hit>, Vec<Hit>) {
    // What says only that something is wrong leaves the place to what says later what it is.
    let Some(first) = hits
        .iter()
        .find(|hit| !hit.is_weak() && hit.line != NEVER)
        .or(hits.first())
        .copied()
    else {
        return (Vec::new(), Vec::new());
    };
    let is_told_with_it = |hit: &Hit| {
        let is_silent = first.line == NEVER || hit.line == NEVER;
        let is_near = hit.line.abs_diff(first.line) <= TOLD_TOGETHER;
        let is_same = hit.rule().stage == first.rule().stage;
        *hit == first || (!is_silent && (is_near || is_same))
    };
    let (mut together, rest): (Vec<Hit>, Vec<Hit>) = hits.into_iter().partition(is_told_with_it);
    // What tells more goes before what tells less, and after that the earlier stage and line.
    together.sort_by_key(|hit| {
        let rule = hit.rule();
        let text = &rule.text;
        (
            !text.explains,
            text.general,
            hit.is_weak(),
            rule.stage,
            Reverse(text.sure),
            hit.line,
        )
    });
    let stage = together.first().map(|hit| hit.rule().stage);
    let (mut causes, mut consequences) = (Vec::new(), Vec::new());
    for hit in together {
        let rule = hit.rule();
        let is_another = Some(rule.stage) == stage && !rule.text.general;
        if causes.is_empty() || is_another {
            causes.push(hit);
        } else {
            consequences.push(hit);
        }
    }
    consequences.extend(rest);
    (causes, consequences)
}

/// Whether what is of `wanted` counts in a log of `kind`. A log of which nothing is known is a device's.
pub fn is_of(wanted: Option<Kind>, kind: Option<Kind>) -> bool {
    wanted.unwrap_or(Kind::Device) == kind.unwrap_or(Kind::Device)
}

/// Counts a line, of which the first is kept.
fn count(place: &mut Option<Evidence>, line: u64, text: &str) {
    match place {
        Some(seen) => seen.count += 1,
        None => {
            *place = Some(Evidence {
                line,
                text: text.chars().take(SHOWN).collect(),
                count: 1,
            });
        }
    }
}
