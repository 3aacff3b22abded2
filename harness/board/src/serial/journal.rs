//! What a serial board appends to the trace.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dialect::{Event, Row};
use trace::{RestartCause, Restarted, Trace, UnreadLines, Witness, WitnessReport};

use super::dump::Dump;
use super::flash::Flashed;
use super::reader::{PortEvent, Sink};
use super::remember::hex;
use super::starts::Starts;
use crate::rig::SerialLink;
use crate::state::is_restart;
use crate::{Exited, Garbage, ImageFlashed};

/// Records of one opening that are kept. A device that says more is out of its mind.
const MOST_RECORDS: u64 = 1_000_000;

/// After so long without a line, a device that has crashed has said all.
const QUIET: Duration = Duration::from_millis(300);
/// A device that goes on after it has crashed is listened to for so long.
const LONGEST_DRAIN: Duration = Duration::from_secs(3);
/// How often to look whether there was a line.
const LOOK: Duration = Duration::from_millis(20);

/// The trace, as one board writes it.
#[derive(Clone)]
pub(super) struct Journal {
    device: String,
    port: String,
    trace: Trace,
    /// The board was started, and its ROM has said nothing since.
    started: Arc<AtomicBool>,
    since_start: Arc<SinceStart>,
    /// The ELF file of the firmware, if the rig names it.
    elf: Option<PathBuf>,
}

/// What the log has told since the board was started.
#[derive(Default)]
struct SinceStart {
    /// The firmware has ended, and nothing was heard of a new start.
    crashed: AtomicBool,
    records: AtomicU64,
    /// Records in no known form.
    unread: AtomicU64,
    /// What was heard of a crash whose end was not.
    dump: Mutex<Option<Dump>>,
    /// Crashes whose functions are being looked up.
    lookups: AtomicU64,
    /// Starts so far: what is found out about one before is not told.
    starts: AtomicU64,
    /// What the firmware's own lines tell of its starts.
    firmware: Mutex<Starts>,
}

impl Journal {
    pub fn new(device: &str, port: &str, elf: Option<PathBuf>, trace: Trace) -> Self {
        Self {
            device: device.to_owned(),
            port: port.to_owned(),
            trace,
            started: Arc::default(),
            since_start: Arc::default(),
            elf,
        }
    }

    /// The board is about to be started, as it was asked for.
    pub fn begins(&self) {
        self.tell_unread();
        self.started.store(true, Ordering::Release);
    }

    /// The board is off.
    pub fn ends(&self) {
        self.tell_unread();
        self.started.store(false, Ordering::Release);
    }

    /// Says how much of the log was in no known form, and counts anew.
    fn tell_unread(&self) {
        let since = &self.since_start;
        since.crashed.store(false, Ordering::Release);
        since.starts.fetch_add(1, Ordering::AcqRel);
        self.dump().take();
        self.firmware().begin(false);
        let of = since.records.swap(0, Ordering::AcqRel);
        let unknown = since.unread.swap(0, Ordering::AcqRel);
        if unknown > 0 {
            self.trace
                .emit(Some(&self.device), &UnreadLines { unknown, of });
        }
    }

    /// If the firmware has crashed, waits until it has said all of that: registers, backtrace.
    pub async fn drain(&self) {
        let since = &self.since_start;
        let clock = self.trace.clock();
        let began = clock.now();
        let (mut heard, mut last) = (since.records.load(Ordering::Acquire), began);
        while since.crashed.load(Ordering::Acquire)
            && clock.now() < last + QUIET
            && clock.now() < began + LONGEST_DRAIN
        {
            clock.sleep(LOOK).await;
            let now = since.records.load(Ordering::Acquire);
            if std::mem::replace(&mut heard, now) != now {
                last = clock.now();
            }
        }
        self.tell_crash();
        while since.lookups.load(Ordering::Acquire) > 0 && clock.now() < began + LONGEST_DRAIN {
            clock.sleep(LOOK).await;
        }
    }

