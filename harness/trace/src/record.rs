//! Writing a trace.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Poll, Waker};
use std::time::{SystemTime, UNIX_EPOCH};

use capture::Capture;
use clock::Clock;

use crate::store::{Chunk, Store};
use crate::{Data, Event, FORMAT_VERSION, LogLine, Payload, Secrets, Source, Started};

/// The trace of one attempt; cheap to clone, all clones write to the same.
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # runtime.block_on(async {
/// use trace::{Level, LogLine, Trace};
/// let trace = Trace::in_memory(clock::Clock::start(1.0));
/// trace.secrets().add("passphrase home", "correct horse");
/// trace.emit(Some("device"), &LogLine {
///     level: Level::Info,
///     tag: "app".into(),
///     text: "Password : correct horse".into(),
///     device_ms: None,
///     place: None,
/// });
/// let line: LogLine = trace.event(1).unwrap().payload().unwrap();
/// assert_eq!(line.text, "Password : <passphrase home>");
/// # });
/// ```
#[derive(Clone)]
pub struct Trace {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Clock,
    secrets: Secrets,
    state: Mutex<State>,
    /// Where those who carry packets copy them to.
    capture: OnceLock<Capture>,
}

struct State {
    store: Store,
    /// The tasks that wait for more events.
    waiting: Vec<Waker>,
    /// How many [`Gather`]s live.
    gathering: usize,
}

impl Trace {
    /// A trace that is kept in memory only, all of it.
    pub fn in_memory(clock: Clock) -> Self {
        Self::new(clock, Store::in_memory(), Secrets::default())
    }

    /// A trace of which only the last events are kept, in memory, some MiB of them, as they were emitted:
    /// for what is passed on, and stored nowhere. What only looks like a secret stays.
    ///
    /// A reader that falls behind finds events missing: [`Event::seq`] tells which one it has.
    pub fn passing(clock: Clock) -> Self {
        Self::new(clock, Store::of_the_last(), Secrets::only_added())
    }

