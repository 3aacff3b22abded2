//! The emulated core, as the debug port controls it.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use super::flash::{Flash, used};
use super::memory::{FLASH, Kind, Memory, PSRAM, RAM, Window, kind};
use super::process::{Emulator, Event};
use super::registers;
use super::step::step;
use crate::probe::{Backend, BackendError, Register, Stop};

/// What memory holds when the power comes: nothing that firmware could take for its own.
const NOISE: u8 = 0xA5;
/// Where flash with code ends and flash with data starts.
const CODE: Range<usize> = 0..0x0038_0000;
/// Where an erased reset vector leads.
const NOWHERE: u32 = 0xFFFF_FFFE;
/// The air is told of a reset before the firmware starts anew, unless its thread is this busy.
const AIR_LIMIT: Duration = Duration::from_millis(500);

/// What the other ends of the machine's cables are told.
#[derive(Debug)]
pub(super) enum WireOrder {
    /// A new emulator: from now on this is its network.
    Plug(UnixStream),
    /// The machine starts anew: whatever it sent before is of its former life.
    Restart(mpsc::SyncSender<()>),
    /// The machine has no power any more.
    Dark,
}

/// An emulator and what outlives it.
#[derive(Debug)]
pub(super) struct Machine {
    program: PathBuf,
    /// For what it says on standard error, and its sockets.
    private: PathBuf,
    events: mpsc::Sender<Event>,
    wire: UnboundedSender<WireOrder>,
    flash: Flash,
    breakpoints: BTreeSet<u32>,
    powered: bool,
    running: bool,
    /// Code in RAM has run since flash was last looked at.
    algorithm_ran: bool,
    /// The emulator ended while the core ran, which was not noticed yet.
    crashed: bool,
    /// In what the emulator was too slow, since it last started.
    hung: Option<&'static str>,
    /// What memory held when the core was last about to lock up.
    remains: Vec<(Memory, Vec<u8>)>,
    emulator: Option<Emulator>,
    window: Option<Window>,
}

impl Machine {
    /// A machine without power.
    pub(super) fn new(
        program: PathBuf,
        private: PathBuf,
        flash: Flash,
        events: mpsc::Sender<Event>,
        wire: UnboundedSender<WireOrder>,
    ) -> Self {
        Self {
            program,
            private,
            events,
            wire,
            flash,
            breakpoints: BTreeSet::new(),
            powered: false,
            running: false,
            algorithm_ran: false,
            crashed: false,
            hung: None,
            remains: Vec::new(),
            emulator: None,
            window: None,
        }
    }

    /// Starts the emulator, if it does not run.
    pub(super) fn start(&mut self) -> Result<(), BackendError> {
        if self.emulator.is_some() {
            return Ok(());
        }
        let (mut emulator, network) =
            Emulator::start(&self.program, &self.private, self.events.clone())?;
        self.window = Window::open(emulator.id(), &mut emulator.qmp)?;
        emulator.qmp.catch_resets()?;
        let used = self.flash.used();
        let rest = FLASH.length - used.len() as u32;
        emulator.qtest.write(FLASH.start, used)?;
        if rest > 0 {
            emulator
                .qtest
                .fill(FLASH.start + used.len() as u32, rest, 0xFF)?;
        }
        for address in &self.breakpoints {
            emulator.gdb.set_breakpoint(*address, true)?;
        }
        self.emulator = Some(emulator);
        self.order(WireOrder::Plug(network));
        Ok(())
    }

    /// Reads flash, whether there is power or not.
    pub(super) fn read_flash(
        &mut self,
        address: u32,
        length: usize,
    ) -> Result<Vec<u8>, BackendError> {
        self.keep_flash()?;
        let from = address as usize;
        let bytes = self.flash.bytes.get(from..from.saturating_add(length));
        bytes
            .map(<[u8]>::to_vec)
            .ok_or(BackendError::Fault { address })
    }

    /// Writes flash without regard to what it held, as no debugger could. The core must stand.
    pub(super) fn write_flash(&mut self, address: u32, bytes: &[u8]) -> Result<(), BackendError> {
        self.keep_flash()?;
        let from = address as usize;
        let mut all = self.flash.bytes.clone();
        all.get_mut(from..from.saturating_add(bytes.len()))
            .ok_or(BackendError::Fault { address })?
            .copy_from_slice(bytes);
        self.flash.take(all);
        self.save()?;
        match &mut self.emulator {
            Some(emulator) => emulator.qtest.write(address, bytes),
            None => Ok(()),
        }
    }

    /// Looks where the core is about to run. What an algorithm in RAM has done to flash is taken over
    /// before firmware runs, with which the emulator may end.
    fn leave_algorithm(&mut self) -> Result<(), BackendError> {
        let pc = self.register(Register::PC)?;
        if pc == NOWHERE {
            // The emulator would end; what the core does is known anyway.
            return Err(BackendError::LockedUp);
        }
        match kind(pc, 2) {
            Ok(Kind::Ram) => self.algorithm_ran = true,
            _ if std::mem::take(&mut self.algorithm_ran) => self.keep_flash()?,
            _ => {}
        }
        Ok(())
    }

