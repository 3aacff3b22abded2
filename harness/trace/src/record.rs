//! Writing a trace.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::{SystemTime, UNIX_EPOCH};

use clock::Clock;

use crate::{Data, Event, FORMAT_VERSION, LogLine, Payload, Secrets, Started};

/// Bytes that may be gathered.
const MOST_UNWRITTEN: usize = 64 * 1024;

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
}

struct State {
    events: Vec<Arc<Event>>,
    /// Whoever waits for more events.
    waiting: Vec<Waker>,
    file: Option<File>,
    /// Whole lines that are not in the file yet: one, unless events are gathered.
    unwritten: Vec<u8>,
    /// How many are gathering.
    gathering: usize,
    failure: Option<io::Error>,
}

impl Trace {
    /// A trace that is kept in memory only.
    pub fn in_memory(clock: Clock) -> Self {
        Self::new(clock, None)
    }

    /// A trace that is kept in memory and written to a new file at `path`, one write per event.
    pub fn create(clock: Clock, path: &Path) -> Result<Self, CreateError> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(path)
            .map_err(|source| CreateError {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self::new(clock, Some(file)))
    }

    fn new(clock: Clock, file: Option<File>) -> Self {
        let epoch_s = clock.epoch().as_secs();
        let trace = Self {
            inner: Arc::new(Inner {
                clock,
                secrets: Secrets::default(),
                state: Mutex::new(State {
                    events: Vec::new(),
                    waiting: Vec::new(),
                    file,
                    unwritten: Vec::new(),
                    gathering: 0,
                    failure: None,
                }),
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
        let seq = state.events.len() as u64;
        let event = Event {
            seq,
            lab_us: self.inner.clock.now().as_micros(),
            wall_us: u64::try_from(wall.as_micros()).unwrap_or(u64::MAX),
            source: P::SOURCE,
            device: device.map(str::to_owned),
            kind: P::KIND.into(),
            data,
        };
        state.write(&event);
        state.events.push(Arc::new(event));
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
        self.state().events.len()
    }

    /// Never true: a trace begins with [`Started`].
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The event at `position`.
    pub fn event(&self, position: usize) -> Option<Arc<Event>> {
        self.state().events.get(position).cloned()
    }

    /// The events from `position` on.
    pub fn since(&self, position: usize) -> Vec<Arc<Event>> {
        let state = self.state();
        state.events.get(position..).unwrap_or_default().to_vec()
    }

    /// Waits until there are more than `length` events.
    pub async fn longer_than(&self, length: usize) {
        std::future::poll_fn(|context| {
            let mut state = self.state();
            if state.events.len() > length {
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

    /// The clock that stamps the events.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// Why the file could not be written, once; nothing was lost in memory.
    pub fn take_failure(&self) -> Option<io::Error> {
        self.state().failure.take()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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
            state.flush();
        }
    }
}

impl State {
    fn write(&mut self, event: &Event) {
        if self.file.is_none() {
            return;
        }
        let whole = self.unwritten.len();
        match serde_json::to_writer(&mut self.unwritten, event) {
            Ok(()) => self.unwritten.push(b'\n'),
            Err(error) => {
                self.unwritten.truncate(whole);
                self.fail(error.into());
            }
        }
        if self.gathering == 0 || self.unwritten.len() > MOST_UNWRITTEN {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let Some(file) = &mut self.file else { return };
        let written = file.write_all(&self.unwritten);
        self.unwritten.clear();
        if let Err(error) = written {
            self.fail(error);
        }
    }

    fn fail(&mut self, error: io::Error) {
        self.failure.get_or_insert(error);
        self.file = None;
    }
}

/// A trace file could not be made.
#[derive(Debug, thiserror::Error)]
#[error("failed to create the trace {}", path.display())]
pub struct CreateError {
    path: PathBuf,
    source: io::Error,
}
