//! What must not happen from the first event to the last.

use std::sync::Arc;

use language::{Captures, Never, Pattern, Placed, Scenario, Span};
use trace::{Event, Nearest, Trace};

use super::matcher::{Matcher, NotReady};
use super::miss::Miss;
use super::unasked::{UnaskedEnd, UnaskedRule};

/// Watches the trace for what must not happen. Make it before the first step; its secrets must be
/// known by then.
pub struct NeverWatch {
    trace: Trace,
    clauses: Vec<Placed<Never>>,
    unasked: Option<UnaskedRule>,
    matcher: Matcher,
    next: usize,
    found: Vec<usize>,
}

/// Something happened that must not.
#[derive(Clone, Debug)]
pub struct Violation {
    /// What forbids it.
    rule: Rule,
    /// The event that the rule forbids.
    pub event: Arc<Event>,
}

/// What forbids an event.
#[derive(Clone, Debug)]
enum Rule {
    /// A clause of the scenario.
    Clause(Box<Placed<Never>>),
    /// The rule that stands for every scenario: no device ends by itself.
    Unasked(UnaskedEnd),
}

impl NeverWatch {
    /// Watches for what `scenario` forbids and for devices that end by themselves, from the first
    /// event on. Fails as [`Self::new`] does.
    pub fn of_scenario(trace: Trace, scenario: &Scenario) -> Result<Self, NotReady> {
        Ok(Self {
            unasked: Some(UnaskedRule::of(scenario)),
            ..Self::new(trace, scenario.never.clone())?
        })
    }

    /// Watches for what `clauses` forbid, from the first event on. Fails if a clause refers to something captured, which
    /// `check` does not let pass.
    pub fn new(trace: Trace, clauses: Vec<Placed<Never>>) -> Result<Self, NotReady> {
        let patterns = clauses.iter().map(|never| &never.pattern);
        let matcher = Matcher::new(patterns, &Captures::default(), trace.secrets())?;
        Ok(Self {
            trace,
            clauses,
            unasked: None,
            matcher,
            next: 0,
            found: Vec::new(),
        })
    }

    /// The first violation among the events that have come since the last call.
    pub fn poll(&mut self) -> Option<Violation> {
        for event in self.trace.events_from(self.next) {
            self.next = after(&event);
            self.matcher.matching(&event, &mut self.found);
            if let Some(first) = self.found.iter().min() {
                let rule = Rule::Clause(Box::new(self.clauses[*first].clone()));
                return Some(Violation { rule, event });
            }
            let unasked = self.unasked.as_ref();
            if let Some(end) = unasked.and_then(|rule| rule.broken_by(&event)) {
                let rule = Rule::Unasked(end);
                return Some(Violation { rule, event });
            }
        }
        None
    }

    /// Ends with the first violation; never, if there is none. Cancel safe.
    pub async fn violated(&mut self) -> Violation {
        loop {
            if let Some(violation) = self.poll() {
                return violation;
            }
            self.trace.longer_than(self.next).await;
        }
    }
}

/// The position behind `event`.
pub(super) fn after(event: &Event) -> usize {
    usize::try_from(event.seq).map_or(usize::MAX, |seq| seq.saturating_add(1))
}

impl Violation {
    /// What forbids it, in a few words.
    pub fn label(&self) -> String {
        match &self.rule {
            Rule::Clause(clause) => format!("never {}", clause.pattern),
            Rule::Unasked(_) => "no device exits, panics or restarts unasked".to_owned(),
        }
    }

    /// Where the scenario says it, if it does.
    pub fn span(&self) -> Option<Span> {
        match &self.rule {
            Rule::Clause(clause) => Some(clause.span),
            Rule::Unasked(end) => end.span,
        }
    }

    /// The pattern of the scenario that forbids it, if one does.
    pub fn pattern(&self) -> Option<&Pattern> {
        match &self.rule {
            Rule::Clause(clause) => Some(&clause.pattern),
            Rule::Unasked(_) => None,
        }
    }

    /// The bugs that it claims to catch.
    pub fn catches(&self) -> Vec<String> {
        match &self.rule {
            Rule::Clause(clause) => {
                let claims = clause.catches.iter();
                claims.map(|bug| bug.value.clone()).collect()
            }
            Rule::Unasked(end) => end.catches.clone(),
        }
    }

    /// The same as a miss.
    pub fn miss(&self) -> Miss {
        let (message, nearest) = match &self.rule {
            Rule::Clause(clause) => (
                format!("{} must never come, but it did", clause.pattern),
                Some(Nearest {
                    seq: self.event.seq,
                    lacks: "nothing: it matches, and the scenario forbids it".into(),
                }),
            ),
            Rule::Unasked(end) => (
                end.message.clone(),
                Some(Nearest {
                    seq: self.event.seq,
                    lacks: format!(
                        "no step asked for it; a scenario that expects it says `unasked: {{ expected: [{}] }}`",
                        end.word,
                    ),
                }),
            ),
        };
        Miss {
            message,
            nearest,
            instead: Vec::new(),
            from: clock::LabTime::START,
            until: self.event.at(),
        }
    }
}
