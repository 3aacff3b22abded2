//! Resets and crashes that a log tells of.

use trace::RestartCause;

use crate::{Chip, Part, crash, reset};

/// What a part of a line tells, beside its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The chip was reset: a line of its ROM.
    Reset(RestartCause),
    /// The firmware ends by itself.
    Crash(RestartCause),
}

/// What `part` tells. The `chip`, which [`Chip::named_in`] finds in a line before, tells what numbers
/// mean that have an unknown name.
pub fn event(part: &Part<'_>, chip: Option<Chip>) -> Option<Event> {
    let text = match part {
        Part::Record(head) => return crash::cause_in(head).map(Event::Crash),
        Part::Plain(text) => text.trim_start(),
    };
    let reset = reset::cause(text, chip).map(Event::Reset);
    reset.or_else(|| crash::cause(text).map(Event::Crash))
}
