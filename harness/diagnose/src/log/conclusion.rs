//! What a log tells in the end.

use std::mem;
use std::net::Ipv4Addr;

use super::Log;
use crate::compared::is_end;
use crate::diagnosis::{Attempt, Cause, Certainty, Diagnosis, Past};
use crate::journal::is_by_broker;
use crate::rules::rules;
use crate::unnamed::UNNAMED;
use crate::unreadable::{garbled, no_log};
use crate::watch::{Verdict, Watch, is_of, told};
use crate::{Kind, Stage};

/// The rule on a broker that takes clients of its own machine only.
const LOCAL_ONLY: &str = "broker-local-only";
/// Lines of a start in which the chip tells why it was reset.
const START: u64 = 3;
/// Lines of an attempt in which a trouble would have come again.
const GOES_ON: u64 = 6;
/// How often a trouble was over that may come again.
const AGAIN: u64 = 4;
/// Percent of bytes that are no text, above which a log is garbled.
const GARBLED: u64 = 15;
/// Percent of them above which the rest of it is not relied on.
const MOSTLY_GARBLED: u64 = 25;
/// Bytes without which that says nothing.
const ENOUGH: u64 = 64;

impl Log {
    /// A rule on starts in a row of which there were enough.
    fn restarts(&self) -> Option<Cause> {
        let mut enough = self.starts.iter().filter_map(|(index, evidence)| {
            let rule = &rules().rules[*index];
            (evidence.count >= rule.text.restarts?).then(|| told(rule, vec![evidence.clone()]))
        });
        enough.next()
    }

    /// Whether what ended an attempt is a trouble only if it comes again and again, and the log goes on without
    /// it: a client that comes back takes its own old session over, once.
    fn is_once(&self, earlier: &Verdict, last: &Verdict) -> bool {
        let Some(first) = earlier.causes.first() else {
            return false;
        };
        let Some(repeats) = rules().named(&first.id).and_then(|rule| rule.text.repeats) else {
            return false;
        };
        let past = self.history.iter().filter(|past| past.id == first.id);
        let times: u64 = past.map(|past| past.evidence.count).sum();
        let is_back = last.attempt.reached >= Some(Stage::Mqtt);
        is_back && times < repeats && self.lines > last.attempt.first_line + GOES_ON
    }

    /// What a broker says at its start, and holds for the whole log: it takes clients of its own machine only, and
    /// no other has come.
    fn local_only(&self) -> Option<Cause> {
        let mut past = self.history.iter().filter(|past| past.id == LOCAL_ONLY);
        let past = past.next().filter(|_| self.kind == Some(Kind::Broker))?;
        let is_of_last = past.last > self.server_start;
        let is_alone = self.peers.iter().all(Ipv4Addr::is_loopback);
        let rule = rules()
            .named(LOCAL_ONLY)
            .filter(|_| is_alone && is_of_last)?;
        Some(told(rule, vec![past.evidence.clone()]))
    }

