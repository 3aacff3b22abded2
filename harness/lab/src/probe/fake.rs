//! A core that is nothing but memory and a program counter, for tests and faults.
//!
//! It is deterministic: it executes a fixed number of instructions whenever it is looked at. Every
//! instruction is two bytes and does nothing, except B to itself (`E7FE`), SVC (`DFxx`, which here
//! requests a reset of the system) and UDF (`DExx`, which locks the core up).

use std::collections::{BTreeMap, BTreeSet};

use super::{Backend, BackendError, Register, Stop};

/// Bytes of flash, from address 0 on.
pub const FLASH: usize = 64 * 1024;
/// First address of RAM.
pub const RAM_START: u32 = 0x2000_0000;
/// Bytes of RAM.
pub const RAM: usize = 64 * 1024;

/// Instructions executed whenever a running core is polled.
const PACE: u32 = 100;
const VTOR: u32 = 0xE000_ED08;
/// System control space registers that read as on a Cortex-M4F.
const CONSTANTS: [(u32, u32); 2] = [(0xE000_ED00, 0x410F_C240), (0xE000_EF40, 0x1011_0021)];
const BRANCH_TO_SELF: [u8; 2] = [0xFE, 0xE7];
const SVC: u8 = 0xDF;
const UDF: u8 = 0xDE;

/// A core that is nothing but memory and a program counter.
#[derive(Debug)]
pub struct FakeCore {
    flash: Vec<u8>,
    ram: Vec<u8>,
    registers: BTreeMap<Register, u32>,
    private: BTreeMap<u32, u32>,
    breakpoints: BTreeSet<u32>,
    running: bool,
    locked_up: bool,
}

impl FakeCore {
    /// A core without power, with this at the beginning of its flash.
    pub fn new(image: &[u8]) -> Self {
        let mut flash = vec![0xFF; FLASH];
        let length = image.len().min(FLASH);
        flash[..length].copy_from_slice(&image[..length]);
        Self {
            flash,
            ram: vec![0; RAM],
            registers: BTreeMap::new(),
            private: BTreeMap::new(),
            breakpoints: BTreeSet::new(),
            running: false,
            locked_up: false,
        }
    }

    fn memory(&mut self, address: u32, length: usize) -> Result<&mut [u8], BackendError> {
        let (memory, start) = if address < RAM_START {
            (&mut self.flash, 0)
        } else {
            (&mut self.ram, RAM_START)
        };
        let from = (address - start) as usize;
        memory
            .get_mut(from..from.saturating_add(length))
            .ok_or(BackendError::Fault { address })
    }

    fn pc(&self) -> u32 {
        self.registers.get(&Register::PC).copied().unwrap_or(0)
    }

    /// Executes one instruction.
    fn execute(&mut self) -> Result<Option<Stop>, BackendError> {
        let pc = self.pc();
        let Ok([low, high]) = self.memory(pc, 2).map(|bytes| [bytes[0], bytes[1]]) else {
            self.locked_up = true;
            return Ok(Some(Stop::LockedUp));
        };
        match [low, high] {
            BRANCH_TO_SELF => return Ok(None),
            [_, SVC] => return Ok(Some(Stop::ResetRequested)),
            [_, UDF] => {
                self.locked_up = true;
                return Ok(Some(Stop::LockedUp));
            }
            _ => {}
        }
        self.registers.insert(Register::PC, pc.wrapping_add(2));
        Ok(None)
    }

    fn must_work(&self) -> Result<(), BackendError> {
        if self.locked_up {
            return Err(BackendError::LockedUp);
        }
        Ok(())
    }
}

impl Backend for FakeCore {
    fn read(&mut self, address: u32, bytes: &mut [u8]) -> Result<(), BackendError> {
        if address >= 0xE000_0000 {
            let constant = CONSTANTS.iter().find(|(at, _)| *at == address);
            let stored = self.private.get(&address).copied();
            let word = constant
                .map_or(stored.unwrap_or(0), |(_, value)| *value)
                .to_le_bytes();
            let length = bytes.len().min(4);
            bytes[..length].copy_from_slice(&word[..length]);
            return Ok(());
        }
        let length = bytes.len();
        bytes.copy_from_slice(self.memory(address, length)?);
        Ok(())
    }

    fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), BackendError> {
        if address >= 0xE000_0000 {
            if let Ok(word) = bytes.try_into() {
                self.private.insert(address, u32::from_le_bytes(word));
            }
            return Ok(());
        }
        self.memory(address, bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    fn halt(&mut self) -> Result<Stop, BackendError> {
        let stop = self.poll_stop()?;
        self.running = false;
        Ok(stop.unwrap_or(Stop::Halted))
    }

    fn resume(&mut self) -> Result<(), BackendError> {
        self.must_work()?;
        if self.memory(self.pc(), 2).is_err() {
            self.locked_up = true;
            return Err(BackendError::LockedUp);
        }
        self.running = true;
        Ok(())
    }

    fn step(&mut self) -> Result<Stop, BackendError> {
        self.must_work()?;
        match self.execute()? {
            Some(Stop::LockedUp) => Err(BackendError::LockedUp),
            stop => Ok(stop.unwrap_or(Stop::Halted)),
        }
    }

    fn register(&mut self, register: Register) -> Result<u32, BackendError> {
        self.must_work()?;
        Ok(self.registers.get(&register).copied().unwrap_or(0))
    }

    fn set_register(&mut self, register: Register, value: u32) -> Result<(), BackendError> {
        self.must_work()?;
        self.registers.insert(register, value);
        Ok(())
    }

    fn set_breakpoint(&mut self, address: u32, on: bool) -> Result<(), BackendError> {
        if on {
            self.breakpoints.insert(address);
        } else {
            self.breakpoints.remove(&address);
        }
        Ok(())
    }

    fn reset(&mut self) -> Result<(), BackendError> {
        self.running = false;
        self.locked_up = false;
        self.private.remove(&VTOR);
        let mut vectors = [0; 8];
        self.read(0, &mut vectors)?;
        let (words, _) = vectors.as_chunks::<4>();
        let stack = u32::from_le_bytes(words[0]) & !3;
        let entry = u32::from_le_bytes(words[1]) & !1;
        self.registers = BTreeMap::from([
            (Register::Core(13), stack),
            (Register::Core(14), u32::MAX),
            (Register::PC, entry),
            (Register::Xpsr, 1 << 24),
        ]);
        Ok(())
    }

    fn poll_stop(&mut self) -> Result<Option<Stop>, BackendError> {
        if !self.running {
            return Ok(None);
        }
        for _ in 0..PACE {
            let stop = if self.breakpoints.contains(&self.pc()) {
                Some(Stop::Breakpoint)
            } else {
                self.execute()?
            };
            if stop.is_some() {
                self.running = false;
                return Ok(stop);
            }
        }
        Ok(None)
    }

    fn power(&mut self, on: bool) -> Result<(), BackendError> {
        self.running = false;
        if on {
            self.ram.fill(0xA5);
            self.private.clear();
            self.reset()?;
        }
        Ok(())
    }

    fn code(&mut self) -> Result<(u32, Vec<u8>), BackendError> {
        let used = self.flash.iter().rposition(|byte| *byte != 0xFF);
        Ok((0, self.flash[..used.map_or(0, |last| last + 1)].to_vec()))
    }
}
