//! The few events of a trace that explain a failure.

use std::path::Path;

use trace::{Event, Failure, Finished, LogLine, StepEnded, UnreadLines};

/// So many of the device's last lines are shown.
const LAST_LINES: usize = 8;

/// The few events of a trace that explain a failure.
#[derive(Debug, Default)]
pub(crate) struct Excerpt {
    events: Vec<Event>,
}

impl Excerpt {
    /// Reads the trace at `path`; one that is missing or damaged has nothing to show, which the
    /// failure itself says already.
    pub(crate) fn of(path: &Path) -> Self {
        Self {
            events: trace::read(path).unwrap_or_default(),
        }
    }

    pub(crate) fn event(&self, seq: u64) -> Option<&Event> {
        let at = self.events.binary_search_by_key(&seq, |event| event.seq);
        at.ok().map(|at| &self.events[at])
    }

    /// The event with which it was plain that the attempt fails: the end of the missed step, or
    /// else the verdict, or else the last event at all.
    pub(crate) fn moment(&self, failure: &Failure) -> Option<&Event> {
        let missed = |event: &&Event| {
            event
                .payload::<StepEnded>()
                .is_some_and(|ended| !ended.ok && Some(ended.step) == failure.step)
        };
        self.events
            .iter()
            .find(missed)
            .or_else(|| self.events.iter().rfind(|event| event.is::<Finished>()))
            .or(self.events.last())
    }

    /// Each device's last log lines until `moment`, in the order of the trace.
    pub(crate) fn last_lines(&self, moment: Option<&Event>) -> Vec<&Event> {
        let mut lines: Vec<_> = self
            .until(moment)
            .rev()
            .filter(|event| event.is::<LogLine>())
            .take(LAST_LINES)
            .collect();
        lines.reverse();
        lines
    }

    /// Lines of each start's log that are in no known form.
    pub(crate) fn unread(&self) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(|event| event.is::<UnreadLines>())
    }

    /// What the clock of the device showed last, until `moment`, in ms.
    pub(crate) fn device_ms(&self, moment: Option<&Event>) -> Option<u64> {
        self.until(moment)
            .rev()
            .find_map(|event| event.payload::<LogLine>()?.device_ms)
    }

    /// Whether more than one device appears.
    pub(crate) fn several_devices(&self) -> bool {
        let mut names = self.events.iter().filter_map(|event| event.device.as_ref());
        let first = names.next();
        names.any(|name| Some(name) != first)
    }

    fn until(&self, moment: Option<&Event>) -> impl DoubleEndedIterator<Item = &Event> {
        let last = moment.map_or(u64::MAX, |event| event.seq);
        let end = self.events.partition_point(|event| event.seq <= last);
        self.events[..end].iter()
    }
}
