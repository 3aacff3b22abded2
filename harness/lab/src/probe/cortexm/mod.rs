//! The debug registers of an ARMv7-M core (ARMv7-M ARM, part C).
//!
//! They are kept here and not in the core, because an emulated core has none that a debugger could
//! reach: halting, stepping, core registers, vector catch, reset and the breakpoint unit. What the
//! debugger does not own of the system control space is passed through to the core.

mod breakpoints;
mod registers;

use std::collections::BTreeSet;

use super::{Backend, BackendError, Register, Stop, Supply};
use breakpoints::Breakpoints;
use registers::*;

/// A core and its debug registers.
#[derive(Debug)]
pub struct Core<B> {
    backend: B,
    state: State,
    /// The control bits of DHCSR.
    control: u32,
    reset_seen: bool,
    demcr: u32,
    dcrdr: u32,
    dfsr: u32,
    breakpoints: Breakpoints,
    /// The core has no power: it runs only what a debugger runs.
    frozen: bool,
    /// A fault of the probe: the core looks locked up.
    looks_locked_up: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// nRST is low, or the core never had power.
    Held,
    Running,
    Halted,
    LockedUp,
    /// Halted by the debugger while it was locked up (ARMv7-M ARM B1.5.15).
    Wrecked,
}

impl<B: Backend> Core<B> {
    /// A core without power.
    pub fn new(backend: B) -> Self {
        Self {
            backend,
            state: State::Held,
            control: 0,
            reset_seen: false,
            demcr: 0,
            dcrdr: 0,
            dfsr: 0,
            breakpoints: Breakpoints::default(),
            frozen: true,
            looks_locked_up: false,
        }
    }

    /// What runs the core.
    pub fn backend(&mut self) -> &mut B {
        &mut self.backend
    }

    /// Switches the core's supply. With power the debug registers are as after a cold reset.
    pub fn supply(&mut self, supply: Supply) -> Result<(), BackendError> {
        if supply == Supply::Off {
            return self.lose_power();
        }
        self.frozen = false;
        self.state = State::Held;
        (self.control, self.demcr, self.dcrdr, self.dfsr) = (0, 0, 0, 0);
        self.reset_seen = true;
        self.backend.power(true)?;
        self.breakpoints.remove(&mut self.backend)?;
        self.breakpoints = Breakpoints::default();
        if supply == Supply::On {
            return self.start(None);
        }
        self.control = C_DEBUGEN;
        self.start(Some(DFSR_VCATCH))
    }

    fn lose_power(&mut self) -> Result<(), BackendError> {
        self.frozen = true;
        if self.state == State::Running {
            match self.backend.halt() {
                Ok(_) => {
                    self.state = State::Halted;
                    self.halted_by(DFSR_HALTED);
                }
                Err(BackendError::LockedUp) => self.state = State::LockedUp,
                Err(error) => return Err(error),
            }
        }
        self.backend.power(false)
    }

    /// Whether the core has power.
    pub fn is_supplied(&self) -> bool {
        !self.frozen
    }

    /// nRST low or high. When it goes high the core runs, or is caught in front of its first
    /// instruction: also without C_DEBUGEN, which debuggers set while nRST is low, but after
    /// VC_CORERESET.
    pub fn hold_in_reset(&mut self, hold: bool) -> Result<(), BackendError> {
        match (hold, self.state) {
            (true, State::Held) => Ok(()),
            (true, _) => {
                if self.state == State::Running {
                    self.backend.halt()?;
                }
                self.state = State::Held;
                self.reset_seen = true;
                Ok(())
            }
            (false, State::Held) => {
                let caught = self.demcr & VC_CORERESET != 0;
                if caught {
                    self.control |= C_DEBUGEN;
                }
                self.reset(None)
            }
            (false, _) => Ok(()),
        }
    }

    /// Makes the core look locked up.
    pub fn pretend_lockup(&mut self, pretend: bool) {
        self.looks_locked_up = pretend;
    }

    /// Notices what a running core has done by itself.
    pub fn poll(&mut self) -> Result<(), BackendError> {
        if self.state != State::Running {
            return Ok(());
        }
        match self.backend.poll_stop() {
            Ok(None) => Ok(()),
            Ok(Some(stop)) => self.stopped(stop),
            Err(BackendError::LockedUp) => self.stopped(Stop::LockedUp),
            Err(error) => Err(error),
        }
    }

    /// Reads memory or registers.
    pub fn read(&mut self, address: u32, bytes: &mut [u8]) -> Result<(), BackendError> {
        match self.try_read(address, bytes) {
            Err(BackendError::LockedUp) => {
                self.poll()?;
                self.try_read(address, bytes)
            }
            other => other,
        }
    }

    /// Writes memory or registers, with so many bytes per access.
    pub fn write(&mut self, address: u32, width: u8, bytes: &[u8]) -> Result<(), BackendError> {
        match self.try_write(address, width, bytes) {
            Err(BackendError::LockedUp) => {
                self.poll()?;
                self.try_write(address, width, bytes)
            }
            other => other,
        }
    }

    fn try_read(&mut self, address: u32, bytes: &mut [u8]) -> Result<(), BackendError> {
        if !is_private(address, bytes.len()) {
            return self.backend.read(address, bytes);
        }
        let mut at = address;
        let mut rest = bytes;
        while !rest.is_empty() {
            let offset = (at & 3) as usize;
            let length = rest.len().min(4 - offset);
            let (piece, after) = rest.split_at_mut(length);
            let word = self.read_register(at & !3)?.to_le_bytes();
            piece.copy_from_slice(&word[offset..offset + length]);
            at = at.wrapping_add(length as u32);
            rest = after;
        }
        Ok(())
    }

