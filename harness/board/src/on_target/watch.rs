//! Following one run of an image until it has said how it ended.

use std::thread;
use std::time::{Duration, Instant};

use trace::{Level, LogLine};

use super::semihosting::{Answer, Console, answer};
use crate::error::{Attempting, ProbeError};
use crate::probe::{Crash, Device, End, HALT, ProbeEvent, Start, here};

/// Between two looks at a chip that says nothing, at first and in the end.
const FASTEST: Duration = Duration::from_micros(100);
const SLOWEST: Duration = Duration::from_millis(5);

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) how: How,
    /// What a panic said, if there was one.
    pub(super) panic: Option<String>,
    pub(super) crash: Option<Crash>,
}

/// Ways to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// With success, by semihosting.
    Success,
    /// With an error, by semihosting.
    Error(String),
    /// In a fault, or in another way that was not asked for.
    Stopped(String),
    /// Not in time.
    TimedOut,
}

/// Starts the image anew, tells it `command_line` when it asks, passes on what it logs, and gives
/// how it ended.
pub(super) fn watch(
    device: &mut Device,
    command_line: &str,
    timeout: Duration,
    on_line: &mut dyn FnMut(LogLine),
) -> Result<Ended, ProbeError> {
    let table = device.table()?;
    let image = device.image.clone();
    let boot = device.settings.limits.boot;
    let mut console = Console::default();
    let ended = device.with_core(|core| {
        let mut start = Start::new(core, &image, table, boot)?;
        let began = Instant::now();
        let mut heard = Vec::new();
        let mut wait = FASTEST;
        loop {
            let (bytes, end) = start.poll(core, &image, &mut heard)?;
            let restarted = pass_on(&mut heard, on_line);
            let panic = start.panic().map(str::to_owned);
            let ended = |how, crash| {
                Ok(Ended {
                    how,
                    panic: panic.clone(),
                    crash,
                })
            };
            if restarted {
                return ended(
                    How::Stopped("the firmware restarted the chip".to_owned()),
                    None,
                );
            }
            match end {
                None => {}
                Some(End::Dark) => {
                    return ended(How::Stopped("the firmware went dark".to_owned()), None);
                }
                Some(End::Exited { exited, crash }) => {
                    return Ok(Ended {
                        how: How::Stopped(exited.how),
                        panic: exited.panic,
                        crash,
                    });
                }
                Some(End::Asks(command)) => {
                    match answer(core, command, command_line, &mut console)? {
                        Answer::Given => {
                            console.lines().for_each(&mut *on_line);
                            core.run().attempting(|| "run the test".to_owned())?;
                            wait = FASTEST;
                            continue;
                        }
                        Answer::Exit(None) => return ended(How::Success, None),
                        Answer::Exit(Some(error)) => {
                            let crash = here(core, &image, &error)?;
                            return ended(How::Error(error), Some(crash));
                        }
                        Answer::Unknown(what) => return ended(How::Stopped(what), None),
                    }
                }
            }
            if began.elapsed() > timeout {
                core.halt(HALT).attempting(|| "halt the core".to_owned())?;
                start.drain(core, &mut heard)?;
                pass_on(&mut heard, on_line);
                let crash = here(core, &image, "timed out")?;
                return ended(How::TimedOut, Some(crash));
            }
            wait = match bytes {
                0 => (wait * 2).min(SLOWEST),
                _ => FASTEST,
            };
            if bytes == 0 {
                thread::sleep(wait);
            }
        }
    });
    // However it ended: the last line may have no end.
    console.rest().into_iter().for_each(on_line);
    ended
}

/// Gives the lines to `on_line`, and says whether the firmware restarted the chip.
fn pass_on(heard: &mut Vec<ProbeEvent>, on_line: &mut dyn FnMut(LogLine)) -> bool {
    let mut restarted = false;
    for one in heard.drain(..) {
        match one {
            ProbeEvent::Line(line) => on_line(line),
            ProbeEvent::Lost { channel, lost } => on_line(lost_line(&channel, lost.problem)),
            ProbeEvent::Restarted(_) => restarted = true,
            _ => {}
        }
    }
    restarted
}

/// A test's log shows where something of it is missing.
fn lost_line(channel: &str, problem: &str) -> LogLine {
    LogLine {
        level: Level::Warn,
        tag: channel.to_owned(),
        text: format!("a part of the log is lost: {problem}"),
        device_ms: None,
        place: None,
    }
}
