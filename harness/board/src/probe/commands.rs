//! What the command line does with one board, without any lab around it. All of it blocks.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use probe_rs::CoreStatus;

use super::event::Listener;
use super::{ProbeEvent, ProbeSettings, Worker, flash as flashing, open};
use crate::defmt::Image;
use crate::error::{Attempting, ProbeError};

/// What came of flashing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flashed {
    /// True if the image stood there already, byte for byte.
    pub skipped: bool,
    /// Bytes of the image.
    pub bytes: u64,
    /// How long it took.
    pub took: Duration,
}

/// How far flashing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many bytes of so many are erased.
    Erasing {
        /// Erased so far.
        done: u64,
        /// To be erased.
        of: u64,
    },
    /// So many bytes of so many are written.
    Writing {
        /// Written so far.
        done: u64,
        /// To be written.
        of: u64,
    },
    /// What was written is read back.
    Verifying {
        /// Bytes of the image.
        bytes: u64,
    },
}

/// Flashes the image of `settings`, unless it stands there already and `anew` is false; with
/// `anew` all of the chip is erased before. The firmware runs afterwards.
pub fn flash(
    settings: ProbeSettings,
    anew: bool,
    progress: impl FnMut(Progress),
) -> Result<Flashed, ProbeError> {
    let image = Arc::new(Image::read(&settings.image)?);
    let limit = settings.limits.flash;
    let mut worker = Worker::start(settings, image.clone(), deaf);
    worker.call_telling(
        "flash the image",
        limit,
        move |device, tell| {
            let flashed = flashing::image(device.session()?, &image, anew, tell)?;
            device.run_alone()?;
            Ok(flashed)
        },
        progress,
    )
}

/// What a board logs, from its reset on or from now on.
pub struct LogStream {
    worker: Worker,
    limit: Duration,
    heard: Receiver<Vec<ProbeEvent>>,
}

/// Listens to the board of `settings`; `reset` starts its firmware anew before. What is on the chip
/// is not touched.
pub fn log(settings: ProbeSettings, reset: bool) -> Result<LogStream, ProbeError> {
    let image = Arc::new(Image::read(&settings.image)?);
    let limits = settings.limits;
    let (sender, heard) = mpsc::channel();
    let listener = move || -> Listener {
        let sender = sender.clone();
        Box::new(move |heard| {
            // The stream may have been dropped.
            let _ = sender.send(std::mem::take(heard));
        })
    };
    let mut worker = Worker::start(settings, image, listener);
    let limit = limits.attach + limits.boot;
    worker.call_blocking("listen to the board", limit, move |device| match reset {
        true => device.start(),
        false => device.join(),
    })?;
    Ok(LogStream {
        worker,
        limit: limits.command,
        heard,
    })
}

impl LogStream {
    /// What was heard next, after at most `patience`; nothing if it was quiet.
    pub fn next(&mut self, patience: Duration) -> Vec<ProbeEvent> {
        self.heard.recv_timeout(patience).unwrap_or_default()
    }

    /// Lets the firmware run on alone, so that it does not wait for a reader.
    pub fn leave(mut self) -> Result<(), ProbeError> {
        self.worker
            .call_blocking("let go of the chip", self.limit, super::Device::leave)
    }
}

/// What answers at a board's selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The chip, as probe-rs names it.
    pub chip: String,
    /// Its core, such as `Armv7em`.
    pub core: String,
    /// What the core does, such as `running` or `halted`.
    pub state: &'static str,
    /// How long it took to attach.
    pub took: Duration,
}

/// Attaches to the chip of `settings`, which runs on, and lets go of it. Needs no image.
pub fn ask(settings: ProbeSettings) -> Result<Answer, ProbeError> {
    let (selector, limit) = (settings.selector.clone(), settings.limits.attach);
    within(selector, limit, move || attach_and_look(&settings))
}

/// Runs `job` on a thread of its own for at most `limit`.
fn within<R: Send + 'static>(
    selector: String,
    limit: Duration,
    job: impl FnOnce() -> Result<R, ProbeError> + Send + 'static,
) -> Result<R, ProbeError> {
    let (sender, answered) = mpsc::channel();
    thread::spawn(move || {
        // The caller may have given up.
        let _ = sender.send(job());
    });
    let what = "attach to the chip".to_owned();
    match answered.recv_timeout(limit) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => Err(ProbeError::Hung {
            selector,
            what,
            limit,
        }),
        // The thread ended without an answer.
        Err(RecvTimeoutError::Disconnected) => Err(ProbeError::DriverPanicked { selector, what }),
    }
}

fn attach_and_look(settings: &ProbeSettings) -> Result<Answer, ProbeError> {
    let began = Instant::now();
    let mut session = open::open(settings)?;
    let took = began.elapsed();
    let chip = session.target().name.clone();
    let mut core = session.core(0).attempting(|| "reach the core".to_owned())?;
    let status = core.status().attempting(|| "ask the core".to_owned())?;
    Ok(Answer {
        chip,
        core: format!("{:?}", core.core_type()),
        state: match status {
            CoreStatus::Running => "running",
            CoreStatus::Halted(_) => "halted",
            CoreStatus::LockedUp => "locked up",
            CoreStatus::Sleeping => "sleeping",
            CoreStatus::Unknown => "unknown",
        },
        took,
    })
}

/// For boards that are only told what to do.
pub(crate) fn deaf() -> Listener {
    Box::new(Vec::clear)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_that_panics_is_told_from_one_that_hangs() {
        let limit = Duration::from_secs(60);
        let panicked = within::<()>("1:2".to_owned(), limit, || panic!("on purpose"));
        assert!(
            matches!(panicked, Err(ProbeError::DriverPanicked { .. })),
            "{panicked:?}"
        );
        let hung = within("1:2".to_owned(), Duration::from_millis(20), || {
            thread::sleep(Duration::from_millis(500));
            Ok(())
        });
        assert!(matches!(hung, Err(ProbeError::Hung { .. })), "{hung:?}");
    }
}