    /// What the log tells.
    pub fn end(mut self) -> Diagnosis {
        let watch = mem::replace(&mut self.current, Watch::new(0, 0, false));
        let mut verdict = watch.judge(
            self.kind,
            self.ending(self.is_cut || is_end(&self.tail), true),
        );
        self.count_starts(&watch, &verdict);
        if verdict.is_silent
            && let Some(restarts) = self.restarts()
        {
            verdict.consequences = mem::replace(&mut verdict.causes, vec![restarts]);
        }
        let mut notes = Vec::new();
        if let Some(earlier) = self.failed.take()
            && (verdict.is_silent || is_of_reset(&verdict, &earlier))
            && (way_of(&earlier.attempt) >= way_of(&verdict.attempt)
                || verdict.attempt.reached == Some(Stage::Power))
            && !self.is_once(&earlier, &verdict)
        {
            notes.push(format!(
                "the cause is of attempt {}: attempt {}, which follows, shows nothing wrong as far as the log goes",
                earlier.attempt.number, verdict.attempt.number
            ));
            verdict = earlier;
        }
        let Verdict {
            attempt: last,
            mut causes,
            mut consequences,
            hints,
            is_silent: _,
        } = verdict;
        self.forget_what_is_back(last.reached);
        match self.outlived.take() {
            Some(outlived) if follows(causes.first(), &outlived) && !causes.contains(&outlived) => {
                put_before(&mut causes, &mut consequences, outlived);
                notes.push(
                    "the cause is of an attempt before the last one, whose trouble follows from it"
                        .to_owned(),
                );
            }
            _ => {}
        }
        if causes.iter().all(is_weak)
            && let Some(again) = self.history.iter().find_map(repeated)
        {
            put_before(&mut causes, &mut consequences, again);
        }
        if let Some(supply) = self.power_losses.explain(causes.first(), last.reached) {
            put_before(&mut causes, &mut consequences, supply);
        }
        let broken = self.radio.broken_joins();
        let of_joins = self
            .power_losses
            .explain_joins(broken, causes.first(), last.reached);
        if let Some(supply) = of_joins {
            for cause in &mut causes {
                cause.certainty = Certainty::Possible;
            }
            put_before(&mut causes, &mut consequences, supply);
        }
        if let Some(supply) = self.radio.explain(causes.first(), last.reached) {
            put_before(&mut causes, &mut consequences, supply);
        }
        let of_modem = self.registration.explain(causes.first(), last.reached);
        let of_exchange = || self.exchange.explain(causes.first(), last.reached);
        if let Some(reason) = of_modem.or_else(of_exchange) {
            put_before(&mut causes, &mut consequences, reason);
        }
        if let Some(supply) = self.supply.explain(causes.first()) {
            put_before(&mut causes, &mut consequences, supply);
        }
        if let Some(local) = self.local_only()
            && causes.iter().all(|cause| cause.id != local.id)
        {
            put_before(&mut causes, &mut consequences, local);
        }
        let told_beside = causes.first().and_then(|first| self.beside.explain(first));
        if let Some(told_beside) = told_beside {
            causes.splice(..1, [told_beside]);
        }
        let garbage = match self.bytes {
            0..ENOUGH => 0,
            bytes => self.garbage * 100 / bytes,
        };
        if let Some(first) = causes.first_mut() {
            self.withdrawn.doubt(first);
            self.heard.doubt(first);
            if self.changes.is_doubtful(first) {
                first.certainty = Certainty::Possible;
            }
            // A name that was wrong from the beginning is told by a single other one that is heard.
            let reason = self.spelled.explain(first);
            let behind_loss = || {
                let consequences = consequences.iter();
                let of_consequences = consequences.flat_map(|cause| {
                    let lines = cause.evidence.iter();
                    lines.map(|line| (cause.id.as_str(), line.count))
                });
                let past = self.history.iter();
                let past = past.map(|past| (past.id.as_str(), past.evidence.count));
                self.changes.behind_loss(first, past.chain(of_consequences))
            };
            let heard = || {
                let wanted = self.spelled.wanted();
                self.heard.explain(first, self.changes.was_joined(), wanted)
            };
            let reason = reason
                .or_else(heard)
                .or_else(behind_loss)
                .or_else(|| self.changes.explain(first));
            if let Some(reason) = reason {
                if reason.certainty == Certainty::Possible {
                    first.certainty = Certainty::Possible;
                }
                put_before(&mut causes, &mut consequences, reason);
            }
        }
        if causes
            .iter()
            .all(|first| first.stage == Stage::Provisioning)
            && let Some(reason) = self.advertised.explain(last.reached)
        {
            put_before(&mut causes, &mut consequences, reason);
        }
        if causes.is_empty() {
            causes.extend(self.changes.leaked());
        }
        if causes.is_empty() && is_of(None, self.kind) {
            let back = |past: &&Past| comes_back(past, self.lines);
            causes.extend(self.history.iter().find(back).and_then(past_cause));
        }
        if causes.is_empty() && self.kind != Some(Kind::Network) {
            let is_over = |stage, line| watch.is_over(stage, line);
            let is_own = |text: &str| !(watch.has_broker && is_by_broker(text));
            causes.extend(self.end.trouble(watch.well(), is_own, is_over));
        }
        let foretold = causes.first().and_then(|first| {
            let is_over = |stage, line| watch.is_over(stage, line);
            self.foretold.explain(first, is_over)
        });
        if let Some(foretold) = foretold {
            put_before(&mut causes, &mut consequences, foretold);
        }
        let is_joined_behind = |line| watch.is_over(Stage::Join, line);
        let name = self
            .spelled
            .explain_silence(causes.first(), is_joined_behind);
        if let Some(name) = name {
            put_before(&mut causes, &mut consequences, name);
        }
        if causes.iter().all(is_of_hotspot)
            && let Some(phone) = self.visitors.explain_silence()
        {
            put_before(&mut causes, &mut consequences, phone);
        }
        if let Some(what) = self.binary {
            causes = vec![no_log(what)];
        } else if garbage >= MOSTLY_GARBLED {
            for cause in &mut causes {
                cause.certainty = Certainty::Possible;
            }
        }
        if garbage >= GARBLED {
            notes.push(format!("{garbage} % of the log's bytes are no text"));
            if causes.is_empty() {
                causes.push(garbled());
            }
        }
        if causes.is_empty() && last.reached.is_none() {
            notes.push(match self.lines {
                0 => "the log is empty".to_owned(),
                _ => "no line of the log tells how far the device came".to_owned(),
            });
        } else if !watch.from_start && self.attempts == 1 && is_of(None, self.kind) {
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
            hints,
            history: self.history,
            notes,
            peers: self.peers,
            clients: self.clients,
            ids: self.ids,
            names: self.names,
        }
    }
}

