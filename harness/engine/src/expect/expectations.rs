//! Meeting one clause after the other.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use clock::LabTime;
use language::{Captures, Clause, Pattern, Wanted, Window, duration};
use trace::{Event, Nearest, Source, Trace};

use super::cursors::{Cursors, Reading, Sets, Switched};
use super::matcher::Matcher;
use super::miss::Miss;
use super::near::Ideal;
use super::never::after;
use super::progress::{Progress, State};

/// How many of the last events of a source a miss shows.
const INSTEAD: usize = 5;
/// Among how many of the last events near misses are looked for.
const NEAR: usize = 20_000;

/// The expectations of one attempt, and how far they have read.
pub struct Expectations {
    trace: Trace,
    cursors: Cursors,
    /// What a line of the log takes at the most from the device to the trace.
    log_delay: Duration,
    switched: Switched,
}

impl Expectations {
    /// Nothing has been consumed.
    pub fn new(trace: Trace) -> Self {
        Self {
            trace,
            cursors: Cursors::default(),
            log_delay: Duration::ZERO,
            switched: Switched::default(),
        }
    }

    /// Another step than an expectation begins. Of one that switches a device's power what follows belongs to the
    /// next step, though the device may be faster than the switch.
    pub fn step_begins(&mut self, sets: Sets) {
        let at = self.trace.len() as u64;
        self.switched.power_just_now = sets == Sets::Power;
        match sets {
            Sets::Power => self.switched.power = at,
            Sets::Fault => self.switched.fault = at,
            Sets::Nothing => {}
        }
    }

    /// Waits so much longer than `within` for lines of a log, which come over a wire.
    pub fn with_log_delay(mut self, log_delay: Duration) -> Self {
        self.log_delay = log_delay;
        self
    }

    /// Waits until `clause` is met, or cannot be met any more. `step_start` is when its step began:
    /// `within` and `for` count from there. What is captured goes into `captures`.
    pub async fn meet(
        &mut self,
        clause: &Clause,
        captures: &mut Captures,
        step_start: LabTime,
    ) -> Result<(), Miss> {
        let mut watch = Watch::new(self, clause, captures, step_start)?;
        self.switched.power_just_now = false;
        loop {
            match watch.read() {
                State::Met(events) => {
                    self.consume(&events);
                    return capture(clause, captures, &watch, &events);
                }
                State::Violated(event) => return Err(watch.violated(&event)),
                State::Open => {}
            }
            if watch.is_over() {
                return match watch.progress.at_the_end() {
                    Some(events) => {
                        self.consume(&events);
                        Ok(())
                    }
                    None => Err(watch.missed(captures)),
                };
            }
            watch.wait().await;
        }
    }

    fn consume(&mut self, events: &[Arc<Event>]) {
        for event in events {
            self.cursors.consume(event);
        }
    }
}

fn capture(
    clause: &Clause,
    captures: &mut Captures,
    watch: &Watch<'_>,
    events: &[Arc<Event>],
) -> Result<(), Miss> {
    let Some(event) = events.last() else {
        return Ok(());
    };
    captures
        .take(&clause.capture, &event.data)
        .map_err(|error| Miss {
            message: error.to_string(),
            nearest: Some(Nearest {
                seq: event.seq,
                lacks: error.to_string(),
            }),
            instead: Vec::new(),
            from: watch.start,
            until: event.at(),
        })
}

/// One clause while it is being met.
struct Watch<'c> {
    trace: Trace,
    clause: &'c Clause,
    matcher: Matcher,
    reading: Reading,
    progress: Progress,
    /// When the step began.
    start: LabTime,
    deadline: LabTime,
    /// How much of that is for lines of a log alone.
    log_delay: Duration,
    /// The next position to read.
    next: usize,
    found: Vec<usize>,
}

impl<'c> Watch<'c> {
    fn new(
        expectations: &Expectations,
        clause: &'c Clause,
        captures: &Captures,
        start: LabTime,
    ) -> Result<Self, Miss> {
        let trace = expectations.trace.clone();
        let matcher = Matcher::new(clause.wanted.patterns(), captures, trace.secrets());
        let matcher = matcher.map_err(|error| Miss {
            message: error.to_string(),
            nearest: None,
            instead: Vec::new(),
            from: start,
            until: trace.clock().now(),
        })?;
        let reading = Reading::new(
            clause.since,
            &trace,
            matcher.sources(),
            &expectations.cursors,
            expectations.switched,
        );
        let waits_for_the_log = match &clause.wanted {
            Wanted::One(..)
            | Wanted::InOrder(..)
            | Wanted::AnyOrder(..)
            | Wanted::Count(_, _, Window::Within(_)) => matcher.sees(Source::Log),
            // They are about what must not come, too: what is late there is none of it.
            Wanted::Never(..) | Wanted::Count(_, _, Window::For(_)) => false,
        };
        let log_delay = match waits_for_the_log {
            true => expectations.log_delay,
            false => Duration::ZERO,
        };
        Ok(Self {
            next: reading.first(),
            matcher,
            reading,
            progress: Progress::new(&clause.wanted),
            start,
            deadline: start + clause.wanted.limit() + log_delay,
            log_delay,
            found: Vec::new(),
            clause,
            trace,
        })
    }

