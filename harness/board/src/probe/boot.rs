//! From reset to a firmware whose log is read, without a lost line.
//!
//! A log channel is sound only after the firmware's start-up code has copied its initial values
//! into RAM, and drops what does not fit until a host tells it to wait. Between these two moments
//! and the first line there must be nothing. So:
//!
//! 1. Reset, and halt at the first instruction.
//! 2. Wipe the control block that an earlier run left in RAM: it must not be taken for this run's.
//! 3. Set a breakpoint at `main`, which start-up code calls when RAM is ready and before any of the
//!    firmware's own code runs, and run to it.
//! 4. Read the control block and set all its channels to wait for the host when they are full.
//! 5. Run.
//!
//! The breakpoint stays, and so does the catch of resets: when the firmware restarts itself, it
//! stops at the first instruction, where the channels still hold what it logged last, and then goes
//! through the same steps. A firmware without `main`, or that makes its channels later, is joined
//! as soon as its control block is there.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use probe_rs::rtt::{self, Rtt};
use probe_rs::semihosting::SemihostingCommand;
use probe_rs::{
    BreakpointCause, Core, CoreStatus, HaltReason, MemoryInterface, VectorCatchCondition,
};
use trace::{Level, LogLine};

use super::channels::{Channels, Entered};
use super::{Crash, ProbeEvent, crash};
use crate::defmt::{Image, Table};
use crate::error::{Attempting, ProbeError};
use crate::{Exited, RestartCause, Restarted};

/// A core that was told to halt does so within this.
pub(crate) const HALT: Duration = Duration::from_millis(500);
/// How often a board that says nothing is asked whether it still runs.
const STATUS_EVERY: Duration = Duration::from_millis(5);
/// How often a control block is looked for that is not there yet.
const ATTACH_EVERY: Duration = Duration::from_millis(2);
/// The same after it has not been there for long.
const ATTACH_SELDOM: Duration = Duration::from_millis(100);
/// A firmware that panicked resets or faults within this, or does nothing any more.
const PANIC_PATIENCE: Duration = Duration::from_millis(300);
/// Reads of a stopped core's channels: more than any buffer is in chunks.
const DRAIN: usize = 64;

/// A firmware on its way.
pub(crate) struct Start {
    table: Option<Arc<Table>>,
    control_block: Option<u64>,
    main: Option<u64>,
    dark: Option<u64>,
    boot: Duration,
    channels: Option<Channels>,
    next_attach: Instant,
    looked_for: u32,
    next_status: Instant,
    /// What a panic said, and when.
    panic: Option<(String, Instant)>,
    /// Whether a corrupt control block was told of since the last sound one.
    told: bool,
}

/// Why a firmware does not run any more.
pub(crate) enum End {
    /// Its power was cut in a write, as was asked for.
    Dark,
    /// It ended.
    Exited {
        exited: Exited,
        crash: Option<Crash>,
    },
    /// It stopped to ask something of the host.
    Asks(SemihostingCommand),
}

impl Start {
    /// Resets the chip and runs the firmware.
    pub(crate) fn new(
        core: &mut Core<'_>,
        image: &Image,
        table: Option<Arc<Table>>,
        boot: Duration,
    ) -> Result<Self, ProbeError> {
        core.reset_and_halt(HALT)
            .attempting(|| "reset the core".to_owned())?;
        let mut start = Self::of(image, table, boot);
        start.run_from_reset(core)?;
        Ok(start)
    }

    /// Joins a firmware that runs already.
    pub(super) fn midway(
        core: &mut Core<'_>,
        image: &Image,
        table: Option<Arc<Table>>,
    ) -> Result<Self, ProbeError> {
        let mut start = Self::of(image, table, Duration::ZERO);
        start.enter(core, Entered::Midway)?;
        if core
            .status()
            .attempting(|| "ask the core".to_owned())?
            .is_halted()
        {
            core.run().attempting(|| "run the firmware".to_owned())?;
        }
        Ok(start)
    }

