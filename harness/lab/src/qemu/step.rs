//! Single steps, also of a core that sleeps.
//!
//! QEMU does not wake a core from WFI for a step, and so never executes one. On a chip halting is
//! itself an event that ends WFI (ARMv7-M ARM B1.5.19). An exception that is pended for the length of
//! the step wakes it here; it is not taken, because QEMU masks interrupts while it steps.

use super::gdb::Gdb;
use super::qtest::QTest;
use crate::probe::BackendError;

/// R15 in QEMU's description of the core.
const PC: u8 = 15;
/// WFE and WFI (ARMv7-M ARM A7.7.260, A7.7.261).
const SLEEPS: [[u8; 2]; 2] = [[0x20, 0xBF], [0x30, 0xBF]];
/// Interrupt control and state (B3.2.4), and its bits for PendSV.
const ICSR: u32 = 0xE000_ED04;
const PENDSVSET: u32 = 1 << 28;
const PENDSVCLR: u32 = 1 << 27;

/// Executes the next instruction, whether the core sleeps in front of it or not.
pub(super) fn step(gdb: &mut Gdb, qtest: &mut QTest) -> Result<(), BackendError> {
    let asleep = may_sleep(gdb, qtest)?;
    step_awake(gdb, qtest, asleep)
}

/// Whether the core may sleep where it stands.
pub(super) fn may_sleep(gdb: &mut Gdb, qtest: &mut QTest) -> Result<bool, BackendError> {
    let pc = gdb.register(PC)?;
    let pc = pc.first_chunk().map_or(0, |word| u32::from_le_bytes(*word));
    let mut instruction = [0; 2];
    qtest.read(pc.wrapping_sub(2), &mut instruction)?;
    Ok(SLEEPS.contains(&instruction))
}

/// Executes the next instruction of a core that may have slept.
pub(super) fn step_awake(
    gdb: &mut Gdb,
    qtest: &mut QTest,
    asleep: bool,
) -> Result<(), BackendError> {
    if !asleep || qtest.read_register(ICSR, 4)? & PENDSVSET != 0 {
        return gdb.step();
    }
    qtest.write_register(ICSR, 4, PENDSVSET)?;
    let stepped = gdb.step();
    qtest.write_register(ICSR, 4, PENDSVCLR)?;
    stepped
}
