//! Where a core stops: the breakpoint unit, breakpoint instructions, and caught exceptions.
//!
//! The core behind [`Backend`] knows no halting debug, so that a BKPT instruction would be a fault
//! to it. Those that the debugger writes to memory, and those in flash at a reset, are therefore
//! found and get a breakpoint each. Two kinds are looked for: semihosting calls (BKPT 0xAB) and
//! BKPT 0, which is where flash algorithms return to.

use std::collections::BTreeSet;

use super::registers::{BKPT, FP_START};
use crate::probe::{Backend, BackendError};

/// Comparators of the unit.
const COMPARATORS: usize = 8;
/// FP_CTRL: revision 2, so that comparators reach RAM, and the number of comparators (C1.11.3).
const FP_CTRL: u32 = 1 << 28 | (COMPARATORS as u32) << 4;
const FP_CTRL_KEY: u32 = 2;
const FP_CTRL_ENABLE: u32 = 1;
/// Of the first comparator, behind FP_CTRL and FP_REMAP.
const FP_COMP0: u32 = FP_START + 8;
/// More breakpoint instructions than this are data that looks like them.
const MAX_INSTRUCTIONS: usize = 128;
/// The BKPT instructions that are looked for.
const INSTRUCTIONS: [[u8; 2]; 2] = [[0xAB, BKPT], [0x00, BKPT]];

/// All breakpoints of a core, wanted and inserted.
#[derive(Debug, Default)]
pub(super) struct Breakpoints {
    enabled: bool,
    comparators: [u32; COMPARATORS],
    instructions: BTreeSet<u32>,
    inserted: BTreeSet<u32>,
}

impl Breakpoints {
    /// A register of the unit.
    pub(super) fn read(&self, address: u32) -> u32 {
        match address {
            FP_START => FP_CTRL | u32::from(self.enabled),
            _ => comparator(address).map_or(0, |index| self.comparators[index]),
        }
    }

    /// Writes a register of the unit.
    pub(super) fn write(&mut self, address: u32, value: u32) {
        if address == FP_START {
            if value & FP_CTRL_KEY != 0 {
                self.enabled = value & FP_CTRL_ENABLE != 0;
            }
        } else if let Some(index) = comparator(address) {
            self.comparators[index] = value;
        }
    }

    /// Whether the unit stops the core in front of the instruction at `pc`.
    pub(super) fn unit_matches(&self, pc: u32) -> bool {
        self.enabled && self.comparators.contains(&(pc | 1))
    }

    /// Looks for breakpoint instructions in what the debugger has written.
    pub(super) fn written(&mut self, address: u32, bytes: &[u8]) {
        let end = u64::from(address) + bytes.len() as u64;
        let end = u32::try_from(end).unwrap_or(u32::MAX);
        let gone: Vec<_> = self.instructions.range(address..end).copied().collect();
        for address in gone {
            self.instructions.remove(&address);
        }
        self.find(address, bytes);
    }

    /// Looks for breakpoint instructions in flash, in place of those that were known there.
    pub(super) fn scan(&mut self, start: u32, flash: &[u8]) {
        self.written(start, flash);
    }

    fn find(&mut self, address: u32, bytes: &[u8]) {
        let skip = (address & 1) as usize;
        let halfwords = bytes.get(skip..).unwrap_or_default().as_chunks::<2>().0;
        let addresses = (address.wrapping_add(address & 1)..).step_by(2);
        for (address, halfword) in addresses.zip(halfwords) {
            if halfword[1] == BKPT
                && INSTRUCTIONS.contains(halfword)
                && self.instructions.len() < MAX_INSTRUCTIONS
            {
                self.instructions.insert(address);
            }
        }
    }

    pub(super) fn are_inserted(&self) -> bool {
        !self.inserted.is_empty()
    }

    /// What breakpoint unit and breakpoint instructions want.
    pub(super) fn wanted(&self) -> BTreeSet<u32> {
        let unit = self
            .comparators
            .iter()
            .filter(|value| self.enabled && *value & 1 != 0);
        let unit = unit.map(|value| value & !1);
        unit.chain(self.instructions.iter().copied()).collect()
    }

    /// Whether all of `wanted` and no other is inserted.
    pub(super) fn is_inserted(&self, wanted: &BTreeSet<u32>) -> bool {
        self.inserted == *wanted
    }

    /// Inserts `wanted`, and removes every other.
    pub(super) fn insert(
        &mut self,
        backend: &mut impl Backend,
        wanted: &BTreeSet<u32>,
    ) -> Result<(), BackendError> {
        self.change(backend, wanted)
    }

    /// Removes all that are inserted.
    pub(super) fn remove(&mut self, backend: &mut impl Backend) -> Result<(), BackendError> {
        self.change(backend, &BTreeSet::new())
    }

    fn change(
        &mut self,
        backend: &mut impl Backend,
        wanted: &BTreeSet<u32>,
    ) -> Result<(), BackendError> {
        let surplus: Vec<_> = self.inserted.difference(wanted).copied().collect();
        for address in surplus {
            backend.set_breakpoint(address, false)?;
            self.inserted.remove(&address);
        }
        let missing: Vec<_> = wanted.difference(&self.inserted).copied().collect();
        for address in missing {
            backend.set_breakpoint(address, true)?;
            self.inserted.insert(address);
        }
        Ok(())
    }
}

fn comparator(address: u32) -> Option<usize> {
    let index = usize::try_from(address.checked_sub(FP_COMP0)? / 4).ok()?;
    (index < COMPARATORS).then_some(index)
}
