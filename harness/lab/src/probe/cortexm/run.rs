//! How a core is halted, stepped, run and reset, and why it stands.

use std::collections::BTreeSet;

use super::registers::*;
use super::{Core, State};
use crate::probe::{Backend, BackendError, Register, Stop};

impl<B: Backend> Core<B> {
    /// A write to DHCSR with its key.
    pub(super) fn control(&mut self, value: u32) -> Result<(), BackendError> {
        self.poll()?;
        if value & C_DEBUGEN == 0 {
            return self.leave_debug();
        }
        let halt = value & C_HALT != 0;
        let step = value & C_STEP != 0;
        let enters = self.control & C_DEBUGEN == 0;
        self.control = value & (C_DEBUGEN | C_HALT | C_STEP | C_MASKINTS);
        match self.state {
            State::Running if !halt => self.insert_breakpoints_while_running(),
            State::Running => match self.backend.halt() {
                // The firmware's request came first, the debugger's outlives it.
                Ok(Stop::ResetRequested) => {
                    self.state = State::Halted;
                    self.reset(Some(DFSR_HALTED))
                }
                Ok(stop) => self.stopped(stop),
                Err(BackendError::LockedUp) => {
                    self.state = State::Wrecked;
                    self.halted_by(DFSR_HALTED);
                    Ok(())
                }
                Err(error) => Err(error),
            },
            State::LockedUp if halt => {
                self.state = State::Wrecked;
                self.halted_by(DFSR_HALTED);
                Ok(())
            }
            // Without power it stands, though nobody has halted it.
            State::Halted if !halt && enters => {
                self.halted_by(DFSR_HALTED);
                Ok(())
            }
            State::Halted if !halt && step => self.step(),
            State::Halted if !halt => self.resume(),
            State::Wrecked if !halt => {
                self.state = State::LockedUp;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// C_DEBUGEN was cleared: the core runs on, and nothing stops it any more.
    fn leave_debug(&mut self) -> Result<(), BackendError> {
        self.control = 0;
        match self.state {
            State::Halted => {
                self.breakpoints.remove(&mut self.backend)?;
                self.backend.debugger_leaves()?;
                self.let_run()
            }
            State::Running if self.breakpoints.are_inserted() => {
                self.while_halted(|core| core.breakpoints.remove(&mut core.backend))
            }
            State::Wrecked => {
                self.state = State::LockedUp;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn step(&mut self) -> Result<(), BackendError> {
        if self.stands_at_breakpoint()? {
            self.halted_by(DFSR_BKPT);
            return Ok(());
        }
        match self.backend.step() {
            // The firmware's request came first, the debugger's outlives it.
            Ok(Stop::ResetRequested) => self.reset(Some(DFSR_HALTED)),
            Ok(_) => {
                let pc = self.backend.register(Register::PC)?;
                let caught = self.catches(pc)?;
                self.halted_by(if caught { DFSR_VCATCH } else { DFSR_HALTED });
                Ok(())
            }
            Err(BackendError::LockedUp) => self.stopped(Stop::LockedUp),
            Err(error) => Err(error),
        }
    }

    fn resume(&mut self) -> Result<(), BackendError> {
        if self.stands_at_breakpoint()? {
            self.halted_by(DFSR_BKPT);
            return Ok(());
        }
        self.insert_breakpoints()?;
        self.let_run()
    }

    fn let_run(&mut self) -> Result<(), BackendError> {
        if self.frozen && self.control & C_DEBUGEN == 0 {
            self.state = State::Halted;
            self.halted_by(DFSR_HALTED);
            return Ok(());
        }
        match self.backend.resume() {
            Ok(()) => {
                self.state = State::Running;
                Ok(())
            }
            Err(BackendError::LockedUp) => self.stopped(Stop::LockedUp),
            Err(error) => Err(error),
        }
    }

    /// Does something that needs the core to stand, and lets it run on.
    fn while_halted(
        &mut self,
        change: impl FnOnce(&mut Self) -> Result<(), BackendError>,
    ) -> Result<(), BackendError> {
        let stop = self.backend.halt()?;
        change(self)?;
        match stop {
            Stop::Halted => self.let_run(),
            other => self.stopped(other),
        }
    }

    /// The core has stopped by itself or was stopped.
    pub(super) fn stopped(&mut self, stop: Stop) -> Result<(), BackendError> {
        match stop {
            Stop::LockedUp => {
                self.state = State::LockedUp;
                self.control &= !(C_HALT | C_STEP);
                Ok(())
            }
            Stop::ResetRequested => {
                self.state = State::Halted;
                self.reset(None)
            }
            Stop::Halted | Stop::Breakpoint if self.control & C_DEBUGEN == 0 => self.let_run(),
            Stop::Halted => {
                self.state = State::Halted;
                self.halted_by(DFSR_HALTED);
                Ok(())
            }
            Stop::Breakpoint => {
                self.state = State::Halted;
                let pc = self.backend.register(Register::PC)?;
                let faulted = self.handler(HARD_FAULT)? == Some(pc);
                if faulted {
                    self.backend.expect_lockup()?;
                }
                let cause = if self.stands_at_breakpoint()? {
                    DFSR_BKPT
                } else if self.catches(pc)? {
                    DFSR_VCATCH
                } else if faulted {
                    return self.pass(pc);
                } else {
                    DFSR_HALTED
                };
                self.halted_by(cause);
                Ok(())
            }
        }
    }

    /// Runs on from a place where nothing but our own curiosity stopped the core.
    fn pass(&mut self, pc: u32) -> Result<(), BackendError> {
        self.backend.set_breakpoint(pc, false)?;
        match self.backend.step() {
            Ok(stop) => {
                self.backend.set_breakpoint(pc, true)?;
                if stop == Stop::ResetRequested {
                    return self.stopped(stop);
                }
            }
            Err(BackendError::LockedUp) => return self.stopped(Stop::LockedUp),
            Err(error) => return Err(error),
        }
        self.let_run()
    }

    /// A debug event sets C_HALT, so that a debugger's read-modify-write does not resume the core.
    pub(super) fn halted_by(&mut self, cause: u32) {
        self.dfsr |= cause;
        self.control = self.control & !C_STEP | C_HALT;
    }

    /// Resets the core. It stands afterwards if there is a cause for that, or if it is caught.
    pub(super) fn reset(&mut self, cause: Option<u32>) -> Result<(), BackendError> {
        if self.state == State::Running {
            // Why it stands is of no interest any more.
            match self.backend.halt() {
                Ok(_) | Err(BackendError::LockedUp) => {}
                Err(error) => return Err(error),
            }
        }
        self.backend.reset()?;
        self.reset_seen = true;
        self.start(cause)
    }

    pub(super) fn start(&mut self, cause: Option<u32>) -> Result<(), BackendError> {
        self.state = State::Halted;
        self.control &= !(C_HALT | C_STEP);
        let (start, code) = self.backend.code()?;
        self.breakpoints.scan(start, &code);
        let caught = self.control & C_DEBUGEN != 0 && self.demcr & VC_CORERESET != 0;
        if let Some(cause) = cause.or((caught || self.frozen).then_some(DFSR_VCATCH)) {
            self.halted_by(cause);
            return Ok(());
        }
        self.insert_breakpoints()?;
        self.let_run()
    }

    /// Whether the next instruction stops the core before it is executed.
    fn stands_at_breakpoint(&mut self) -> Result<bool, BackendError> {
        let pc = self.backend.register(Register::PC)?;
        if self.breakpoints.unit_matches(pc) {
            return Ok(true);
        }
        let mut instruction = [0; 2];
        match self.backend.read(pc, &mut instruction) {
            Ok(()) => Ok(instruction[1] == BKPT),
            Err(BackendError::Fault { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn catches(&mut self, pc: u32) -> Result<bool, BackendError> {
        for (bit, vector) in CATCHABLE {
            if self.demcr & bit != 0 && self.handler(vector)? == Some(pc) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Where the handler of an exception is, if memory says so.
    fn handler(&mut self, vector: u32) -> Result<Option<u32>, BackendError> {
        let mut word = [0; 4];
        self.backend.read(VTOR, &mut word)?;
        let entry = u32::from_le_bytes(word).wrapping_add(4 * vector);
        match self.backend.read(entry, &mut word) {
            Ok(()) => {}
            Err(BackendError::Fault { .. }) => return Ok(None),
            Err(error) => return Err(error),
        }
        let handler = u32::from_le_bytes(word);
        Ok((handler & 1 != 0 && handler != u32::MAX).then_some(handler & !1))
    }

    pub(super) fn insert_breakpoints_while_running(&mut self) -> Result<(), BackendError> {
        if self.state != State::Running || self.control & C_DEBUGEN == 0 {
            return Ok(());
        }
        let wanted = self.wanted_breakpoints()?;
        if self.breakpoints.is_inserted(&wanted) {
            return Ok(());
        }
        self.while_halted(|core| core.breakpoints.insert(&mut core.backend, &wanted))
    }

    fn insert_breakpoints(&mut self) -> Result<(), BackendError> {
        if self.control & C_DEBUGEN == 0 {
            return self.breakpoints.remove(&mut self.backend);
        }
        let wanted = self.wanted_breakpoints()?;
        self.breakpoints.insert(&mut self.backend, &wanted)
    }

    fn wanted_breakpoints(&mut self) -> Result<BTreeSet<u32>, BackendError> {
        let mut wanted = self.breakpoints.wanted();
        wanted.extend(self.handler(HARD_FAULT)?);
        for (bit, vector) in CATCHABLE {
            if self.demcr & bit != 0
                && let Some(handler) = self.handler(vector)?
            {
                wanted.insert(handler);
            }
        }
        Ok(wanted)
    }
}
