//! How far expectations have read.

use std::collections::BTreeMap;

use trace::{Event, Source, Trace};

use language::Since;

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

    /// The first position that can hold an event of `source` which no expectation has gone past.
    fn first_ahead(&self, trace: &Trace, source: Source) -> Option<u64> {
        let first = |(device, beginning): (Option<String>, usize)| {
            let cursor = self.0.get(&(source, device)).copied().unwrap_or_default();
            cursor.max(beginning as u64)
        };
        trace.beginnings(source).into_iter().map(first).min()
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

/// What a step sets that expectations can read from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sets {
    /// A device's power, at once.
    Power,
    /// A fault, on or off.
    Fault,
    /// Nothing of these.
    Nothing,
}

/// When steps last began to set something: lengths of the trace at that time.
#[derive(Clone, Copy, Default)]
pub(super) struct Switched {
    pub power: u64,
    pub fault: u64,
    /// Whether the step before has set a device's power.
    pub power_just_now: bool,
}

/// Which events one expectation reads.
pub(super) struct Reading {
    since: Since,
    /// Length of the trace from which on `now` counts.
    start: u64,
    /// The first position that can count.
    first: u64,
    cursors: Cursors,
}

impl Reading {
    /// Those events of `sources` in `trace` that count as `since` says, for a step that begins now.
    pub fn new(
        since: Since,
        trace: &Trace,
        sources: &[Source],
        cursors: &Cursors,
        switched: Switched,
    ) -> Self {
        let start = match since {
            Since::Power => switched.power,
            Since::Fault => switched.fault,
            _ if switched.power_just_now => switched.power,
            _ => trace.len() as u64,
        };
        let first = match since {
            Since::Start => 0,
            Since::Now | Since::Power | Since::Fault => start,
            // A source that has told of nothing yet begins behind what there is.
            Since::Cursor => {
                let sources = sources.iter();
                let ahead = sources.filter_map(|source| cursors.first_ahead(trace, *source));
                ahead.min().map_or(start, |first| first.min(start))
            }
        };
        Self {
            since,
            start,
            first,
            cursors: cursors.clone(),
        }
    }

    /// Whether `event` counts.
    pub fn includes(&self, event: &Event) -> bool {
        match self.since {
            Since::Start => true,
            Since::Now | Since::Power | Since::Fault => event.seq >= self.start,
            Since::Cursor => self.cursors.is_ahead(event),
        }
    }

    /// The first position that can count.
    pub fn first(&self) -> usize {
        usize::try_from(self.first).unwrap_or(usize::MAX)
    }
}
