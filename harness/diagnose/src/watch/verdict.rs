//! What an attempt tells in the end: its causes, and how sure each is.

use super::{Ending, Verdict, Watch, is_own, told};
use crate::diagnosis::{Cause, Certainty, Evidence, RuledOut};
use crate::ranking::{Hit, NEVER, rank};
use crate::rules::rules;
use crate::waiting::Waited;
use crate::{Kind, Stage};

/// The rule on a network that is not found, and the one on a passphrase that its access point refuses.
const AP_NOT_FOUND: &str = "ap-not-found";
const WRONG_PASSPHRASE: &str = "wrong-passphrase";
/// Lines behind a trouble that leave no room for another try.
const JUST_BEHIND: u64 = 5;
/// Lines of a start in which a chip tells why it was reset.
const OF_RESET: u64 = 5;
/// Lines of an attempt that is more than what somebody has picked out.
const LONG: u64 = 12;

impl Watch {
    /// What the attempt proves, its causes, and what followed from them.
    pub fn judge(&self, kind: Option<Kind>, ending: Ending) -> Verdict {
        let mut hits: Vec<Hit> = (0..rules().rules.len())
            .filter(|index| rules().rules[*index].text.restarts.is_none())
            .filter_map(|index| self.hit(index, kind))
            .collect();
        // Of absences, the first stage's counts.
        hits.sort_by_key(|hit| (hit.line, hit.index));
        let (mut hints, hits): (Vec<Hit>, Vec<Hit>) =
            hits.into_iter().partition(|hit| hit.rule().text.hint);
        let (early, hits): (Vec<Hit>, Vec<Hit>) = hits.into_iter().partition(|hit| {
            self.certainty(hit.index, ending).is_none() || self.is_beside(hit.index)
        });
        hints.extend(early);
        let (doubtful, mut hits): (Vec<Hit>, Vec<Hit>) =
            hits.into_iter().partition(|hit| self.is_doubtful(*hit));
        let is_silent = hits.iter().all(|hit| hit.line == NEVER);
        // What can follow from them comes behind them.
        let last = hits
            .iter()
            .map(|hit| hit.line)
            .filter(|line| *line != NEVER)
            .max();
        for hit in doubtful {
            if Some(hit.line) < last {
                hits.push(hit);
            } else {
                hints.push(hit);
            }
        }
        hits.sort_by_key(|hit| (hit.line, hit.index));
        let is_basic = |hit: &Hit, first: &Hit| {
            let rule = hit.rule();
            // That a script or a task has ended is told of any trouble.
            let tells =
                rule.stage == Stage::Storage || (rule.stage == Stage::Power && !rule.text.general);
            tells && rule.stage < first.rule().stage && hit.line < first.line
        };
        let before = |hits: &[Hit], first: &Hit| hits.iter().any(|hit| is_basic(hit, first));
        let all = hits.clone();
        let (followers, hits) = self.without_address(hits);
        let (missed, hits) = self.was_heard(hits);
        let (causes, mut consequences) = rank(hits);
        consequences.extend(followers);
        consequences.extend(missed);
        let said = causes.first().filter(|first| first.line != NEVER);
        let is_behind_basic = said.is_some_and(|first| before(&all, first));
        let is_behind_hint = said.is_some_and(|first| before(&hints, first));
        let is_lone = causes.len() + consequences.len() == 1;
        let told = |hits: Vec<Hit>| {
            let cause = |hit: Hit| self.cause(hit.index, ending);
            hits.into_iter().map(cause).collect()
        };
        let mut causes: Vec<Cause> = told(causes);
        if let Some(cause) = causes.first_mut().filter(|_| is_lone)
            && Self::is_passed_over(cause, ending)
        {
            cause.certainty = Certainty::Possible;
        }
        // What storage or the firmware itself lacks can be the reason of all that comes behind.
        if let Some(cause) = causes.first_mut()
            && (is_behind_basic || (is_behind_hint && cause.certainty == Certainty::Certain))
        {
            cause.certainty = cause.certainty.less();
        }
        if let Some(cause) = causes.first_mut().filter(|_| is_own(kind)) {
            self.doubt(cause, &all, kind);
        }
        Verdict {
            attempt: self.attempt(),
            causes,
            consequences: told(consequences),
            hints: told(hints),
            is_silent,
        }
    }

    /// What a program tells that asks servers before the device has an address, if another tells later why it gets
    /// none; and the others.
    fn without_address(&self, hits: Vec<Hit>) -> (Vec<Hit>, Vec<Hit>) {
        let is_reason = |hit: &&Hit| {
            let rule = hit.rule();
            let is_missing = match rule.stage {
                Stage::Join => !self.is_past(Stage::Credentials),
                Stage::Dhcp => !self.is_past(Stage::Join),
                _ => false,
            };
            is_missing && hit.line != NEVER && !rule.text.general && !hit.is_weak()
        };
        let reason = hits.iter().filter(is_reason).map(|hit| hit.line).min();
        let follows = |hit: &Hit| {
            let rule = hit.rule();
            let is_on_way = (Stage::Dns..=Stage::Clock).contains(&rule.stage);
            is_on_way && !rule.text.reaches && reason.is_some_and(|line| hit.line < line)
        };
        hits.into_iter().partition(follows)
    }

