//! How far expectations have read.

use std::collections::BTreeMap;

use trace::{Event, Source};

use crate::language::Since;

/// For every source and device, the first position that no expectation has consumed.
#[derive(Clone, Debug, Default)]
pub(super) struct Cursors(BTreeMap<(Source, Option<String>), u64>);

impl Cursors {
    /// The next expectation reads on behind `event`.
    pub fn consume(&mut self, event: &Event) {
        let cursor = self
            .0
            .entry((event.source, event.device.clone()))
            .or_default();
        *cursor = (*cursor).max(event.seq + 1);
    }

    /// Whether no expectation has gone past `event`.
    pub fn is_ahead(&self, event: &Event) -> bool {
        // A look-up would have to own the device's name; there are few entries.
        self.0
            .iter()
            .find(|((source, device), _)| *source == event.source && *device == event.device)
            .is_none_or(|(_, cursor)| event.seq >= *cursor)
    }
}

/// Which events one expectation reads.
pub(super) struct Reading {
    since: Since,
    /// Length of the trace when the step began.
    start: u64,
    cursors: Cursors,
}

impl Reading {
    /// Events that count as `since` says, for a step that begins at position `start`.
    pub fn new(since: Since, start: usize, cursors: &Cursors) -> Self {
        Self {
            since,
            start: start as u64,
            cursors: cursors.clone(),
        }
    }

    /// Whether `event` counts.
    pub fn includes(&self, event: &Event) -> bool {
        match self.since {
            Since::Start => true,
            Since::Now => event.seq >= self.start,
            Since::Cursor => self.cursors.is_ahead(event),
        }
    }

    /// The first position that can count.
    pub fn first(&self) -> usize {
        match self.since {
            Since::Now => usize::try_from(self.start).unwrap_or(usize::MAX),
            Since::Start | Since::Cursor => 0,
        }
    }
}
