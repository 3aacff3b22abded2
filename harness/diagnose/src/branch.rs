//! A branch of an expression, as an automaton.
//!
//! One without states that are kept is quick to build. One with them takes a tenth of the time for a byte.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};

use regex_automata::Input;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::meta::{self, Regex};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::syntax;
use regex_syntax::hir::{Hir, HirKind, Repetition};
use regex_syntax::{Parser, ParserBuilder};

/// Bytes of the states of a branch.
const STATES: usize = 64 << 10;
/// Times that something is repeated which make no state for each.
const NEAR: u32 = 3;

/// Finds a branch without states that are kept. It is quick to build.
#[expect(
    clippy::expect_used,
    reason = "the text was read before, and tests build each"
)]
pub fn passing(text: &str) -> Regex {
    let config = meta::Config::new()
        .utf8_empty(false)
        .auto_prefilter(false)
        .hybrid(false)
        .dfa(false)
        .onepass(false)
        .which_captures(WhichCaptures::None);
    Regex::builder()
        .configure(config)
        .syntax(syntax())
        .build(text)
        .expect("the expression is small")
}

/// Finds a branch with states that are kept, at a tenth of the time for a byte; a new one takes as much as a
/// hundred bytes. When they become too many, which distances between words bring about, they are given up,
/// and the same words at any distance are looked for, without which the branch is not there either.
pub struct Lasting {
    exact: States,
    at_any_distance: OnceLock<States>,
    text: String,
}

impl Lasting {
    pub fn of(text: &str) -> Self {
        Self {
            exact: States::of(&read(text)),
            at_any_distance: OnceLock::new(),
            text: text.to_owned(),
        }
    }

    /// Nothing if it cannot tell now.
    pub fn is_in(&self, input: &Input<'_>) -> Option<bool> {
        if let Some(found) = self.exact.is_in(input) {
            return Some(found);
        }
        let wide = || States::of(&at_any_distance(&read(&self.text)));
        let found = self.at_any_distance.get_or_init(wide).is_in(input)?;
        (!found).then_some(false)
    }
}

/// An automaton whose states are built when they are needed.
struct States {
    dfa: DFA,
    built: Mutex<Cache>,
    is_given_up: AtomicBool,
}

impl States {
    #[expect(
        clippy::expect_used,
        reason = "the text was read before, and tests build each"
    )]
    fn of(expression: &Hir) -> Self {
        let config = DFA::config()
            .cache_capacity(STATES)
            .skip_cache_capacity_check(true)
            .minimum_cache_clear_count(Some(0));
        let thompson = thompson::Config::new()
            .utf8(false)
            .which_captures(WhichCaptures::None);
        let nfa = thompson::Compiler::new()
            .configure(thompson)
            .build_from_hir(expression)
            .expect("the expression is small");
        let dfa = DFA::builder()
            .configure(config)
            .build_from_nfa(nfa)
            .expect("the expression is small");
        Self {
            built: Mutex::new(dfa.create_cache()),
            dfa,
            is_given_up: AtomicBool::new(false),
        }
    }

    /// Nothing if they are too many, or in use.
    fn is_in(&self, input: &Input<'_>) -> Option<bool> {
        if self.is_given_up.load(Ordering::Relaxed) {
            return None;
        }
        let mut built = self.built.try_lock().ok()?;
        match self.dfa.try_search_fwd(&mut built, input) {
            Ok(found) => Some(found.is_some()),
            Err(_) => {
                self.is_given_up.store(true, Ordering::Relaxed);
                None
            }
        }
    }
}

/// An expression in which what may be repeated some times may be so without end.
fn at_any_distance(expression: &Hir) -> Hir {
    match expression.kind() {
        HirKind::Repetition(repetition) => {
            let sub = Box::new(at_any_distance(&repetition.sub));
            let max = repetition.max.filter(|max| *max <= NEAR);
            let min = repetition.min;
            let greedy = repetition.greedy;
            Hir::repetition(Repetition {
                min,
                max,
                greedy,
                sub,
            })
        }
        HirKind::Capture(capture) => at_any_distance(&capture.sub),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(at_any_distance).collect()),
        HirKind::Alternation(parts) => {
            Hir::alternation(parts.iter().map(at_any_distance).collect())
        }
        _ => expression.clone(),
    }
}

#[expect(clippy::expect_used, reason = "the text was read before")]
fn read(text: &str) -> Hir {
    parser().parse(text).expect("it is an expression")
}

fn syntax() -> syntax::Config {
    syntax::Config::new().unicode(false).utf8(false)
}

fn parser() -> Parser {
    ParserBuilder::new().unicode(false).utf8(false).build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules;

    #[test]
    fn every_expression_can_be_built() {
        for branch in rules::rules().set.branches() {
            passing(branch);
            Lasting::of(branch);
            States::of(&at_any_distance(&read(branch)));
        }
    }

    #[test]
    fn words_whose_distance_makes_too_many_states_are_found_as_before() {
        let text = r"(?i)\b(?:mqtt|broker)\b[^\n]{0,12}\b(?:rc|state)[ =]{1,3}\d";
        let lasting = Lasting::of(text);
        lasting.exact.is_given_up.store(true, Ordering::Relaxed);
        let in_line = |line: &str| lasting.is_in(&Input::new(line.as_bytes()).earliest(true));
        assert_eq!(in_line("mqtt: connection lost"), Some(false));
        // Only the expression itself tells how far apart they may be.
        assert_eq!(in_line("mqtt: rc=5"), None);
        assert_eq!(in_line("mqtt: connection was lost, rc=5"), None);
    }
}