    /// A network that was not found, if an access point has answered more often and refused the passphrase: it is
    /// there; and the others.
    fn was_heard(&self, hits: Vec<Hit>) -> (Vec<Hit>, Vec<Hit>) {
        let times = |id: &str| {
            let of_rule = hits.iter().find(|hit| hit.rule().text.id == id);
            of_rule.map_or(0, |hit| self.times(hit.index))
        };
        let is_heard = times(AP_NOT_FOUND) < times(WRONG_PASSPHRASE);
        hits.into_iter()
            .partition(|hit| is_heard && hit.rule().text.id == AP_NOT_FOUND)
    }

    /// Whether a rule tells only why the chip was reset before the log began, in a start from which it has come
    /// on.
    pub(super) fn is_of_earlier(&self, index: usize) -> bool {
        let rule = &rules().rules[index];
        let is_of_reset = rule.stage == Stage::Power && rule.text.general && rule.text.lasting;
        is_of_reset
            && self.number == 1
            && self.latest[index] < self.first_line + OF_RESET
            && self.has_come_on()
    }

    /// Whether a rule only says that something is wrong, and the cloud has taken messages after its lines, or
    /// at any time if they are lines by the way.
    fn is_beside(&self, index: usize) -> bool {
        let text = &rules().rules[index].text;
        let is_taken_after = self.latest[index] < self.taken;
        // A scan of a device's own broker, a check of whether it lives.
        let is_stranger_s = text.strangers && self.has_broker && self.times(index) == 1;
        is_stranger_s
            || (text.lasting && text.general && is_taken_after)
            || (self.is_aside(index) && self.taken > 0)
    }

    /// Whether a long log ends just where a trouble came up for the first time that devices try again after.
    fn is_fresh(&self, index: usize, ending: Ending) -> bool {
        let rule = &rules().rules[index];
        let (Some(end), latest) = (ending.line, self.latest[index]) else {
            return false;
        };
        let times = self.times(index);
        let is_tried_again = (Stage::Join..=Stage::Mqtt).contains(&rule.stage);
        let is_sudden = !rule.text.lasting && !rule.text.explains && rule.says.len() == 1;
        is_tried_again
            && is_sudden
            && times == 1
            && end.saturating_sub(latest) <= JUST_BEHIND
            && latest.saturating_sub(self.first_line) >= LONG
    }

    /// Whether a single line tells a trouble, and a log that goes on does not come back to it. Why a chip
    /// was reset is told once.
    fn is_passed_over(cause: &Cause, ending: Ending) -> bool {
        let (Some(end), [line]) = (ending.line, &cause.evidence[..]) else {
            return false;
        };
        let is_long_ago = end.saturating_sub(line.line) > JUST_BEHIND;
        // What a server says of its settings at its start holds as long as it runs.
        let is_setting = rules()
            .named(&cause.id)
            .is_some_and(|rule| rule.text.lasting && rule.text.log == Some(Kind::Broker));
        cause.stage != Stage::Power && !is_setting && line.count == 1 && is_long_ago
    }

    /// Whether a rule's lines are no trouble unless others follow from them.
    fn is_doubtful(&self, hit: Hit) -> bool {
        let alone = &hit.rule().alone;
        !alone.is_empty() && !alone.iter().any(|pattern| self.seen[*pattern].is_some())
    }

    /// How sure a rule is in a log that ends there; none if it cannot be known yet. What was not waited for
    /// long enough is told a step less surely, and two if the log was cut as well.
    fn certainty(&self, index: usize, ending: Ending) -> Option<Certainty> {
        let rule = &rules().rules[index];
        let sure = rule.text.sure;
        let from = rule
            .after
            .iter()
            .filter_map(|after| self.waits_from.get(after));
        let from = from.copied().max_by_key(|from| from.line());
        let (Some(patience), Some(from)) = (rule.text.patience, from) else {
            return Some(sure);
        };
        match (from.waited(patience, ending.at), sure, ending.is_cut) {
            (Waited::Enough, ..) => Some(sure),
            (Waited::Little | Waited::Unknown, Certainty::Certain, false) => {
                Some(Certainty::Likely)
            }
            (_, Certainty::Certain, true)
            | (_, Certainty::Likely, false)
            | (Waited::Unknown, Certainty::Possible, false) => Some(Certainty::Possible),
            (_, Certainty::Likely, true) | (_, Certainty::Possible, _) => None,
        }
    }

    fn cause(&self, index: usize, ending: Ending) -> Cause {
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
        cause.certainty = self.certainty(index, ending).unwrap_or(Certainty::Possible);
        // What is told of any trouble of its stage is not yet what it comes from.
        if text.general {
            cause.certainty = cause.certainty.min(Certainty::Likely);
        }
        // What is missing may have been said before the log began.
        let is_absence = rule.says.is_empty() && !self.from_start;
        // A device that went online afterwards can live with it.
        let is_lived_with = text.lasting
            && !text.outlives
            && text.log != Some(Kind::Broker)
            && (rule.stage < Stage::Mqtt || text.general)
            && self.latest[index] < self.online;
        // Nor does one whose messages are taken miss anything yet.
        let is_not_missed = text.outlives && self.latest[index] < self.taken;
        let is_doubted = self.is_aside(index) || self.is_fresh(index, ending);
        if is_absence || is_lived_with || is_not_missed || is_doubted {
            cause.certainty = Certainty::Possible;
        }
        cause.ruled_out = ruled_out;
        cause.would_tell = would_tell;
        cause
    }
}
