//! The probe's thread's side of a board.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use probe_rs::semihosting::SemihostingCommand;
use probe_rs::{Core, MemoryInterface, Session};
use trace::in_full;

use super::boot::{End, HALT, Start};
use super::event::Listener;
use super::{Flashed, LogFormat, ProbeEvent, ProbeSettings, Progress, flash, open};
use crate::Exited;
use crate::defmt::{Image, Table};
use crate::error::{Attempting, ProbeError};

/// Without bytes, the board is asked again after this at first …
const FASTEST: Duration = Duration::from_micros(100);
/// … and after this in the end: a line waits no longer …
const SLOWEST: Duration = Duration::from_millis(10);
/// … unless the board has been silent for so long that it will be for longer.
const SILENCE: Duration = Duration::from_secs(5);
/// So seldom a silent board is asked, which costs next to nothing.
const SELDOM: Duration = Duration::from_millis(40);

/// A chip, the image that is to run on it, and what is heard from it.
pub(crate) struct Device {
    pub(crate) settings: ProbeSettings,
    pub(crate) image: Arc<Image>,
    table: Option<Arc<Table>>,
    listener: Listener,
    heard: Vec<ProbeEvent>,
    session: Option<Session>,
    running: Option<Running>,
    /// Its power was cut in a write since its last start, and that was told.
    dark: bool,
}

/// A firmware that is listened to.
struct Running {
    start: Start,
    wait: Duration,
    next: Instant,
    /// When there were bytes last, or it began.
    heard_last: Instant,
}

impl Device {
    pub(super) fn new(settings: ProbeSettings, image: Arc<Image>, listener: Listener) -> Self {
        Self {
            settings,
            image,
            table: None,
            listener,
            heard: Vec::new(),
            session: None,
            running: None,
            dark: false,
        }
    }

    /// The session; the first call opens the probe and looks whether the image is for the chip.
    pub(crate) fn session(&mut self) -> Result<&mut Session, ProbeError> {
        if self.session.is_none() {
            let session = open::open(&self.settings)?;
            self.image.fits(&open::chip_memory(session.target()))?;
            self.session = Some(session);
        }
        Ok(self.session.as_mut().expect("it was made above"))
    }