    fn dump(&self) -> std::sync::MutexGuard<'_, Option<Dump>> {
        let dump = self.since_start.dump.lock();
        dump.unwrap_or_else(PoisonError::into_inner)
    }

    fn firmware(&self) -> std::sync::MutexGuard<'_, Starts> {
        let firmware = self.since_start.firmware.lock();
        firmware.unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of a crash with the names of its functions, which are looked up outside the runtime.
    fn tell_crash(&self) {
        let (Some(dump), Some(elf)) = (self.dump().take(), self.elf.clone()) else {
            return;
        };
        let journal = self.clone();
        let start = self.since_start.starts.load(Ordering::Acquire);
        self.since_start.lookups.fetch_add(1, Ordering::AcqRel);
        tokio::task::spawn_blocking(move || {
            let crash = dump.resolve(&elf);
            let since = &journal.since_start;
            if since.starts.load(Ordering::Acquire) == start {
                journal.trace.emit(Some(&journal.device), &crash);
            }
            since.lookups.fetch_sub(1, Ordering::AcqRel);
        });
    }

    /// Takes a line that may tell of a crash.
    fn hear(&self, said: &str) {
        let ended = self.dump().as_mut().is_some_and(|dump| dump.hear(said));
        if ended {
            self.tell_crash();
        }
    }

    /// The images are on the board.
    pub fn flashed(&self, link: &SerialLink, flashed: &Flashed) {
        let images = link.flash.iter().flat_map(|flash| &flash.images);
        let images: Vec<_> = images
            .map(|image| image.file.display().to_string())
            .collect();
        self.trace.emit(
            Some(&self.device),
            &ImageFlashed {
                image: images.join(", "),
                skipped: flashed.skipped,
                bytes: flashed.bytes,
                took_ms: u64::try_from(flashed.took.as_millis()).unwrap_or(u64::MAX),
            },
        );
    }

    /// Takes what is heard on the port.
    pub fn sink(&self) -> Sink {
        let journal = self.clone();
        let mut records = 0;
        let mut garbled: u64 = 0;
        Box::new(move |heard| match heard {
            PortEvent::Record(_) if records > MOST_RECORDS => {}
            PortEvent::Record(record) => {
                records += 1;
                let since = &journal.since_start;
                since.records.fetch_add(1, Ordering::AcqRel);
                since
                    .unread
                    .fetch_add(u64::from(record.unread), Ordering::AcqRel);
                if !record.garbage.is_empty() {
                    garbled += 1;
                    // Told ever more rarely: a wrong baud rate makes nothing else.
                    if garbled.is_power_of_two() {
                        journal.garbage(garbled, records, &record.garbage);
                    }
                }
                let said = record.line.text.clone();
                let timed = record.line.device_ms.is_some();
                let is_restart = record.event.is_none() && journal.firmware().hear(&record);
                journal.trace.log(&journal.device, record.line);
                // The event stands after the line that tells of it, as on every board.
                match record.event {
                    // One crash says several things that only a crash says.
                    Some(Event::Crash(_)) if since.crashed.swap(true, Ordering::AcqRel) => {}
                    Some(Event::Crash(cause)) => {
                        journal.ended(cause, &said);
                        *journal.dump() = Some(Dump::new(&said));
                    }
                    Some(Event::Reset(cause)) => {
                        since.crashed.store(false, Ordering::Release);
                        journal.tell_crash();
                        journal.firmware().begin(true);
                        journal.reset(cause, said);
                    }
                    None if is_restart => {
                        since.crashed.store(false, Ordering::Release);
                        journal.tell_crash();
                        let cause = RestartCause::Unknown;
                        journal
                            .trace
                            .emit(Some(&journal.device), &Restarted { cause, said });
                    }
                    // Zephyr prints the registers as records with a time.
                    None if timed && dialect::row(&said) != Some(Row::Crash) => {
                        since.crashed.store(false, Ordering::Release);
                        journal.tell_crash();
                    }
                    None => journal.hear(&said),
                }
                if records > MOST_RECORDS {
                    let problem = format!("more than {MOST_RECORDS} lines; the rest is not kept");
                    journal.problem(problem, &[]);
                }
            }
            PortEvent::Gone => journal.witness(false, "went away while the board was on"),
            PortEvent::Back => journal.witness(true, "is back"),
        })
    }

    fn ended(&self, cause: RestartCause, text: &str) {
        let how = match cause {
            RestartCause::Brownout => "brownout",
            RestartCause::Watchdog => "watchdog",
            _ => "panicked",
        };
        let exited = Exited {
            how: how.to_owned(),
            panic: Some(text.to_owned()),
        };
        self.trace.emit(Some(&self.device), &exited);
    }

    /// The ROM has started. The first time after the board was started, that was asked for.
    fn reset(&self, cause: RestartCause, said: String) {
        if is_restart(self.started.swap(false, Ordering::AcqRel), cause) {
            self.trace
                .emit(Some(&self.device), &Restarted { cause, said });
        }
    }

    fn garbage(&self, garbled: u64, of: u64, bytes: &[u8]) {
        let often = garbled > 8 && garbled * 2 > of;
        let advice = if often {
            "; is `baud` in rig.toml the board's?"
        } else {
            ""
        };
        let problem = format!("{garbled} of {of} lines hold bytes that are no text{advice}");
        self.problem(problem, bytes);
    }

    fn problem(&self, problem: String, bytes: &[u8]) {
        self.trace.emit(
            Some(&self.device),
            &Garbage {
                link: self.port.clone(),
                problem,
                bytes: hex(bytes),
            },
        );
    }

    fn witness(&self, sound: bool, what: &str) {
        self.trace.emit(
            Some(&self.device),
            &WitnessReport {
                witness: Witness::BoardLink,
                sound,
                detail: format!("the port {} {what}", self.port),
            },
        );
    }
}
