//! What a processor tells of the fault in which it stands.

use std::collections::BTreeMap;

use probe_rs::{Core, CoreType, MemoryInterface, RegisterId};

use super::Crash;
use super::backtrace::{self, is_m_profile};
use crate::defmt::Image;
use crate::error::{Attempting, ProbeError};

/// Configurable Fault Status Register (ARMv7-M Architecture Reference Manual, B3.2.15).
const CFSR: u64 = 0xE000_ED28;
/// HardFault Status Register (B3.2.16).
const HFSR: u64 = 0xE000_ED2C;
/// MemManage Fault Address Register (B3.2.17).
const MMFAR: u64 = 0xE000_ED34;
/// BusFault Address Register (B3.2.18).
const BFAR: u64 = 0xE000_ED38;
/// xPSR of the M profile.
const XPSR: RegisterId = RegisterId(16);

/// Bits of CFSR, with what they say.
const FAULTS: &[(u32, &str)] = &[
    (1 << 0, "an instruction fetched where none may stand"),
    (1 << 1, "a forbidden access to memory"),
    (
        1 << 3,
        "a forbidden access to memory when returning from an exception",
    ),
    (
        1 << 4,
        "a stack that overflowed when an exception was entered",
    ),
    (1 << 8, "an instruction fetched where nothing is"),
    (1 << 9, "an access to an address where nothing is"),
    (1 << 10, "a late access to an address where nothing is"),
    (
        1 << 11,
        "a stack where nothing is, when returning from an exception",
    ),
    (
        1 << 12,
        "a stack where nothing is, when an exception was entered",
    ),
    (1 << 16, "an instruction that does not exist"),
    (1 << 17, "a branch to code that is no Thumb code"),
    (1 << 18, "a wrong return from an exception"),
    (1 << 19, "an instruction of a coprocessor that is off"),
    (1 << 24, "an unaligned access"),
    (1 << 25, "a division by zero"),
];
/// CFSR's bits that say that MMFAR and BFAR hold the address.
const MMARVALID: u32 = 1 << 7;
const BFARVALID: u32 = 1 << 15;

/// Whether the core stands in the handler of a fault: HardFault to UsageFault (B1.5.2).
pub(super) fn is_in_fault(core: &mut Core<'_>) -> Result<bool, ProbeError> {
    Ok(is_m_profile(core) && matches!(exception(core)?, 3..=6))
}

/// What there is to know of a fault.
pub(super) fn of_fault(core: &mut Core<'_>, image: &Image) -> Result<Crash, ProbeError> {
    let mut crash = here(core, image, "hard fault")?;
    if core.core_type() == CoreType::Armv6m {
        // It has none of these registers.
        return Ok(crash);
    }
    let mut read = |name: &str, address| -> Result<u32, ProbeError> {
        let word = core
            .read_word_32(address)
            .attempting(|| format!("read {name}"))?;
        crash.registers.insert(name.to_owned(), hex(word));
        Ok(word)
    };
    let cfsr = read("CFSR", CFSR)?;
    let hfsr = read("HFSR", HFSR)?;
    let mut reasons: Vec<String> = FAULTS
        .iter()
        .filter(|(bit, _)| cfsr & bit != 0)
        .map(|(_, says)| (*says).to_owned())
        .collect();
    if hfsr & (1 << 1) != 0 {
        reasons.push("a vector table that cannot be read".to_owned());
    }
    if cfsr & MMARVALID != 0 {
        reasons.push(format!("at {}", hex(read("MMFAR", MMFAR)?)));
    } else if cfsr & BFARVALID != 0 {
        reasons.push(format!("at {}", hex(read("BFAR", BFAR)?)));
    }
    if !reasons.is_empty() {
        crash.what = format!("hard fault: {}", reasons.join(" "));
    }
    Ok(crash)
}

/// Where a core stands that has stopped, whatever for.
pub(crate) fn here(core: &mut Core<'_>, image: &Image, what: &str) -> Result<Crash, ProbeError> {
    let mut registers = BTreeMap::new();
    let shown = [
        ("PC", core.program_counter()),
        ("LR", core.return_address()),
        ("SP", core.stack_pointer()),
    ];
    for (name, register) in shown {
        let value: u64 = core
            .read_core_reg(register)
            .attempting(|| format!("read the register {name}"))?;
        registers.insert(name.to_owned(), format!("{value:#010x}"));
    }
    if is_m_profile(core) {
        let value: u32 = core
            .read_core_reg(XPSR)
            .attempting(|| "read the register xPSR".to_owned())?;
        registers.insert("xPSR".to_owned(), hex(value));
    }
    Ok(Crash {
        what: what.to_owned(),
        registers,
        backtrace: backtrace::of(core, image),
    })
}

/// Number of the exception that is being handled; 0 if none is.
fn exception(core: &mut Core<'_>) -> Result<u32, ProbeError> {
    let xpsr: u32 = core
        .read_core_reg(XPSR)
        .attempting(|| "read the register xPSR".to_owned())?;
    Ok(xpsr & 0x1FF)
}

fn hex(word: u32) -> String {
    format!("{word:#010x}")
}