    /// Runs `job` with the chip's core.
    pub(crate) fn with_core<R>(
        &mut self,
        job: impl FnOnce(&mut Core<'_>) -> Result<R, ProbeError>,
    ) -> Result<R, ProbeError> {
        let mut core = self.session()?.core(0).attempting(reach)?;
        job(&mut core)
    }

    /// Lets go of the chip, which runs on or has no power.
    pub(super) fn detach(&mut self) {
        self.running = None;
        self.session = None;
    }

    /// The table of the image's log, read once.
    pub(crate) fn table(&mut self) -> Result<Option<Arc<Table>>, ProbeError> {
        if self.settings.log == LogFormat::Text {
            return Ok(None);
        }
        if self.table.is_none() {
            self.table = Some(Arc::new(self.image.defmt_table()?));
        }
        Ok(self.table.clone())
    }

    /// Whether the firmware runs and is listened to.
    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Whether its power was cut in a write since its last start.
    pub(super) fn is_dark(&self) -> bool {
        self.dark
    }

    /// Resets the chip and lets the firmware run.
    pub(super) fn start(&mut self) -> Result<(), ProbeError> {
        self.running = None;
        self.dark = false;
        let table = self.table()?;
        let (image, boot) = (self.image.clone(), self.settings.limits.boot);
        let start = self.with_core(|core| Start::new(core, &image, table, boot))?;
        self.running = Some(Running::new(start));
        Ok(())
    }

    /// Listens to a firmware that runs already, from now on.
    pub(super) fn join(&mut self) -> Result<(), ProbeError> {
        let table = self.table()?;
        let image = self.image.clone();
        let start = self.with_core(|core| Start::midway(core, &image, table))?;
        self.running = Some(Running::new(start));
        Ok(())
    }

    /// Lets the firmware run on without reading its log.
    pub(super) fn leave(&mut self) -> Result<(), ProbeError> {
        if let (Some(running), Some(session)) = (&mut self.running, &mut self.session) {
            running.start.leave(&mut session.core(0).attempting(reach)?);
        }
        self.detach();
        Ok(())
    }

    /// Starts the firmware anew and lets go of it.
    pub(super) fn run_alone(&mut self) -> Result<(), ProbeError> {
        self.with_core(|core| core.reset().attempting(|| "reset the core".to_owned()))?;
        self.detach();
        Ok(())
    }

    /// Stops the firmware where it is, hears its last words, and holds the chip in reset.
    pub(super) fn hold(&mut self) -> Result<(), ProbeError> {
        let running = self.running.take();
        let mut heard = Vec::new();
        self.with_core(|core| {
            if let Some(mut running) = running {
                // A core that is locked up does not halt, and is reset all the same.
                if core.halt(HALT).is_ok() {
                    running.start.drain(core, &mut heard)?;
                }
            }
            core.reset_and_halt(HALT)
                .attempting(|| "hold the core in reset".to_owned())
        })?;
        self.heard.append(&mut heard);
        self.tell();
        Ok(())
    }

    /// Reads memory, running or not.
    pub(super) fn read(&mut self, range: Range<u64>) -> Result<Vec<u8>, ProbeError> {
        let length = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(0);
        let mut bytes = vec![0; length];
        self.with_core(|core| {
            core.read(range.start, &mut bytes)
                .attempting(|| format!("read {length} bytes at {:#010x}", range.start))
        })?;
        Ok(bytes)
    }

    /// Writes one word of RAM, running or not.
    pub(super) fn write_word(&mut self, address: u64, word: u32) -> Result<(), ProbeError> {
        self.with_core(|core| {
            core.write_word_32(address, word)
                .attempting(|| format!("write a word at {address:#010x}"))
        })
    }

    /// Makes the image stand in memory, unless it stands there already.
    pub(crate) fn flash(
        &mut self,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Flashed, ProbeError> {
        self.running = None;
        let image = self.image.clone();
        flash::image(self.session()?, &image, false, progress)
    }

    /// Makes `bytes` stand at `address`, in flash or RAM. False if they stood there already.
    pub(super) fn write(
        &mut self,
        address: u64,
        bytes: &[u8],
        what: &str,
    ) -> Result<bool, ProbeError> {
        self.running = None;
        flash::write(self.session()?, address, bytes, what)
    }

    /// When to [`poll`](Self::poll) next; never, if nothing runs.
    pub(super) fn until_next_poll(&self) -> Option<Duration> {
        let running = self.running.as_ref()?;
        Some(running.next.saturating_duration_since(Instant::now()))
    }

    /// Listens to the board, if it runs and it is time to.
    pub(super) fn poll(&mut self) {
        let Some(running) = &mut self.running else {
            return;
        };
        if Instant::now() < running.next {
            return;
        }
        let Some(session) = &mut self.session else {
            self.running = None;
            return;
        };
        let polled = session
            .core(0)
            .attempting(reach)
            .and_then(|mut core| running.start.poll(&mut core, &self.image, &mut self.heard));
        running.wait = match polled {
            Ok((0, _)) if running.heard_last.elapsed() > SILENCE => SELDOM,
            Ok((0, _)) => (running.wait * 2).clamp(FASTEST, SLOWEST),
            _ => {
                running.heard_last = Instant::now();
                FASTEST
            }
        };
        running.next = match polled {
            Ok((0, _)) => Instant::now() + running.wait,
            _ => Instant::now(),
        };
        match polled {
            Ok((_, None)) => {}
            Ok((_, Some(end))) => self.ended(end),
            Err(error) => {
                self.detach();
                self.heard.push(ProbeEvent::Gone(in_full(&error)));
            }
        }
        self.tell();
    }

    fn ended(&mut self, end: End) {
        self.running = None;
        let (exited, crash) = match end {
            End::Dark => {
                self.dark = true;
                return self.heard.push(ProbeEvent::WentDark);
            }
            End::Exited { exited, crash } => (exited, crash),
            End::Asks(command) => {
                let how = match command {
                    SemihostingCommand::ExitSuccess => "exit code 0".to_owned(),
                    SemihostingCommand::ExitError(details) => {
                        format!("exit by semihosting: {details}")
                    }
                    _ => "waits for an answer by semihosting, which only tests get".to_owned(),
                };
                (Exited { how, panic: None }, None)
            }
        };
        self.heard.push(ProbeEvent::Exited { exited, crash });
    }

    /// Passes one thing on at once.
    pub(super) fn hear(&mut self, heard: ProbeEvent) {
        self.heard.push(heard);
        self.tell();
    }

    fn tell(&mut self) {
        if !self.heard.is_empty() {
            (self.listener)(&mut self.heard);
            self.heard.clear();
        }
    }
}

impl Running {
    fn new(start: Start) -> Self {
        Self {
            start,
            wait: FASTEST,
            next: Instant::now(),
            heard_last: Instant::now(),
        }
    }
}

/// What is attempted whenever anything is.
fn reach() -> String {
    "reach the core".to_owned()
}
