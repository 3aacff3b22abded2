//! What must not happen from the first event to the last.

use std::sync::Arc;

use trace::{Event, Nearest, Trace};

use super::matcher::{Matcher, NotReady};
use super::miss::Miss;
use crate::language::{Captures, Never, Placed};

/// Watches the trace for what must not happen. Make it before the first step; its secrets must be
/// known by then.
pub struct NeverWatch {
    trace: Trace,
    clauses: Vec<Placed<Never>>,
    matcher: Matcher,
    next: usize,
    found: Vec<usize>,
}

/// Something happened that must not.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The clause, from which its place and its claims can be told.
    pub clause: Placed<Never>,
    /// What happened.
    pub event: Arc<Event>,
}

impl NeverWatch {
    /// Watches from the first event on. Fails if a clause refers to something captured, which
    /// `check` does not let pass.
    pub fn new(trace: Trace, clauses: Vec<Placed<Never>>) -> Result<Self, NotReady> {
        let patterns = clauses.iter().map(|never| &never.pattern);
        let matcher = Matcher::new(patterns, &Captures::default(), trace.secrets())?;
        Ok(Self {
            trace,
            clauses,
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
                let clause = self.clauses[*first].clone();
                return Some(Violation { clause, event });
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
    /// The clause in a few words.
    pub fn label(&self) -> String {
        format!("never {}", self.clause.pattern)
    }

    /// The same as a miss.
    pub fn miss(&self) -> Miss {
        Miss {
            message: format!("{} must never come, but it did", self.clause.pattern),
            nearest: Some(Nearest {
                seq: self.event.seq,
                lacks: "nothing; it must not happen".into(),
            }),
            instead: Vec::new(),
            from: clock::LabTime::START,
            until: self.event.at(),
        }
    }
}