    fn of(image: &Image, table: Option<Arc<Table>>, boot: Duration) -> Self {
        let now = Instant::now();
        // The lowest bit of a function's address says that it is Thumb code.
        let function = |name| image.symbol(name).map(|address| address & !1);
        Self {
            table,
            control_block: image.symbol("_SEGGER_RTT"),
            main: function("main"),
            dark: function("storage_went_dark"),
            boot,
            channels: None,
            next_attach: now,
            looked_for: 0,
            next_status: now,
            panic: None,
            told: false,
        }
    }

    /// Steps 2 to 5; the core stands at the first instruction.
    fn run_from_reset(&mut self, core: &mut Core<'_>) -> Result<(), ProbeError> {
        self.channels = None;
        self.panic = None;
        self.looked_for = 0;
        if let Some(address) = self.control_block {
            core.write_8(address, &[0; Rtt::RTT_ID.len()])
                .attempting(|| format!("wipe the old control block at {address:#010x}"))?;
        }
        catch(core)?;
        for address in [self.main, self.dark].into_iter().flatten() {
            stop_at(core, address)?;
        }
        core.run().attempting(|| "run the firmware".to_owned())?;
        let Some(main) = self.main else {
            return Ok(());
        };
        if self.wait_for(core, main)? {
            self.run_from_main(core)?;
        }
        Ok(())
    }

    /// Steps 4 and 5; the core stands at `main`.
    fn run_from_main(&mut self, core: &mut Core<'_>) -> Result<(), ProbeError> {
        self.enter(core, Entered::AtBeginning)?;
        self.next_status = Instant::now() + STATUS_EVERY;
        core.run().attempting(|| "run the firmware".to_owned())
    }

