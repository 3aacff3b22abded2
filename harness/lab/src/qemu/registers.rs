//! Core registers through the GDB server.
//!
//! QEMU 7.2 describes a Cortex-M by R0 to R15, XPSR, and D0 to D15 with FPSCR. The others are
//! reached by executing one MRS or MSR in RAM, in place of the firmware and unseen by it.

use super::gdb::Gdb;
use super::memory::PSRAM;
use super::qtest::QTest;
use super::step::{may_sleep, step_awake};
use crate::probe::{BackendError, Register};

/// Numbers in QEMU's description.
const PC: u8 = 15;
const XPSR: u8 = 25;
const D0: u8 = 26;
const FPSCR: u8 = 42;
/// Where the one instruction is put; what stood there is put back.
const SCRATCH: u32 = PSRAM.start + PSRAM.length - 4;
/// XPSR with nothing but the Thumb bit: no IT block, in which the instruction could be skipped.
const THUMB: u32 = 1 << 24;

/// SYSm numbers of special registers (ARMv7-M ARM B5.1.1).
const MSP: u8 = 8;
const PSP: u8 = 9;
const PRIMASK: u8 = 16;
const BASEPRI: u8 = 17;
const FAULTMASK: u8 = 19;
const CONTROL: u8 = 20;
/// The bytes of the combined register, lowest first.
const COMBINED: [u8; 4] = [PRIMASK, BASEPRI, FAULTMASK, CONTROL];

/// The value of a register.
pub(super) fn read(
    gdb: &mut Gdb,
    qtest: &mut QTest,
    register: Register,
) -> Result<u32, BackendError> {
    match register {
        Register::Core(number) => word(gdb, number),
        Register::Xpsr => word(gdb, XPSR),
        Register::Fpscr => word(gdb, FPSCR),
        Register::Single(number) => {
            let double = gdb.register(D0 + number / 2)?;
            let half = usize::from(number % 2) * 4;
            Ok(little(double.get(half..half + 4).unwrap_or_default()))
        }
        Register::Msp => special(gdb, qtest, MSP, None),
        Register::Psp => special(gdb, qtest, PSP, None),
        Register::Special => {
            let mut bytes = [0; 4];
            for (byte, number) in bytes.iter_mut().zip(COMBINED) {
                *byte = special(gdb, qtest, number, None)? as u8;
            }
            Ok(u32::from_le_bytes(bytes))
        }
    }
}

/// Sets a register.
pub(super) fn write(
    gdb: &mut Gdb,
    qtest: &mut QTest,
    register: Register,
    value: u32,
) -> Result<(), BackendError> {
    match register {
        Register::Core(PC) => gdb.set_register(PC, &(value & !1).to_le_bytes()),
        Register::Core(number) => gdb.set_register(number, &value.to_le_bytes()),
        Register::Xpsr => gdb.set_register(XPSR, &value.to_le_bytes()),
        Register::Fpscr => gdb.set_register(FPSCR, &value.to_le_bytes()),
        Register::Single(number) => {
            let mut double = gdb.register(D0 + number / 2)?;
            let half = usize::from(number % 2) * 4;
            if let Some(place) = double.get_mut(half..half + 4) {
                place.copy_from_slice(&value.to_le_bytes());
            }
            gdb.set_register(D0 + number / 2, &double)
        }
        Register::Msp => special(gdb, qtest, MSP, Some(value)).map(drop),
        Register::Psp => special(gdb, qtest, PSP, Some(value)).map(drop),
        Register::Special => {
            for (byte, number) in value.to_le_bytes().into_iter().zip(COMBINED) {
                special(gdb, qtest, number, Some(u32::from(byte)))?;
            }
            Ok(())
        }
    }
}

/// Executes MSR if there is a value, else MRS; what is in the register afterwards is its outcome.
fn special(
    gdb: &mut Gdb,
    qtest: &mut QTest,
    number: u8,
    value: Option<u32>,
) -> Result<u32, BackendError> {
    let asleep = may_sleep(gdb, qtest)?;
    let kept = [word(gdb, 0)?, word(gdb, PC)?, word(gdb, XPSR)?];
    let mut memory = [0; 4];
    qtest.read(SCRATCH, &mut memory)?;
    // MSR <number>, R0 (ARMv7-M ARM B5.2.3) or MRS R0, <number> (B5.2.2).
    let instruction = match value {
        Some(_) => [0x80, 0xF3, number, 0x88],
        None => [0xEF, 0xF3, number, 0x80],
    };
    qtest.write(SCRATCH, &instruction)?;
    gdb.set_register(0, &value.unwrap_or(0).to_le_bytes())?;
    gdb.set_register(XPSR, &(kept[2] & 0x1FF | THUMB).to_le_bytes())?;
    gdb.set_register(PC, &SCRATCH.to_le_bytes())?;
    step_awake(gdb, qtest, asleep)?;
    let outcome = word(gdb, 0)?;
    gdb.set_register(PC, &kept[1].to_le_bytes())?;
    gdb.set_register(XPSR, &kept[2].to_le_bytes())?;
    gdb.set_register(0, &kept[0].to_le_bytes())?;
    qtest.write(SCRATCH, &memory)?;
    Ok(outcome)
}

fn word(gdb: &mut Gdb, number: u8) -> Result<u32, BackendError> {
    Ok(little(&gdb.register(number)?))
}

fn little(bytes: &[u8]) -> u32 {
    bytes
        .first_chunk()
        .map_or(0, |word| u32::from_le_bytes(*word))
}
