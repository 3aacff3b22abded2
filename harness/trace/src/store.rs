//! Where the events of a trace are: the last of them in memory, and all of them in the file.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Data, Event, LogLine, Payload as _, Source};

/// Bytes that may be gathered before they are written.
const MOST_UNWRITTEN: usize = 64 * 1024;
/// About how many bytes of events stay in memory once they are in the file.
const MOST_HELD: usize = 4 << 20;
/// About what an event takes besides its text.
const OVERHEAD: usize = 320;
/// The place in the file of every so many'th event is remembered.
const BLOCK: usize = 64;
/// Most events that are handed out together.
const CHUNK: usize = 1024;

/// The events of a trace, by position.
pub(crate) struct Store {
    /// The last events.
    recent: VecDeque<Held>,
    /// Position of the first of them; those before it are in the file alone.
    first: usize,
    /// About how many bytes they take.
    held: usize,
    file: Option<TraceFile>,
    /// Whether what is in no file is forgotten, too.
    forgets: bool,
    failure: Option<io::Error>,
    /// For each source and device the position of its first event, in order of appearance.
    beginnings: Vec<(Source, Option<String>, usize)>,
}

/// An event in memory.
struct Held {
    event: Arc<Event>,
    bytes: usize,
}

/// The file, which only grows.
struct TraceFile {
    file: Arc<File>,
    /// Where each [`BLOCK`]th event begins.
    blocks: Vec<u64>,
    /// Bytes and events that are in it.
    written: u64,
    written_events: usize,
    /// Whole lines that are not in it yet.
    unwritten: Vec<u8>,
    unwritten_events: usize,
    /// Whether a write has failed: nothing more is written, and nothing more forgotten.
    failed: bool,
}

/// Events that follow one another, or where to read them.
pub(crate) enum Chunk {
    /// They were in memory.
    Held(Vec<Arc<Event>>),
    /// They are in the file.
    Filed(Filed),
}

/// A part of the file that holds events.
pub(crate) struct Filed {
    file: Arc<File>,
    from: u64,
    until: u64,
    /// Position of the event at `from`.
    first: usize,
}

/// An event as the file has it, its data unread.
#[derive(Deserialize)]
struct Stored<'l> {
    seq: u64,
    lab_us: u64,
    wall_us: u64,
    source: Source,
    #[serde(default)]
    device: Option<String>,
    kind: String,
    #[serde(borrow)]
    data: &'l RawValue,
}

impl Stored<'_> {
    fn event(self) -> serde_json::Result<Event> {
        let is_line = self.source == LogLine::SOURCE && self.kind == LogLine::KIND;
        Ok(Event {
            seq: self.seq,
            lab_us: self.lab_us,
            wall_us: self.wall_us,
            source: self.source,
            device: self.device,
            data: Data::stored(self.data, is_line)?,
            kind: self.kind.into(),
        })
    }
}

impl Store {
    /// Keeps everything in memory.
    pub fn in_memory() -> Self {
        Self {
            recent: VecDeque::new(),
            first: 0,
            held: 0,
            file: None,
            forgets: false,
            failure: None,
            beginnings: Vec::new(),
        }
    }

    /// Keeps the last events in memory, and nothing else.
    pub fn of_the_last() -> Self {
        Self {
            forgets: true,
            ..Self::in_memory()
        }
    }