    /// Takes all events that are there and in time.
    fn read(&mut self) -> State {
        for event in self.trace.events_from(self.next) {
            if event.at() > self.deadline {
                break;
            }
            self.next = after(&event);
            self.matcher.matching(&event, &mut self.found);
            let is_late =
                event.source != Source::Log && event.at() + self.log_delay > self.deadline;
            if self.found.is_empty() || is_late || !self.reading.includes(&event) {
                continue;
            }
            match self.progress.take(&event, &self.found) {
                State::Open => {}
                known => return known,
            }
        }
        State::Open
    }

    /// Whether nothing that is in time can come any more.
    fn is_over(&self) -> bool {
        self.trace.clock().now() >= self.deadline
    }

    /// Ends with the next event or at the deadline.
    async fn wait(&self) {
        let seen = self.next;
        let left = self.deadline.since(self.trace.clock().now());
        // Running out of time is found out by the caller.
        let _ = self
            .trace
            .clock()
            .timeout(left, self.trace.longer_than(seen))
            .await;
    }

    fn violated(&self, event: &Event) -> Miss {
        let message = match &self.clause.wanted {
            Wanted::Count(pattern, count, _) => {
                format!("expected {count} {pattern}, and one more event matched")
            }
            _ => format!("expected {}, but such an event came", self.clause),
        };
        Miss {
            message,
            nearest: Some(Nearest {
                seq: event.seq,
                lacks: "nothing: it matches, and the scenario forbids it here".into(),
            }),
            instead: Vec::new(),
            from: self.start,
            until: event.at(),
        }
    }

    fn missed(&self, captures: &Captures) -> Miss {
        let missing = self.progress.missing();
        let patterns = self.clause.wanted.patterns();
        let wanted: Vec<&Pattern> = missing.iter().filter_map(|at| patterns.get(*at)).collect();
        let events = self.window();
        Miss {
            message: self.message(&wanted),
            nearest: wanted
                .iter()
                .find_map(|pattern| self.near(pattern, captures, &events)),
            instead: self.instead(&wanted, &events),
            from: self.start,
            until: self.deadline,
        }
    }

    fn message(&self, wanted: &[&Pattern]) -> String {
        let limit = duration::display(self.clause.wanted.limit());
        let seen = self.progress.seen();
        match &self.clause.wanted {
            Wanted::Count(pattern, count, _) => {
                format!("expected {count} {pattern} in {limit}, saw {seen}")
            }
            Wanted::InOrder(patterns, _) if seen > 0 => {
                let next = wanted.first().map(ToString::to_string).unwrap_or_default();
                let of = patterns.len();
                format!("{seen} of {of} events came in order; {next} did not follow within {limit}")
            }
            Wanted::AnyOrder(..) => {
                let names: Vec<_> = wanted.iter().map(ToString::to_string).collect();
                format!(
                    "these events did not come within {limit}: {}",
                    names.join(", ")
                )
            }
            _ => {
                let next = wanted.first().map(ToString::to_string).unwrap_or_default();
                format!("{next} did not come within {limit}")
            }
        }
    }

    /// The last events in time, consumed or not, behind what was met in order.
    fn window(&self) -> Vec<Arc<Event>> {
        let met = self.progress.after().map(|(seq, _)| seq);
        let mut last = VecDeque::new();
        let first = met.map_or(0, |seq| usize::try_from(seq).unwrap_or(usize::MAX));
        for event in self.trace.events_from(first) {
            if self.matcher.sees(event.source)
                && event.at() <= self.deadline
                && met.is_none_or(|met| event.seq > met)
            {
                if last.len() == NEAR {
                    last.pop_front();
                }
                last.push_back(event);
            }
        }
        last.into()
    }

    /// Near misses among the events that counted come first, then those that were consumed before.
    fn near(
        &self,
        pattern: &Pattern,
        captures: &Captures,
        events: &[Arc<Event>],
    ) -> Option<Nearest> {
        let (ahead, behind): (Vec<&Event>, Vec<&Event>) = events
            .iter()
            .map(Arc::as_ref)
            .partition(|event| self.reading.includes(event));
        let ideal = Ideal::new(pattern, captures, self.trace.secrets()).ok()?;
        ideal.nearest(ahead).or_else(|| ideal.nearest(behind))
    }

    fn instead(&self, wanted: &[&Pattern], events: &[Arc<Event>]) -> Vec<u64> {
        let Some(first) = wanted.first() else {
            return Vec::new();
        };
        let mut last: Vec<u64> = events
            .iter()
            .rev()
            .filter(|event| event.source == first.source && self.reading.includes(event))
            .take(INSTEAD)
            .map(|event| event.seq)
            .collect();
        last.reverse();
        last
    }
}
