//! Writing a trace.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use clock::Clock;
use serde_json::Value;
use tokio::sync::watch;

use crate::{Event, FORMAT_VERSION, Payload, Secrets, Started};

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
    length: watch::Sender<usize>,
}

struct State {
    events: Vec<Arc<Event>>,
    file: Option<File>,
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
                    file,
                    failure: None,
                }),
                length: watch::Sender::new(0),
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
        // A payload is plain data; if it cannot be written, that fact is the event.
        let mut data = serde_json::to_value(payload)
            .unwrap_or_else(|error| Value::String(format!("not serialisable: {error}")));
        self.inner.secrets.redact(&mut data);
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
            kind: P::KIND.to_owned(),
            data,
        };
        state.write(&event);
        state.events.push(Arc::new(event));
        self.inner.length.send_replace(state.events.len());
        drop(state);
        seq
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
        let mut watcher = self.inner.length.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = watcher.wait_for(|now| *now > length).await;
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

impl State {
    fn write(&mut self, event: &Event) {
        let Some(file) = &mut self.file else { return };
        let written = serde_json::to_vec(event)
            .map_err(io::Error::from)
            .and_then(|mut line| {
                line.push(b'\n');
                file.write_all(&line)
            });
        if let Err(error) = written {
            self.failure.get_or_insert(error);
            self.file = None;
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