    /// Keeps the last events in memory and all in a new file.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .append(true)
            .create_new(true)
            .open(path)?;
        let file = TraceFile {
            file: Arc::new(file),
            blocks: Vec::new(),
            written: 0,
            written_events: 0,
            unwritten: Vec::new(),
            unwritten_events: 0,
            failed: false,
        };
        Ok(Self {
            file: Some(file),
            ..Self::in_memory()
        })
    }

    /// Number of events.
    pub fn len(&self) -> usize {
        self.first + self.recent.len()
    }

    /// For each device of which `source` has told, the position of the first event.
    pub fn beginnings(&self, source: Source) -> impl Iterator<Item = (Option<&str>, usize)> {
        let of_source = self.beginnings.iter().filter(move |(of, ..)| *of == source);
        of_source.map(|(_, device, position)| (device.as_deref(), *position))
    }

    fn note_beginning(&mut self, event: &Event) {
        let known = |(source, device, _): &(Source, Option<String>, usize)| {
            *source == event.source && *device == event.device
        };
        if !self.beginnings.iter().any(known) {
            let beginning = (event.source, event.device.clone(), self.len());
            self.beginnings.push(beginning);
        }
    }

    /// Appends `event`, whose `seq` is [`Store::len`]. It is written at once unless `gathering`.
    pub fn push(&mut self, event: Event, gathering: bool) {
        self.note_beginning(&event);
        let mut bytes = 0;
        if let Some(file) = &mut self.file {
            match file.add(&event) {
                Ok(added) => bytes = added,
                Err(error) => self.fail(error),
            }
        } else if self.forgets {
            match serde_json::to_string(&event) {
                Ok(text) => bytes = text.len(),
                Err(error) => self.fail(error.into()),
            }
        }
        self.held += bytes + OVERHEAD;
        self.recent.push_back(Held {
            event: Arc::new(event),
            bytes,
        });
        let full = |file: &TraceFile| file.unwritten.len() > MOST_UNWRITTEN;
        if !gathering || self.file.as_ref().is_some_and(full) {
            self.flush();
        }
    }

    /// Writes what was gathered.
    pub fn flush(&mut self) {
        if let Some(file) = &mut self.file
            && let Err(error) = file.flush()
        {
            self.fail(error);
        }
        self.forget();
    }

    /// Forgets the oldest events in memory, if there are too many, that are in the file or need not be.
    fn forget(&mut self) {
        let filed = match &self.file {
            Some(file) => file.written_events,
            // The last one stays, however large it is.
            None if self.forgets => self.len().saturating_sub(1),
            None => 0,
        };
        while self.held > MOST_HELD && self.first < filed {
            let Some(oldest) = self.recent.pop_front() else {
                return;
            };
            self.held -= oldest.bytes + OVERHEAD;
            self.first += 1;
        }
    }

    /// Some events from `position` on, before `end`; at least one if there is one. Those that are
    /// forgotten are left out.
    pub fn chunk(&self, position: usize, end: usize) -> Chunk {
        match &self.file {
            Some(file) if position < self.first => Chunk::Filed(file.block(position)),
            _ => {
                let from = position.saturating_sub(self.first).min(self.recent.len());
                let until = end.saturating_sub(self.first).min(from + CHUNK);
                let until = until.clamp(from, self.recent.len());
                let held = self.recent.range(from..until);
                Chunk::Held(held.map(|held| Arc::clone(&held.event)).collect())
            }
        }
    }

    /// Position of the first event in memory.
    pub fn first_held(&self) -> usize {
        self.first
    }

    /// Remembers the first failure, for [`Store::take_failure`].
    pub fn fail(&mut self, error: io::Error) {
        self.failure.get_or_insert(error);
    }

    /// The first failure since the last call.
    pub fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }
}

impl TraceFile {
    /// Adds a line to those that are to be written, and says how long it is.
    fn add(&mut self, event: &Event) -> io::Result<usize> {
        if self.failed {
            return Ok(0);
        }
        let whole = self.unwritten.len();
        if let Err(error) = serde_json::to_writer(&mut self.unwritten, event) {
            self.unwritten.truncate(whole);
            self.failed = true;
            return Err(error.into());
        }
        self.unwritten.push(b'\n');
        if (self.written_events + self.unwritten_events).is_multiple_of(BLOCK) {
            self.blocks.push(self.written + whole as u64);
        }
        self.unwritten_events += 1;
        Ok(self.unwritten.len() - whole)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.failed && self.unwritten.is_empty() {
            return Ok(());
        }
        let result = (&*self.file).write_all(&self.unwritten);
        if result.is_ok() {
            self.written += self.unwritten.len() as u64;
            self.written_events += self.unwritten_events;
        } else {
            self.failed = true;
        }
        self.unwritten.clear();
        // A burst must not hold its memory for ever.
        self.unwritten.shrink_to(MOST_UNWRITTEN);
        self.unwritten_events = 0;
        result
    }

    /// Where the block is in which the event at `position` stands, which must be in the file.
    fn block(&self, position: usize) -> Filed {
        let number = position / BLOCK;
        let start = |number: usize| self.blocks.get(number).copied().unwrap_or(self.written);
        Filed {
            file: Arc::clone(&self.file),
            from: start(number),
            until: start(number + 1).min(self.written),
            first: number * BLOCK,
        }
    }
}

impl Filed {
    /// Reads the events from `position` on, before `end`.
    pub fn read(&self, position: usize, end: usize) -> io::Result<Vec<Arc<Event>>> {
        let length = usize::try_from(self.until - self.from).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, self.from)?;
        let mut events = Vec::new();
        for (seq, line) in (self.first..end).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
            if seq < position {
                continue;
            }
            let event = serde_json::from_slice::<Stored<'_>>(line)?.event()?;
            if event.seq != seq as u64 {
                return Err(io::Error::other("another program has changed the trace"));
            }
            events.push(Arc::new(event));
        }
        if events.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(events)
    }
}
