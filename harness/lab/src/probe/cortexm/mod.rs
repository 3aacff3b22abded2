//! The debug registers of an ARMv7-M core (ARMv7-M ARM, part C).
//!
//! They are kept here and not in the core, because an emulated core has none that a debugger could
//! reach: halting, stepping, core registers, vector catch, reset and the breakpoint unit. What the
//! debugger does not own of the system control space is passed through to the core.

mod breakpoints;
mod registers;
mod run;

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
                // Whatever is wrong with it, it can be switched off.
                Err(_) => self.state = State::Held,
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
                    match self.backend.halt() {
                        // nRST helps a core that has just locked up, too.
                        Ok(_) | Err(BackendError::LockedUp) => {}
                        Err(error) => return Err(error),
                    }
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
