//! What makes a cause less sure that its own line says plainly: a failure before it that nothing explains, a
//! stage that the log passes over in silence, and that the same was well before.

use super::Watch;
use crate::diagnosis::Cause;
use crate::ranking::{Hit, NEVER};
use crate::rules::{Rule, rules};
use crate::{Certainty, Kind, Stage};

impl Watch {
    /// Takes a step off a cause that is behind something which the log does not explain, and names that.
    pub(super) fn doubt(&self, cause: &mut Cause, hits: &[Hit], kind: Option<Kind>) {
        let is_said = |hit: &&Hit| hit.rule().text.id == cause.id && hit.line != NEVER;
        let Some(first) = hits.iter().find(is_said) else {
            return;
        };
        let (rule, line) = (first.rule(), self.begins(first));
        let is_certain = cause.certainty == Certainty::Certain;
        let mut doubts = Vec::new();
        let is_met = |rule: usize| self.hit(rule, kind).is_some();
        if let Some((stage, failed)) = self.failures.unexplained((rule.stage, line), is_met)
            && (is_certain || stage.is_some())
        {
            doubts.push(format!(
                "a trouble before it that no rule knows: what failed in line {}, `{}`?",
                failed.line, failed.text
            ));
        }
        if let Some(failed) = self.lasting.as_ref().filter(|_| {
            let is_behind = rule.stage > Stage::Storage;
            is_certain && is_behind && self.online == 0
        }) {
            doubts.push(format!(
                "a trouble before the last restart: what failed in line {}, `{}`, and is missing since?",
                failed.line, failed.text
            ));
        }
        let tells_of_phone =
            |rule: usize| is_met(rule) && rules().rules[rule].stage <= Stage::Credentials;
        if rule.stage == Stage::Serving
            && let Some(failed) = self.failures.followed(line, tells_of_phone)
        {
            doubts.push(format!(
                "what line {}, `{}`, is about: it may be that which was to be served",
                failed.line, failed.text
            ));
        }
        let is_earlier = |hit: &&Hit| {
            let earlier = hit.rule();
            // That a script or a task has ended is told of any trouble.
            let is_of_any = earlier.stage == Stage::Power && earlier.text.general;
            earlier.stage < rule.stage && hit.line < line && !hit.is_aside && !is_of_any
        };
        if let Some(earlier) = hits.iter().find(is_earlier) {
            doubts.push(format!(
                "{}: line {} says so before, and nothing says that it is over",
                earlier.rule().text.cause,
                earlier.line
            ));
        }
        if self.is_without_address(rule.stage) {
            doubts.push("no address: no line tells that the device got one".to_owned());
        }
        if is_certain && rule.stage == Stage::Dns && !self.has_link() {
            doubts.push("no link: no line tells that the device is in a network".to_owned());
        }
        if is_certain && self.has_worked(rule, line) {
            doubts
                .push("something that has changed: the device had come further before".to_owned());
        }
        if !doubts.is_empty() {
            cause.certainty = cause.certainty.less();
            cause.would_tell.extend(doubts);
        }
    }

    /// The first line of a rule.
    fn begins(&self, hit: &Hit) -> u64 {
        let lines = self.open[hit.index].iter().flatten();
        lines.map(|seen| seen.line).min().unwrap_or(NEVER)
    }

    /// Whether a stage needs an address, and the log tells that the access point let the device in, or that it
    /// tries to join, and not that it got one.
    fn is_without_address(&self, stage: Stage) -> bool {
        let has = |stage: Stage| self.passed().any(|passed| passed == stage);
        let tries = || {
            let mut marks = rules().marks.iter().zip(&self.proved);
            marks.any(|(mark, proved)| mark.stage == Stage::Join && proved.is_some())
        };
        let is_let_in = (Stage::Dns..=Stage::Cloud).contains(&stage) && has(Stage::Join);
        let is_at_door = (Stage::Dns..=Stage::Tcp).contains(&stage) && tries();
        (is_let_in || is_at_door) && !self.passed().any(|passed| passed >= Stage::Dhcp)
    }

    /// Whether anything tells that the device has a link.
    fn has_link(&self) -> bool {
        let before = self.passed_before.iter().copied();
        self.passed()
            .chain(before)
            .any(|passed| (Stage::Join..Stage::Serving).contains(&passed))
    }

    /// Whether the device had come past a rule's stage before this line, if it is one that a setting is wrong
    /// for as a rule, and no server says it.
    fn has_worked(&self, rule: &Rule, line: u64) -> bool {
        let is_of_way = |of: Stage| of >= rule.stage && of < Stage::Serving;
        let marks = rules().marks.iter().zip(&self.proved);
        let mut before = marks.filter(|(_, proved)| {
            let seen = proved.as_ref();
            seen.is_some_and(|seen| seen.line < line)
        });
        let is_setting = !rule.text.reaches && !rule.text.lasting;
        is_setting
            && (Stage::Join..=Stage::Tcp).contains(&rule.stage)
            && (before.any(|(mark, _)| mark.passed && is_of_way(mark.stage))
                || self.passed_before.iter().any(|of| is_of_way(*of)))
    }

    /// The stages that the attempt has passed.
    pub(super) fn passed(&self) -> impl Iterator<Item = Stage> {
        let marks = rules().marks.iter().zip(&self.proved);
        let passed = marks.filter(|(mark, proved)| mark.passed && proved.is_some());
        passed.map(|(mark, _)| mark.stage)
    }
}