    /// Takes over what the firmware has written to flash.
    fn keep_flash(&mut self) -> Result<(), BackendError> {
        if self.emulator.is_none() {
            return Ok(());
        }
        let mut bytes = vec![0; FLASH.length as usize];
        let seen = self.window.as_ref();
        if seen.is_some_and(|window| window.read(FLASH.start, &mut bytes)) {
            self.flash.take(bytes);
            return Ok(());
        }
        match self.ask(|emulator| emulator.qtest.read(FLASH.start, &mut bytes)) {
            Ok(()) => self.flash.take(bytes),
            // It has just ended: what is known of its flash is the latest that there is.
            Err(_) if self.emulator.is_none() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn save(&mut self) -> Result<(), BackendError> {
        self.flash.save().map_err(|source| BackendError::Io {
            what: "save the flash",
            source,
        })
    }

    fn read_memory(&mut self, address: u32, bytes: &mut [u8]) -> Result<(), BackendError> {
        let seen = self
            .window
            .as_ref()
            .is_some_and(|window| window.read(address, bytes));
        if seen {
            return Ok(());
        }
        self.ask_memory(|emulator| emulator.qtest.read(address, bytes))
    }

    /// Starts another emulator in place of one that ended when its core locked up. Its core stands;
    /// its memory holds what is known of the former one's.
    fn revive(&mut self) -> Result<(), BackendError> {
        self.start()?;
        self.ask(scramble)?;
        for (memory, bytes) in std::mem::take(&mut self.remains) {
            self.ask(|emulator| emulator.qtest.write(memory.start, &bytes))?;
        }
        Ok(())
    }

    /// Asks the emulator for memory, which is there whether the core is locked up or not.
    fn ask_memory<T>(
        &mut self,
        question: impl FnOnce(&mut Emulator) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        if self.emulator.is_none() && self.hung.is_none() {
            self.revive()?;
        }
        self.ask(question)
    }

    /// Whether the core has locked up since the last call, and the emulator with it.
    fn has_crashed(&mut self) -> bool {
        let crashed = std::mem::take(&mut self.crashed);
        self.running &= !crashed;
        crashed
    }

    /// Asks the emulator. One that is gone is a core that is locked up. One that does not answer in
    /// time is given up until it starts anew, as its next answer would be taken for another
    /// question's: the host's doing, and not the core's.
    fn ask<T>(
        &mut self,
        question: impl FnOnce(&mut Emulator) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        if let Some(what) = self.hung {
            return Err(silence(what));
        }
        let emulator = self.emulator.as_mut().ok_or(BackendError::LockedUp)?;
        let answer = question(emulator);
        match &answer {
            Err(BackendError::Io { what, source })
                if matches!(source.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) =>
            {
                self.hung = Some(what);
                self.give_up();
                answer
            }
            Err(BackendError::Io { .. } | BackendError::LockedUp) => {
                self.crashed = self.running;
                self.give_up();
                Err(BackendError::LockedUp)
            }
            _ => answer,
        }
    }

    fn give_up(&mut self) {
        self.emulator = None;
        self.window = None;
    }

    fn order(&self, order: WireOrder) {
        // No receiver is left if the harness lets go of the machine.
        let _ = self.wire.send(order);
    }

    /// Tells the air that the radio starts anew, before it does.
    fn restart_air(&self) {
        let (heard, hears) = mpsc::sync_channel(1);
        self.order(WireOrder::Restart(heard));
        // If the air is too busy, some old frames may be taken for new ones.
        let _ = hears.recv_timeout(AIR_LIMIT);
    }

    fn device(&mut self, address: u32, bytes: &mut [u8]) -> Result<(), BackendError> {
        let width = access_width(address, bytes.len());
        for (address, piece) in (address..).step_by(width).zip(bytes.chunks_mut(width)) {
            let value = self.ask_memory(|emulator| emulator.qtest.read_register(address, width))?;
            piece.copy_from_slice(&value.to_le_bytes()[..piece.len()]);
        }
        Ok(())
    }

    fn set_device(&mut self, address: u32, bytes: &[u8]) -> Result<(), BackendError> {
        let width = access_width(address, bytes.len());
        for (address, piece) in (address..).step_by(width).zip(bytes.chunks(width)) {
            let mut word = [0; 4];
            word[..piece.len()].copy_from_slice(piece);
            let value = u32::from_le_bytes(word);
            self.ask_memory(|emulator| emulator.qtest.write_register(address, width, value))?;
        }
        Ok(())
    }
}

/// What is said of an emulator that was too slow once.
fn silence(what: &'static str) -> BackendError {
    let why = "the emulator was given up because it did not answer in time";
    BackendError::Io {
        what,
        source: io::Error::new(ErrorKind::TimedOut, why),
    }
}

impl Backend for Machine {
    fn read(&mut self, address: u32, bytes: &mut [u8]) -> Result<(), BackendError> {
        match kind(address, bytes.len())? {
            Kind::Flash | Kind::Ram => self.read_memory(address, bytes),
            Kind::Device => self.device(address, bytes),
        }
    }

    fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), BackendError> {
        match kind(address, bytes.len())? {
            // Flash is programmed by an algorithm on the core, as on any chip.
            Kind::Flash => Err(BackendError::Fault { address }),
            Kind::Ram => self.ask_memory(|emulator| emulator.qtest.write(address, bytes)),
            Kind::Device => self.set_device(address, bytes),
        }
    }

    fn halt(&mut self) -> Result<Stop, BackendError> {
        let stop = self.ask(|emulator| {
            let stop = emulator.gdb.halt()?;
            match stop {
                Stop::Halted => unless_reset_requested(emulator),
                other => Ok(other),
            }
        });
        if self.has_crashed() {
            return Err(BackendError::LockedUp);
        }
        self.running = false;
        stop
    }

    fn resume(&mut self) -> Result<(), BackendError> {
        self.leave_algorithm()?;
        self.ask(|emulator| emulator.gdb.resume())?;
        self.running = true;
        Ok(())
    }

    fn step(&mut self) -> Result<Stop, BackendError> {
        self.leave_algorithm()?;
        self.ask(|emulator| {
            step(&mut emulator.gdb, &mut emulator.qtest)?;
            unless_reset_requested(emulator)
        })
    }

    fn register(&mut self, register: Register) -> Result<u32, BackendError> {
        self.ask(|emulator| registers::read(&mut emulator.gdb, &mut emulator.qtest, register))
    }

    fn set_register(&mut self, register: Register, value: u32) -> Result<(), BackendError> {
        self.ask(|emulator| {
            registers::write(&mut emulator.gdb, &mut emulator.qtest, register, value)
        })
    }

    fn set_breakpoint(&mut self, address: u32, on: bool) -> Result<(), BackendError> {
        if on {
            self.breakpoints.insert(address);
        } else {
            self.breakpoints.remove(&address);
        }
        match &self.emulator {
            Some(_) => self.ask(|emulator| emulator.gdb.set_breakpoint(address, on)),
            None => Ok(()),
        }
    }

    fn reset(&mut self) -> Result<(), BackendError> {
        self.running = false;
        self.crashed = false;
        self.hung = None;
        if self.emulator.is_none() {
            self.revive()?;
        } else {
            self.keep_flash()?;
        }
        if self.powered {
            self.restart_air();
        }
        self.ask(|emulator| emulator.qmp.reset())
    }

    fn poll_stop(&mut self) -> Result<Option<Stop>, BackendError> {
        if !self.running {
            return Ok(None);
        }
        let stop = self.ask(|emulator| emulator.gdb.poll_stop());
        if self.has_crashed() {
            return Err(BackendError::LockedUp);
        }
        let stop = stop?;
        self.running &= stop.is_none();
        Ok(stop)
    }

    fn power(&mut self, on: bool) -> Result<(), BackendError> {
        self.remains.clear();
        if on {
            self.powered = true;
            self.crashed = false;
            self.hung = None;
            self.start()?;
            self.ask(scramble)?;
            self.restart_air();
            return self.ask(|emulator| emulator.qmp.reset());
        }
        self.powered = false;
        self.order(WireOrder::Dark);
        self.keep_flash()?;
        self.save()
    }

    fn debugger_leaves(&mut self) -> Result<(), BackendError> {
        if std::mem::take(&mut self.algorithm_ran) {
            self.keep_flash()?;
        }
        Ok(())
    }

    fn expect_lockup(&mut self) -> Result<(), BackendError> {
        self.keep_flash()?;
        self.remains.clear();
        for memory in [RAM, PSRAM] {
            let mut bytes = vec![0; memory.length as usize];
            self.read_memory(memory.start, &mut bytes)?;
            self.remains.push((memory, bytes));
        }
        Ok(())
    }

    fn code(&mut self) -> Result<(u32, Vec<u8>), BackendError> {
        let mut code = vec![0; CODE.len()];
        self.read_memory(FLASH.start, &mut code)?;
        code.truncate(used(&code).len());
        Ok((FLASH.start, code))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // No caller is left that could be told that it failed.
        let _ = self.keep_flash().and_then(|()| self.save());
    }
}

/// Why a core stands that the debugger has stopped: a reset that its firmware asked for comes first.
fn unless_reset_requested(emulator: &mut Emulator) -> Result<Stop, BackendError> {
    Ok(match emulator.qmp.reset_was_requested()? {
        true => Stop::ResetRequested,
        false => Stop::Halted,
    })
}

/// Memory without power loses what it held.
fn scramble(emulator: &mut Emulator) -> Result<(), BackendError> {
    for memory in [RAM, PSRAM] {
        emulator.qtest.fill(memory.start, memory.length, NOISE)?;
    }
    Ok(())
}

/// How registers of devices are accessed: word by word, unless so many bytes are no words.
fn access_width(address: u32, length: usize) -> usize {
    match (address % 4, length % 4) {
        (0, 0) => 4,
        (0 | 2, 2) if length == 2 => 2,
        _ => 1,
    }
}