/// Whether a trouble may come from what an attempt before it left behind: without the cloud's credentials a
/// device is kept out by a server.
fn follows(trouble: Option<&Cause>, outlived: &Cause) -> bool {
    trouble.is_some_and(|trouble| outlived.stage != Stage::Cloud || trouble.stage >= Stage::Tls)
}

/// Takes `reason` for the cause, from which those that were named follow.
fn put_before(causes: &mut Vec<Cause>, consequences: &mut Vec<Cause>, reason: Cause) {
    consequences.splice(0..0, mem::replace(causes, vec![reason]));
}

/// Whether an attempt tells by its first lines alone that a watchdog ended the one before it, which says more.
fn is_of_reset(last: &Verdict, earlier: &Verdict) -> bool {
    let is_first = |cause: &Cause| {
        let first = cause.evidence.first();
        first.is_some_and(|line| line.line <= last.attempt.first_line + START)
    };
    let of_start = |cause: &Cause| cause.stage == Stage::Power && cause.is_general();
    let says_more = earlier
        .causes
        .first()
        .is_some_and(|cause| !cause.is_general());
    says_more
        && last
            .causes
            .iter()
            .all(|cause| of_start(cause) && is_first(cause))
        && last.consequences.is_empty()
        && last.attempt.number == earlier.attempt.number + 1
}

/// How far an attempt has come on its way online: that the device serves clients itself is no part of it.
fn way_of(attempt: &Attempt) -> Option<Stage> {
    let stages = attempt.proved.iter().map(|milestone| milestone.stage);
    stages.filter(|stage| *stage != Stage::Serving).max()
}

/// Whether a trouble was over again and again, and comes in such a row to the end of a log.
fn comes_back(past: &Past, lines: u64) -> bool {
    let way = past.last.saturating_sub(past.evidence.line);
    let between = way / past.times.saturating_sub(1).max(1);
    past.recovered && past.times >= AGAIN && lines.saturating_sub(past.last) <= between
}

/// A trouble that is over for now.
fn past_cause(past: &Past) -> Option<Cause> {
    let rule = rules().named(&past.id)?;
    Some(Cause {
        certainty: Certainty::Possible,
        ..told(rule, vec![past.evidence.clone()])
    })
}

/// Whether a cause says no more than that something is wrong.
fn is_weak(cause: &Cause) -> bool {
    cause.certainty == Certainty::Possible && cause.is_general()
}

/// Whether a cause says no more than that the device's own network brought no credentials, or a trouble that is
/// not known.
fn is_of_hotspot(cause: &Cause) -> bool {
    let rule = rules().named(&cause.id);
    let is_general = rule.is_some_and(|rule| rule.text.general || rule.says.is_empty());
    cause.id == UNNAMED || (cause.stage == Stage::Provisioning && is_general)
}

/// What has happened too often to be over.
fn repeated(past: &Past) -> Option<Cause> {
    let rule = rules().named(&past.id)?;
    let is_cause = past.evidence.count >= rule.text.repeats?;
    is_cause.then(|| told(rule, vec![past.evidence.clone()]))
}
