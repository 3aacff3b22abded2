//! What was seen of one attempt, and what it tells.

mod doubts;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use crate::before::Failures;
use crate::diagnosis::{Attempt, Cause, Evidence, Milestone};
use crate::peers;
use crate::ranking::{Hit, NEVER};
use crate::rules::{Mark, Pattern, Rule, rules};
use crate::subject::Subject;
use crate::waiting::Moment;
use crate::{Kind, Stage, decode};

/// What an attempt tells.
pub struct Verdict {
    pub attempt: Attempt,
    pub causes: Vec<Cause>,
    pub consequences: Vec<Cause>,
    pub hints: Vec<Cause>,
    /// No line says that anything is wrong: causes are of what never came.
    pub is_silent: bool,
}

/// What was seen of an attempt.
pub struct Watch {
    pub number: u64,
    pub first_line: u64,
    /// It begins with the device's start.
    pub from_start: bool,
    /// Nothing but a start was seen.
    pub only_start: bool,
    /// The device runs a broker of its own, whose lines stand beside its own.
    pub has_broker: bool,
    /// In such a journal, whether the line at hand is the broker's.
    pub is_by_broker: Option<bool>,
    /// Each expression in the attempt.
    seen: Vec<Option<Evidence>>,
    /// Of each rule that was met, its lines since it was last recovered from.
    open: Vec<Vec<Option<Evidence>>>,
    /// The rules that have any.
    opened: Vec<usize>,
    /// Of each rule, the last of those lines.
    latest: Vec<u64>,
    /// Of each rule, whether one of those lines is more than one by the way.
    is_plain: Vec<bool>,
    /// Of each milestone.
    proved: Vec<Option<Evidence>>,
    /// The last line that proves a connection to the cloud.
    online: u64,
    /// The last line by which the cloud has taken a message.
    taken: u64,
    /// Of each expression that a rule with patience waits from, its last line.
    waits_from: BTreeMap<Pattern, Moment>,
    /// The stages that attempts before this one have passed.
    passed_before: BTreeSet<Stage>,
    /// Lines of failure, whether a rule knows them or not.
    failures: Failures,
    /// A failure of the firmware or its storage in an attempt before this one.
    lasting: Option<Evidence>,
}