    /// Whether the core comes to `address` in time; if it stops elsewhere, polling tells why.
    fn wait_for(&self, core: &mut Core<'_>, address: u64) -> Result<bool, ProbeError> {
        let began = Instant::now();
        loop {
            match core.status().attempting(|| "ask the core".to_owned())? {
                CoreStatus::Halted(_) => return Ok(pc(core)? == address),
                CoreStatus::LockedUp => return Ok(false),
                _ if began.elapsed() > self.boot => {
                    return Err(ProbeError::Firmware {
                        what: format!(
                            "the firmware did not come from its reset to `main` within {} ms: is \
                             this image for this board, and does its vector table stand where the \
                             chip looks for it?",
                            self.boot.as_millis()
                        ),
                    });
                }
                _ if began.elapsed() < Duration::from_millis(5) => {
                    thread::sleep(Duration::from_micros(50));
                }
                _ => thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// Takes hold of the channels, if they are there.
    fn enter(&mut self, core: &mut Core<'_>, entered: Entered) -> Result<(), ProbeError> {
        let found = match self.control_block {
            Some(address) => Rtt::attach_at(core, address),
            None => Rtt::attach_region(core, &core.target().rtt_scan_regions.clone()),
        };
        self.looked_for += 1;
        let every = match self.looked_for {
            0..500 => ATTACH_EVERY,
            _ => ATTACH_SELDOM,
        };
        self.next_attach = Instant::now() + every;
        match found {
            Ok(rtt) => {
                let channels = Channels::new(core, rtt, self.table.as_ref(), entered);
                self.channels =
                    Some(channels.attempting(|| "set up the log's channels".to_owned())?);
                self.told = false;
                self.looked_for = 0;
                Ok(())
            }
            Err(rtt::Error::Probe(error)) => {
                Err(error).attempting(|| "read the log's control block".to_owned())
            }
            // Not there yet, or half made.
            Err(_) => Ok(()),
        }
    }

    /// Reads what there is and looks whether the firmware still runs. Gives the number of bytes.
    pub(crate) fn poll(
        &mut self,
        core: &mut Core<'_>,
        image: &Image,
        heard: &mut Vec<ProbeEvent>,
    ) -> Result<(usize, Option<End>), ProbeError> {
        let bytes = self.read(core, heard)?;
        let now = Instant::now();
        if bytes > 0 && now < self.next_status + STATUS_EVERY * 4 || now < self.next_status {
            return Ok((bytes, None));
        }
        self.next_status = now + STATUS_EVERY;
        let status = core.status().attempting(|| "ask the core".to_owned())?;
        let end = match status {
            CoreStatus::Halted(reason) => {
                self.drain(core, heard)?;
                self.stopped(core, image, reason, heard)?
            }
            CoreStatus::LockedUp => {
                self.drain(core, heard)?;
                Some(self.exited("locked up: a fault in the handler of a fault", None))
            }
            _ => self.stuck_in_panic(core, image)?,
        };
        Ok((bytes, end))
    }

    fn read(
        &mut self,
        core: &mut Core<'_>,
        heard: &mut Vec<ProbeEvent>,
    ) -> Result<usize, ProbeError> {
        let before = heard.len();
        let Some(channels) = &mut self.channels else {
            if Instant::now() >= self.next_attach {
                let entered = match self.told {
                    true => Entered::Midway,
                    false => Entered::AtBeginning,
                };
                self.enter(core, entered)?;
            }
            return Ok(0);
        };
        let read = match channels.read(core, heard) {
            Ok(read) => read,
            Err(rtt::Error::Probe(error)) => {
                return Err(error).attempting(|| "read the log".to_owned());
            }
            Err(error) => {
                self.channels = None;
                self.next_attach = Instant::now() + ATTACH_EVERY;
                if !std::mem::replace(&mut self.told, true) {
                    heard.push(super::channels::corrupt(&error));
                }
                0
            }
        };
        self.look_for_panic(&heard[before..]);
        Ok(read)
    }

    /// Reads all that a stopped core has left.
    pub(crate) fn drain(
        &mut self,
        core: &mut Core<'_>,
        heard: &mut Vec<ProbeEvent>,
    ) -> Result<(), ProbeError> {
        for _ in 0..DRAIN {
            if self.read(core, heard)? == 0 {
                break;
            }
        }
        if let Some(channels) = &mut self.channels {
            channels.finish(heard);
        }
        Ok(())
    }

    /// What a panic said, if there was one.
    pub(crate) fn panic(&self) -> Option<&str> {
        self.panic.as_ref().map(|(said, _)| said.as_str())
    }

    fn look_for_panic(&mut self, heard: &[ProbeEvent]) {
        for one in heard {
            let ProbeEvent::Line(line) = one else {
                continue;
            };
            if says_panic(line) {
                self.panic = Some((line.text.clone(), Instant::now()));
            }
        }
    }

    /// What it means that the core stopped; nothing, if it was sent on.
    fn stopped(
        &mut self,
        core: &mut Core<'_>,
        image: &Image,
        reason: HaltReason,
        heard: &mut Vec<ProbeEvent>,
    ) -> Result<Option<End>, ProbeError> {
        if let HaltReason::Breakpoint(BreakpointCause::Semihosting(command)) = reason {
            return Ok(Some(End::Asks(command)));
        }
        let at = pc(core)?;
        if Some(at) == self.dark {
            return Ok(Some(End::Dark));
        }
        if Some(at) == self.main {
            self.restarted(heard);
            self.run_from_main(core)?;
            return Ok(None);
        }
        if crash::is_in_fault(core)? {
            let crash = crash::of_fault(core, image)?;
            let how = crash.what.clone();
            return Ok(Some(self.exited(&how, Some(crash))));
        }
        if reason == HaltReason::Exception {
            self.restarted(heard);
            self.run_from_reset(core)?;
            return Ok(None);
        }
        if !matches!(reason, HaltReason::Breakpoint(_) | HaltReason::Multiple) {
            // Another debugger stopped it, or its power went: it has not ended.
            return Ok(None);
        }
        let crash = crash::here(core, image, "stopped at a breakpoint")?;
        Ok(Some(self.exited("stopped at a breakpoint", Some(crash))))
    }

    /// The firmware has reset the chip, perhaps because it panicked.
    fn restarted(&mut self, heard: &mut Vec<ProbeEvent>) {
        let restarted = match self.panic.take() {
            Some((panic, _)) => {
                heard.push(ProbeEvent::Exited {
                    exited: Exited {
                        how: "panic".to_owned(),
                        panic: Some(panic.clone()),
                    },
                    crash: None,
                });
                Restarted {
                    cause: RestartCause::Panic,
                    said: panic,
                }
            }
            None => Restarted {
                cause: RestartCause::Unknown,
                said: "the core was reset".to_owned(),
            },
        };
        heard.push(ProbeEvent::Restarted(restarted));
    }

    /// Firmware that says that it panicked and then does nothing any more.
    fn stuck_in_panic(
        &mut self,
        core: &mut Core<'_>,
        image: &Image,
    ) -> Result<Option<End>, ProbeError> {
        let is_stuck = self
            .panic
            .as_ref()
            .is_some_and(|(_, since)| since.elapsed() > PANIC_PATIENCE);
        if !is_stuck {
            return Ok(None);
        }
        core.halt(HALT).attempting(|| "halt the core".to_owned())?;
        let crash = crash::here(core, image, "panic")?;
        Ok(Some(self.exited("panic", Some(crash))))
    }

    fn exited(&mut self, how: &str, crash: Option<Crash>) -> End {
        let panic = self.panic.take().map(|(said, _)| said);
        let how = match panic.is_some() {
            true => "panic",
            false => how,
        };
        End::Exited {
            exited: Exited {
                how: how.to_owned(),
                panic,
            },
            crash,
        }
    }

    /// Takes everything back that would stop a firmware whose log is not read any more.
    pub(super) fn leave(&mut self, core: &mut Core<'_>) {
        if let Some(channels) = &mut self.channels {
            channels.let_go(core);
        }
        // A chip that is gone needs no farewell.
        let _ = core.clear_all_hw_breakpoints();
        let _ = core.disable_vector_catch(VectorCatchCondition::All);
        if core.status().is_ok_and(|status| status.is_halted()) {
            let _ = core.run();
        }
    }
}

/// Whether it is what a panic handler prints, and not a firmware that runs on and quotes one: the
/// firmware here has the tag `panic` for it, defmt and panic-probe begin with these words.
fn says_panic(line: &LogLine) -> bool {
    line.level == Level::Error
        && (line.text.starts_with("panicked at ")
            || line.tag == "panic" && line.text.starts_with("panicked"))
}

pub(super) fn pc(core: &mut Core<'_>) -> Result<u64, ProbeError> {
    let register = core.program_counter();
    core.read_core_reg(register)
        .attempting(|| "read the program counter".to_owned())
}

/// Stops the core at faults and resets, where its architecture can.
fn catch(core: &mut Core<'_>) -> Result<(), ProbeError> {
    for condition in [
        VectorCatchCondition::HardFault,
        VectorCatchCondition::CoreReset,
    ] {
        match core.enable_vector_catch(condition) {
            Ok(()) | Err(probe_rs::Error::NotImplemented(_)) => {}
            Err(error) => return Err(error).attempting(|| "catch faults and resets".to_owned()),
        }
    }
    Ok(())
}

/// A breakpoint that is there after a reset too, in which some chips lose theirs.
fn stop_at(core: &mut Core<'_>, address: u64) -> Result<(), ProbeError> {
    core.set_hw_breakpoint(address)
        .and_then(|()| core.inner_mut().enable_breakpoints(true))
        .attempting(|| format!("set a breakpoint at {address:#010x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_from_an_error_that_quotes_one() {
        for (level, tag, text, expected) in [
            (Level::Error, "panic", "panicked at src/a.rs:1: no", true),
            (Level::Error, "panic", "panicked: no", true),
            (Level::Error, "app::net", "panicked at 'no'", true),
            (
                Level::Error,
                "app",
                "the last run panicked at a.rs:1",
                false,
            ),
            (Level::Error, "app", "panicked: no", false),
            (Level::Error, "panic", "hard fault at pc 0", false),
            (Level::Info, "panic", "panicked at src/a.rs:1: no", false),
        ] {
            let line = LogLine {
                level,
                tag: tag.to_owned(),
                text: text.to_owned(),
                device_ms: None,
                place: None,
            };
            assert_eq!(says_panic(&line), expected, "{line:?}");
        }
    }
}
