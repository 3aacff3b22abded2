//! What a clause has seen so far.

use std::sync::Arc;

use clock::LabTime;
use trace::Event;

use language::{Count, Wanted, Window};

/// What is known about a clause after some events.
pub(super) enum State {
    /// More events, or the end of time, must tell.
    Open,
    /// These events met it; the last one is captured from.
    Met(Vec<Arc<Event>>),
    /// This event must not have happened.
    Violated(Arc<Event>),
}

/// What a clause has seen so far.
pub(super) enum Progress {
    /// Patterns met one after the other.
    InOrder {
        events: Vec<Arc<Event>>,
        wanted: usize,
    },
    /// For each pattern the event that meets it, and which patterns that event could meet.
    AnyOrder(Vec<Option<(Arc<Event>, Vec<usize>)>>),
    /// Matching events: how many, and the last of each source and device.
    Count {
        seen: u64,
        last: Vec<Arc<Event>>,
        count: Count,
        to_the_end: bool,
    },
    /// Nothing yet.
    Never,
}

impl Progress {
    /// Nothing has been seen.
    pub fn new(wanted: &Wanted) -> Self {
        match wanted {
            Wanted::One(..) => Self::InOrder {
                events: Vec::new(),
                wanted: 1,
            },
            Wanted::InOrder(patterns, _) => Self::InOrder {
                events: Vec::new(),
                wanted: patterns.len(),
            },
            Wanted::AnyOrder(patterns, _) => Self::AnyOrder(vec![None; patterns.len()]),
            Wanted::Count(_, count, window) => Self::Count {
                seen: 0,
                last: Vec::new(),
                count: *count,
                to_the_end: matches!(window, Window::For(_)),
            },
            Wanted::Never(..) => Self::Never,
        }
    }

    /// Takes the next event, which matches the patterns at the positions `found`.
    pub fn take(&mut self, event: &Arc<Event>, found: &[usize]) -> State {
        if found.is_empty() {
            return State::Open;
        }
        match self {
            Self::InOrder { events, wanted } => {
                if found.contains(&events.len()) {
                    events.push(Arc::clone(event));
                }
                if events.len() == *wanted {
                    return State::Met(std::mem::take(events));
                }
            }
            Self::AnyOrder(owners) => {
                assign(owners, event, found);
                if owners.iter().all(Option::is_some) {
                    return State::Met(
                        owners.drain(..).flatten().map(|(event, _)| event).collect(),
                    );
                }
            }
            Self::Count {
                seen,
                last,
                count,
                to_the_end,
            } => {
                *seen += 1;
                keep_last(last, event);
                if *to_the_end && count.at_most.is_some_and(|most| *seen > most) {
                    return State::Violated(Arc::clone(event));
                }
                if !*to_the_end && *seen >= count.at_least {
                    return State::Met(std::mem::take(last));
                }
            }
            Self::Never => return State::Violated(Arc::clone(event)),
        }
        State::Open
    }

    /// What is known when no more events come: the events that met the clause, or nothing.
    pub fn at_the_end(&self) -> Option<Vec<Arc<Event>>> {
        match self {
            Self::Never => Some(Vec::new()),
            Self::Count {
                seen, last, count, ..
            } => (*seen >= count.at_least).then(|| last.clone()),
            Self::InOrder { .. } | Self::AnyOrder(_) => None,
        }
    }

    /// Positions of the patterns that are not met.
    pub fn missing(&self) -> Vec<usize> {
        match self {
            Self::InOrder { events, wanted } => (events.len()..*wanted).collect(),
            Self::AnyOrder(owners) => (0..owners.len())
                .filter(|at| owners[*at].is_none())
                .collect(),
            Self::Count { .. } | Self::Never => vec![0],
        }
    }

    /// How many events have been met or counted.
    pub fn seen(&self) -> u64 {
        match self {
            Self::InOrder { events, .. } => events.len() as u64,
            Self::Count { seen, .. } => *seen,
            Self::AnyOrder(owners) => owners.iter().flatten().count() as u64,
            Self::Never => 0,
        }
    }

    /// When the last event was met in order: what is missing can only come after it.
    pub fn after(&self) -> Option<(u64, LabTime)> {
        match self {
            Self::InOrder { events, .. } => events.last().map(|event| (event.seq, event.at())),
            _ => None,
        }
    }
}

/// Keeps `event` in the place of an earlier one of the same source and device: to consume the last
/// is to consume all before it, and a long run counts too many to keep them.
fn keep_last(last: &mut Vec<Arc<Event>>, event: &Arc<Event>) {
    let same =
        |other: &&mut Arc<Event>| other.source == event.source && other.device == event.device;
    match last.iter_mut().find(same) {
        Some(earlier) => *earlier = Arc::clone(event),
        None => last.push(Arc::clone(event)),
    }
}

/// Gives `event` to a pattern that no event meets, moving other events to other patterns that they
/// could meet as well: an event that finds no place now will never find one.
fn assign(owners: &mut [Option<(Arc<Event>, Vec<usize>)>], event: &Arc<Event>, found: &[usize]) {
    let mut tried = vec![false; owners.len()];
    place(owners, (Arc::clone(event), found.to_vec()), &mut tried);
}

fn place(
    owners: &mut [Option<(Arc<Event>, Vec<usize>)>],
    candidate: (Arc<Event>, Vec<usize>),
    tried: &mut [bool],
) -> bool {
    for at in candidate.1.clone() {
        if std::mem::replace(&mut tried[at], true) {
            continue;
        }
        let free = match owners[at].clone() {
            None => true,
            Some(owner) => place(owners, owner, tried),
        };
        if free {
            owners[at] = Some(candidate);
            return true;
        }
    }
    false
}