/// Where the log of an attempt ends.
#[derive(Clone, Copy, Default)]
pub struct Ending {
    /// Its last line that tells a time, or else its last.
    pub at: Moment,
    /// It ends in the middle of a line.
    pub is_cut: bool,
    /// The log's last line; none if another attempt follows.
    pub line: Option<u64>,
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
            has_broker: false,
            is_by_broker: None,
            seen: vec![None; rules.expressions.len()],
            open: vec![Vec::new(); rules.rules.len()],
            opened: Vec::new(),
            latest: vec![0; rules.rules.len()],
            is_plain: vec![false; rules.rules.len()],
            proved: vec![None; rules.marks.len()],
            online: 0,
            taken: 0,
            waits_from: BTreeMap::new(),
            passed_before: BTreeSet::new(),
            failures: Failures::default(),
            lasting: None,
        }
    }

    /// The attempt behind this one, which begins at this line.
    pub fn next(&self, number: u64, first_line: u64, kind: Option<Kind>) -> Self {
        let before = self.passed_before.iter().copied();
        let is_met = |rule: usize| self.hit(rule, kind).is_some();
        let lasting = self.lasting.as_ref();
        let lasting = lasting.or_else(|| self.failures.lasting(is_met));
        Self {
            lasting: lasting.cloned(),
            has_broker: self.has_broker,
            passed_before: self.passed().chain(before).collect(),
            ..Self::new(number, first_line, true)
        }
    }

    /// Takes a line that may tell a failure, in which these expressions were found.
    pub fn fail(&mut self, found: &[Pattern], line: u64, text: &str) {
        self.failures.take(line, text, found);
    }

    /// Takes a line about a subject, by the way or not, in which `pattern` was found.
    pub fn meet(
        &mut self,
        pattern: Pattern,
        line: u64,
        text: &str,
        (subject, is_aside): (Subject, bool),
    ) {
        Evidence::count(&mut self.seen[pattern], line, text);
        if rules().waits[pattern] {
            self.waits_from.insert(pattern, Moment::of(line, text));
        }
        for (rule, place) in &rules().said_by[pattern] {
            if subject.tells_of(rules().rules[*rule].stage)
                && self.is_by_its_writer(*rule)
                && self.is_in_turn(*rule, *place, line)
            {
                if self.open[*rule].iter().all(Option::is_none) {
                    self.opened.push(*rule);
                    self.open[*rule].resize(rules().rules[*rule].says.len(), None);
                }
                Evidence::count(&mut self.open[*rule][*place], line, text);
                self.latest[*rule] = line;
                if !self.is_plain[*rule] {
                    self.is_plain[*rule] = !is_aside;
                }
            }
        }
    }

    /// Whether the line at hand is of who writes a rule's lines, in a journal of a device and its broker.
    fn is_by_its_writer(&self, rule: usize) -> bool {
        let text = &rules().rules[rule].text;
        let is_broker_s = text.log == Some(Kind::Broker);
        text.anywhere
            || self
                .is_by_broker
                .is_none_or(|is_by_broker| is_by_broker == is_broker_s)
    }

    /// Whether a line counts at this place of a rule, whose lines may have to come one soon behind another.
    fn is_in_turn(&self, rule: usize, place: usize, line: u64) -> bool {
        match (rules().rules[rule].text.in_turn, place.checked_sub(1)) {
            (Some(within), Some(before)) => {
                let is_seen = self.open[rule].get(before).is_some_and(Option::is_some);
                is_seen && line - self.latest[rule] <= within
            }
            _ => true,
        }
    }

    /// Whether it counts how long the log goes on.
    pub fn waits(&self) -> bool {
        !self.waits_from.is_empty()
    }

    /// Takes a line that proves a milestone.
    pub fn prove(&mut self, mark: usize, line: u64, text: &str) {
        Evidence::count(&mut self.proved[mark], line, text);
        let proved = &rules().marks[mark];
        if proved.passed {
            self.failures.passed(proved.stage, line);
        }
        if proved.passed && (Stage::Mqtt..=Stage::Cloud).contains(&proved.stage) {
            self.online = line;
        }
        if proved.passed && proved.stage == Stage::Cloud {
            self.taken = line;
        }
    }

    /// Ends what was open of a milestone's stage and of those before it, and returns the rules that were
    /// complete. That the device serves clients itself says nothing of its own way online, nor does a time
    /// that it tells, and in the log of a network what one station reaches says nothing of another.
    pub fn recover(
        &mut self,
        mark: &Mark,
        kind: Option<Kind>,
        line: &str,
    ) -> Vec<(usize, Evidence)> {
        let stage = mark.stage;
        let is_alone = stage == Stage::Serving || (mark.loose && stage == Stage::Clock);
        let is_shared = kind == Some(Kind::Network);
        let is_of_another = |seen: &Evidence| is_shared && peers::are_of_others(&seen.text, line);
        let has_broker = self.has_broker;
        let is_mended = |index: &usize| {
            let mut mended = rules().rules[*index].mended.iter();
            mended.any(|pattern| self.seen[*pattern].is_some())
        };
        let opened = self.opened.iter().copied();
        let mended: Vec<usize> = opened.filter(is_mended).collect();
        self.end(kind, is_of_another, |index, rule| {
            if has_broker && rule.text.log != mark.log {
                false
            } else if is_alone {
                rule.stage == stage && rule.text.until.is_none()
            } else if stage >= Stage::Dhcp && mended.contains(&index) {
                true
            } else {
                rule.text.until.unwrap_or(rule.stage) <= stage
            }
        })
    }

    /// Ends what was open of the connection to a server that `pattern` shows to answer, and of troubles that
    /// those which it tells come behind. A wrong clock stays the reason of what the server or the device then
    /// refuses.
    pub fn reach(
        &mut self,
        pattern: Pattern,
        kind: Option<Kind>,
        is_aside: bool,
    ) -> Vec<(usize, Evidence)> {
        let said_by = &rules().said_by[pattern];
        // Of several lines that a rule needs, the others were there before.
        let is_met = |rule: usize, place: usize| {
            let says = 0..rules().rules[rule].says.len();
            let mut others = says.filter(|other| *other != place);
            others.all(|other| self.open[rule].get(other).is_some_and(Option::is_some))
        };
        let met: Vec<usize> = said_by
            .iter()
            .filter(|(rule, place)| !is_aside && is_met(*rule, *place))
            .map(|(rule, _)| *rule)
            .collect();
        let ended = || {
            let told = met.iter().map(|rule| &rules().rules[*rule]);
            told.flat_map(|rule| rule.ends.iter().copied())
        };
        let answers = said_by.iter().filter_map(|(rule, _)| {
            let rule = &rules().rules[*rule];
            let is_seen = |unless: &Pattern| self.seen[*unless].is_some();
            let counts = rule.text.reaches && is_of(rule.text.log, kind);
            (counts && !rule.unless.iter().any(is_seen)).then_some(rule.stage)
        });
        let stage = answers.max();
        if stage.is_none() && ended().next().is_none() {
            return Vec::new();
        }
        self.end(
            kind,
            |_| false,
            |index, rule| {
                let is_of_way =
                    stage.is_some_and(|stage| (Stage::Join..stage).contains(&rule.stage));
                let until = rule.text.until;
                let is_before = rule.stage != Stage::Clock
                    && until.is_none_or(|until| stage.is_some_and(|stage| until <= stage));
                (is_of_way && is_before) || ended().any(|ended| ended == index)
            },
        )
    }

    /// Ends what was open of some rules, and returns those that were complete.
    fn end(
        &mut self,
        kind: Option<Kind>,
        is_of_another: impl Fn(&Evidence) -> bool,
        ends: impl Fn(usize, &Rule) -> bool,
    ) -> Vec<(usize, Evidence)> {
        let mut over = Vec::new();
        for index in std::mem::take(&mut self.opened) {
            let rule = &rules().rules[index];
            let stays = rule.text.lasting || rule.text.restarts.is_some();
            let mut lines = self.open[index].iter().flatten();
            if stays || !ends(index, rule) || lines.any(&is_of_another) {
                self.opened.push(index);
                continue;
            }
            if self.hit(index, kind).is_some()
                && let Some(Some(evidence)) = self.open[index].first().cloned()
            {
                over.push((index, evidence));
            }
            self.open[index].fill(None);
            self.is_plain[index] = false;
        }
        over
    }

    /// Whether a trouble was told that is not over.
    pub fn is_in_trouble(&self, kind: Option<Kind>) -> bool {
        let is_told = |index: &usize| self.hit(*index, kind).is_some();
        self.opened.iter().any(is_told)
    }

    /// Whether the device has told what a server refuses it for.
    pub fn is_refused(&self) -> bool {
        let is_told = |index: &usize| {
            let text = &rules().rules[*index].text;
            text.reaches && !text.anywhere && self.hit(*index, Some(Kind::Device)).is_some()
        };
        self.opened.iter().any(is_told)
    }

    /// The last line of a rule.
    pub fn latest(&self, rule: usize) -> u64 {
        self.latest[rule]
    }

    /// The last line by which the device went online or the cloud took something.
    pub fn well(&self) -> u64 {
        self.online.max(self.taken)
    }

    /// Whether the attempt has come past a stage behind this line.
    pub fn is_over(&self, stage: Stage, line: u64) -> bool {
        self.failures.is_over(stage, line)
    }

    /// Whether anything behind the start is proved.
    pub fn has_come_on(&self) -> bool {
        let marks = rules().marks.iter().zip(&self.proved);
        let mut on = marks.filter(|(mark, _)| mark.stage > Stage::Storage);
        on.any(|(_, proved)| proved.is_some())
    }

    /// A rule whose lines are complete, if they are.
    fn hit(&self, index: usize, kind: Option<Kind>) -> Option<Hit> {
        let rule = &rules().rules[index];
        let open = &self.open[index];
        if open.len() < rule.says.len() || open.iter().any(Option::is_none) || rule.is_left_out() {
            return None;
        }
        let has = |pattern: &Pattern| self.seen[*pattern].is_some();
        let is_of_own_broker = self.has_broker && rule.text.log == Some(Kind::Broker);
        let fits = (rule.text.anywhere || is_of_own_broker || is_of(rule.text.log, kind))
            && rule.after.iter().all(has)
            && !rule.unless.iter().any(has);
        if !fits || (rule.says.is_empty() && (rule.after.is_empty() || self.is_past(rule.stage))) {
            return None;
        }
        let lines = self.open[index].iter().flatten().map(|seen| seen.line);
        let line = lines.max().unwrap_or(NEVER);
        Some(Hit {
            line,
            index,
            is_aside: self.is_aside(index),
        })
    }

    /// Whether a rule was met in lines by the way alone, or in those that tell of what was before the log.
    fn is_aside(&self, index: usize) -> bool {
        let is_single = rules().rules[index].says.len() == 1;
        (is_single && !self.is_plain[index]) || self.is_of_earlier(index)
    }

    /// Whether a stage behind this one was passed, so that nothing can be missing in this one.
    fn is_past(&self, stage: Stage) -> bool {
        let marks = rules().marks.iter().zip(&self.proved);
        marks
            .filter(|(mark, _)| mark.passed && mark.stage > stage)
            .any(|(_, proved)| proved.is_some())
    }

    /// How many lines a rule has.
    fn times(&self, index: usize) -> u64 {
        let seen = self.open[index].iter().flatten();
        seen.map(|seen| seen.count).sum()
    }

    /// The rules on starts in a row, and whether the attempt has the lines of each.
    pub fn starts(&self) -> impl Iterator<Item = (usize, Option<Evidence>)> {
        let of_starts = |(index, rule): (usize, &Rule)| rule.text.restarts.map(|_| index);
        let rules = rules().rules.iter().enumerate().filter_map(of_starts);
        rules.map(|index| (index, self.open[index].first().cloned().flatten()))
    }

    /// The client of a broker that the attempt is of.
    pub fn client(&self) -> Vec<Ipv4Addr> {
        let marks = rules().marks.iter().zip(&self.proved);
        let mut begun = marks.filter(|(mark, _)| mark.begins && mark.log == Some(Kind::Broker));
        let line = begun.find_map(|(_, proved)| proved.as_ref());
        line.map_or_else(Vec::new, |line| peers::of(&line.text))
    }

    fn attempt(&self) -> Attempt {
        let marks = rules().marks.iter().zip(&self.proved);
        let mut proved: Vec<Milestone> = marks
            .filter_map(|(mark, evidence)| {
                Some(Milestone {
                    stage: mark.stage,
                    what: mark.proves.clone(),
                    passed: mark.passed,
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

/// Whether what is of `wanted` counts in a log of `kind`. A log of which nothing is known is a device's, and
/// the network around a device speaks of stations in the words that these have.
pub fn is_of(wanted: Option<Kind>, kind: Option<Kind>) -> bool {
    let of = |kind| match kind {
        None | Some(Kind::Network) => Kind::Device,
        Some(kind) => kind,
    };
    of(wanted) == of(kind)
}

/// Whether a log is a device's own, as far as anything tells.
pub fn is_own(kind: Option<Kind>) -> bool {
    !matches!(kind, Some(Kind::Broker | Kind::Network))
}
