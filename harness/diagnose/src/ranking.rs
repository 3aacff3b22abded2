//! Which of the rules that a log meets is the first cause, and what followed from it.

use std::cmp::Reverse;

use crate::diagnosis::Certainty;
use crate::rules::{Rule, rules};
use crate::{Kind, Stage};

/// Lines within which a problem is told by more than one part of a firmware.
const TOLD_TOGETHER: u64 = 12;
/// The line of what never came.
pub const NEVER: u64 = u64::MAX;

/// A rule whose lines are complete.
#[derive(Clone, Copy, PartialEq)]
pub struct Hit {
    /// Where they became complete.
    pub line: u64,
    pub index: usize,
    /// Whether all of them are lines by the way.
    pub is_aside: bool,
}

impl Hit {
    /// The rule.
    pub fn rule(self) -> &'static Rule {
        &rules().rules[self.index]
    }

    /// Whether it says no more than that something is wrong.
    pub fn is_weak(self) -> bool {
        let text = &self.rule().text;
        self.is_aside || (text.general && text.sure == Certainty::Possible)
    }

    /// Whether it says no more than that the firmware ended.
    fn is_crash(self) -> bool {
        let rule = self.rule();
        rule.stage == Stage::Power && rule.text.general && rule.text.lasting
    }

    /// Whether a cloud says what it refuses.
    fn is_by_server(self) -> bool {
        let rule = self.rule();
        let is_told = rule.text.reaches || rule.text.anywhere;
        let is_of_cloud = (Stage::Cloud..=Stage::Bind).contains(&rule.stage);
        is_told && is_of_cloud && !rule.text.general && !self.is_aside
    }

    /// Whether it says that something is wrong with a server that need not be the device's broker.
    fn is_of_any_server(self) -> bool {
        let rule = self.rule();
        rule.text.general && rule.text.lasting && rule.stage == Stage::Cloud
    }
}

/// Parts what was hit, in the order of the lines, into causes and what followed from them. The first cause
/// is the most telling one of those that were told together at the first trouble.
pub fn rank(hits: Vec<Hit>) -> (Vec<Hit>, Vec<Hit>) {
    let Some(first) = telling(&hits) else {
        return (Vec::new(), Vec::new());
    };
    let is_told_with_it = |hit: &Hit| {
        let is_silent = first.line == NEVER || hit.line == NEVER;
        let is_near = hit.line.abs_diff(first.line) <= TOLD_TOGETHER;
        let rule = hit.rule();
        let is_same = rule.stage == first.rule().stage;
        // In a server's log the lines of other clients stand between those of one.
        let is_server = rule.text.log == Some(Kind::Broker);
        let is_reason = is_server && rule.text.explains && rule.stage < first.rule().stage;
        let is_on_way = (Stage::Dns..=Stage::Mqtt).contains(&first.rule().stage);
        let is_other = is_on_way && hit.is_of_any_server();
        *hit == first || (!is_silent && !is_other && (is_near || is_same || is_reason))
    };
    let (mut together, rest): (Vec<Hit>, Vec<Hit>) = hits.into_iter().partition(is_told_with_it);
    // What a server says proves the way to it: a trouble on the way is a later one. A wrong clock can be the
    // reason of what it refuses.
    let said = together.iter().filter(|hit| hit.is_by_server());
    let said = said.map(|hit| hit.line).min();
    let is_after = |hit: &Hit| {
        let stage = hit.rule().stage;
        let is_of_way = (Stage::Join..=Stage::Mqtt).contains(&stage) && stage != Stage::Clock;
        is_of_way && said.is_some_and(|line| line < hit.line)
    };
    // A firmware that crashes behind what was refused may crash for that.
    let first_said = together
        .iter()
        .filter(|hit| !hit.is_weak() && !hit.is_crash());
    let first_said = first_said.map(|hit| hit.line).min();
    let is_later_crash =
        |hit: &Hit| hit.is_crash() && first_said.is_some_and(|line| line < hit.line);
    // What tells more goes before what tells less, and after that the earlier stage and line.
    together.sort_by_key(|hit| {
        let rule = hit.rule();
        let text = &rule.text;
        (
            !text.explains,
            is_after(hit),
            text.general,
            hit.is_weak(),
            is_later_crash(hit),
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

/// The first of what was hit. What says only that something is wrong leaves the place to what says later
/// what it is, or to what should have come in its stage and never did.
fn telling(hits: &[Hit]) -> Option<Hit> {
    let tells = |hit: &&Hit| !hit.is_weak() && !hit.is_of_any_server() && hit.line != NEVER;
    let said = hits.iter().find(tells);
    let first = said.or(hits.first())?;
    let is_missing = |hit: &&Hit| {
        let rule = hit.rule();
        let is_sure = rule.text.sure >= Certainty::Likely && !rule.text.general;
        hit.line == NEVER && is_sure && rule.stage == first.rule().stage
    };
    let missing = hits.iter().find(is_missing).filter(|_| first.is_weak());
    missing.or(Some(first)).copied()
}