    fn try_write(&mut self, address: u32, width: u8, bytes: &[u8]) -> Result<(), BackendError> {
        if !is_private(address, bytes.len()) {
            self.breakpoints.written(address, bytes);
            return self.backend.write(address, bytes);
        }
        if width < 4 || address & 3 != 0 {
            return self.backend.write(address, bytes);
        }
        let (words, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(BackendError::Fault { address });
        }
        let addresses = (address..).step_by(4);
        for (address, word) in addresses.zip(words) {
            self.write_register(address, u32::from_le_bytes(*word))?;
        }
        Ok(())
    }

    fn read_register(&mut self, address: u32) -> Result<u32, BackendError> {
        Ok(match address {
            DHCSR => self.read_dhcsr()?,
            DCRSR => 0,
            DCRDR => self.dcrdr,
            DEMCR => self.demcr,
            DFSR => self.dfsr,
            FP_START..FP_END => self.breakpoints.read(address),
            TRACE_START..FP_START | TPIU_START..TPIU_END => 0,
            ROM_TABLE_START.. => rom_table(address),
            _ => {
                let mut word = [0; 4];
                self.backend.read(address, &mut word)?;
                u32::from_le_bytes(word)
            }
        })
    }

    fn write_register(&mut self, address: u32, value: u32) -> Result<(), BackendError> {
        match address {
            DHCSR if value >> 16 == DHCSR_KEY => self.control(value & 0xFFFF),
            DHCSR => Ok(()),
            DCRSR => self.transfer(value),
            DCRDR => {
                self.dcrdr = value;
                Ok(())
            }
            DEMCR => {
                self.demcr = value & DEMCR_WRITABLE;
                self.insert_breakpoints_while_running()
            }
            DFSR => {
                self.dfsr &= !value;
                Ok(())
            }
            AIRCR if value >> 16 == AIRCR_KEY && value & AIRCR_RESETS != 0 => self.reset(None),
            FP_START..FP_END => {
                self.breakpoints.write(address, value);
                self.insert_breakpoints_while_running()
            }
            TRACE_START..FP_START | TPIU_START..TPIU_END | ROM_TABLE_START.. => Ok(()),
            _ => self.backend.write(address, &value.to_le_bytes()),
        }
    }

    fn read_dhcsr(&mut self) -> Result<u32, BackendError> {
        self.poll()?;
        let mut value = self.control | S_REGRDY;
        match self.state {
            _ if self.looks_locked_up => value |= S_LOCKUP,
            State::Halted | State::Wrecked => value |= S_HALT,
            State::LockedUp => value |= S_LOCKUP,
            State::Running => value |= S_RETIRE_ST,
            State::Held => {}
        }
        if std::mem::take(&mut self.reset_seen) {
            value |= S_RESET_ST;
        }
        Ok(value)
    }

    /// A write to DHCSR with its key.
    fn control(&mut self, value: u32) -> Result<(), BackendError> {
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
                Ok(Stop::ResetRequested) => self.reset(Some(DFSR_HALTED)),
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

    fn step(&mut self) -> Result<(), BackendError> {
        if self.stands_at_breakpoint()? {
            self.halted_by(DFSR_BKPT);
            return Ok(());
        }
        match self.backend.step() {
            Ok(()) => {
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

    fn insert_breakpoints_while_running(&mut self) -> Result<(), BackendError> {
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

    fn catches(&mut self, pc: u32) -> Result<bool, BackendError> {
        for (bit, vector) in CATCHABLE {
            if self.demcr & bit != 0 && self.handler(vector)? == Some(pc) {
                return Ok(true);
            }
        }
        Ok(false)
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

    /// The core has stopped by itself or was stopped.
    fn stopped(&mut self, stop: Stop) -> Result<(), BackendError> {
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
            Ok(()) => {}
            Err(BackendError::LockedUp) => return self.stopped(Stop::LockedUp),
            Err(error) => return Err(error),
        }
        self.backend.set_breakpoint(pc, true)?;
        self.let_run()
    }

    /// A debug event sets C_HALT, so that a debugger's read-modify-write does not resume the core.
    fn halted_by(&mut self, cause: u32) {
        self.dfsr |= cause;
        self.control = self.control & !C_STEP | C_HALT;
    }

    /// Resets the core. It stands afterwards if there is a cause for that, or if it is caught.
    fn reset(&mut self, cause: Option<u32>) -> Result<(), BackendError> {
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

    fn start(&mut self, cause: Option<u32>) -> Result<(), BackendError> {
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

    /// A write to DCRSR: moves a core register from or to DCRDR.
    fn transfer(&mut self, value: u32) -> Result<(), BackendError> {
        let Some(register) = Register::from_selector(value & 0x7F) else {
            self.dcrdr = 0;
            return Ok(());
        };
        let write = value & DCRSR_WRITE != 0;
        match self.state {
            State::Halted if write => self.backend.set_register(register, self.dcrdr),
            State::Halted => {
                self.dcrdr = self.backend.register(register)?;
                Ok(())
            }
            State::Wrecked if register == Register::PC => {
                self.dcrdr = LOCKUP_ADDRESS;
                Ok(())
            }
            _ => {
                self.dcrdr = 0;
                Ok(())
            }
        }
    }
}

/// Whether any of it is on the private peripheral bus.
fn is_private(address: u32, length: usize) -> bool {
    let end = u64::from(address) + length as u64;
    end > u64::from(TRACE_START) && u64::from(address) < u64::from(PRIVATE_END)
}