    /// A trace that is written to a new file at `path`, one write per event. The last events are
    /// kept in memory, too, some MiB of them; earlier ones are read again from the file.
    pub fn create(clock: Clock, path: &Path) -> Result<Self, CreateError> {
        let store = Store::create(path).map_err(|source| CreateError {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self::new(clock, store, Secrets::default()))
    }

    fn new(clock: Clock, store: Store, secrets: Secrets) -> Self {
        let epoch_s = clock.epoch().as_secs();
        let trace = Self {
            inner: Arc::new(Inner {
                clock,
                secrets,
                state: Mutex::new(State {
                    store,
                    waiting: Vec::new(),
                    gathering: 0,
                }),
                capture: OnceLock::new(),
            }),
        };
        trace.emit(
            None,
            &Started {
                format: FORMAT_VERSION,
                epoch_s,
            },
        );
        trace
    }

    /// Appends an event and returns its position. Secrets are replaced on the way.
    pub fn emit<P: Payload>(&self, device: Option<&str>, payload: &P) -> u64 {
        let data = Data::of(payload, &self.inner.secrets);
        self.append::<P>(device, data)
    }

    /// Appends a line of a device's log and returns its position, like [`Trace::emit`]. There are
    /// many of them, and this is the quicker way.
    pub fn log(&self, device: &str, line: LogLine) -> u64 {
        let data = Data::of_line(line, &self.inner.secrets);
        self.append::<LogLine>(Some(device), data)
    }

    fn append<P: Payload>(&self, device: Option<&str>, data: Data) -> u64 {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let mut state = self.state();
        let seq = state.store.len() as u64;
        let event = Event {
            seq,
            lab_us: self.inner.clock.now().as_micros(),
            wall_us: u64::try_from(wall.as_micros()).unwrap_or(u64::MAX),
            source: P::SOURCE,
            device: device.map(str::to_owned),
            kind: P::KIND.into(),
            data,
        };
        let gathering = state.gathering > 0;
        state.store.push(event, gathering);
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
        seq
    }

    /// Until the guard is dropped, events are written together instead of one by one. For many that
    /// arrived together, and nowhere where the thread could come to a stop: what a worker has not
    /// written when it is killed is lost.
    #[must_use = "events are gathered only while the guard lives"]
    pub fn gather(&self) -> Gather {
        self.state().gathering += 1;
        Gather {
            trace: self.clone(),
        }
    }

    /// Number of events so far.
    pub fn len(&self) -> usize {
        self.state().store.len()
    }

    /// Never true: a trace begins with [`Started`].
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The event at `position`.
    pub fn event(&self, position: usize) -> Option<Arc<Event>> {
        let end = self.len().min(position.checked_add(1)?);
        self.events(position, end).next()
    }

    /// For each device of which `source` has told, the position of the first event.
    pub fn beginnings(&self, source: Source) -> Vec<(Option<String>, usize)> {
        let state = self.state();
        let beginnings = state.store.beginnings(source);
        let owned = beginnings.map(|(device, position)| (device.map(str::to_owned), position));
        owned.collect()
    }

    /// All events from `position` on, in memory together: for traces that are known to be short.
    pub fn since(&self, position: usize) -> Vec<Arc<Event>> {
        self.events_from(position).collect()
    }

    /// The events from `position` on, up to the last that there is now, one after the other. What
    /// is not in memory any more is read from the file, a few at a time.
    pub fn events_from(&self, position: usize) -> Events {
        self.events(position, self.len())
    }

    fn events(&self, next: usize, end: usize) -> Events {
        Events {
            trace: self.clone(),
            next,
            end,
            chunk: Vec::new().into_iter(),
        }
    }

    /// Some events from `position` on, before `end`, and the position behind them.
    fn chunk(&self, position: usize, end: usize) -> (Vec<Arc<Event>>, usize) {
        let filed = match self.state().store.chunk(position, end) {
            Chunk::Held(events) => {
                let last = events.last().map_or(position, |last| last.seq as usize);
                return (events, last + 1);
            }
            Chunk::Filed(filed) => filed,
        };
        match filed.read(position, end) {
            Ok(events) => {
                let behind = position + events.len();
                (events, behind)
            }
            // The witness of the trace tells it, and the attempt is broken.
            Err(error) => {
                let mut state = self.state();
                state.store.fail(error);
                (Vec::new(), state.store.first_held().max(position + 1))
            }
        }
    }

    /// Waits until there are more than `length` events.
    pub async fn longer_than(&self, length: usize) {
        std::future::poll_fn(|context| {
            let mut state = self.state();
            if state.store.len() > length {
                return Poll::Ready(());
            }
            // One task often waits in several places.
            let waker = context.waker();
            if !state.waiting.iter().any(|other| other.will_wake(waker)) {
                state.waiting.push(waker.clone());
            }
            Poll::Pending
        })
        .await;
    }

    /// The secrets of this run.
    pub fn secrets(&self) -> &Secrets {
        &self.inner.secrets
    }

    /// Has packets captured from now on by those who carry them. The first capture stays.
    pub fn capture_into(&self, capture: Capture) {
        // A second one would be another file of the same attempt, which nobody asks for.
        let _ = self.inner.capture.set(capture);
    }

    /// Where packets are captured, if they are. It is no part of the trace: nothing is redacted there.
    pub fn capture(&self) -> Option<&Capture> {
        self.inner.capture.get()
    }

    /// The clock that stamps the events.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Why the file could not be written or read again, once. What could not be written is kept in
    /// memory.
    pub fn take_failure(&self) -> Option<io::Error> {
        self.state().store.take_failure()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Events of a trace in their order; see [`Trace::events_from`].
pub struct Events {
    trace: Trace,
    next: usize,
    end: usize,
    chunk: std::vec::IntoIter<Arc<Event>>,
}

impl Iterator for Events {
    type Item = Arc<Event>;

    fn next(&mut self) -> Option<Arc<Event>> {
        loop {
            if let Some(event) = self.chunk.next() {
                return Some(event);
            }
            if self.next >= self.end {
                return None;
            }
            let (events, next) = self.trace.chunk(self.next, self.end);
            self.chunk = events.into_iter();
            self.next = next;
        }
    }
}

/// Events are gathered; see [`Trace::gather`].
pub struct Gather {
    trace: Trace,
}

impl Drop for Gather {
    fn drop(&mut self) {
        let mut state = self.trace.state();
        state.gathering -= 1;
        if state.gathering == 0 {
            state.store.flush();
        }
    }
}

/// A trace file could not be made.
#[derive(Debug, thiserror::Error)]
#[error("failed to create the trace {}", path.display())]
pub struct CreateError {
    path: PathBuf,
    source: io::Error,
}
