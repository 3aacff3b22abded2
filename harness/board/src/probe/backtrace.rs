//! Who called whom, by the image's call frame information.
//!
//! Not by probe-rs-debug, which brings all of probe-rs's chips and drivers with it and has no bound
//! on what it reads.

use std::panic::{AssertUnwindSafe, catch_unwind};

use gimli::{
    BaseAddresses, CfaRule, DebugFrame, EndianSlice, Register, RegisterRule, SectionId,
    UnwindContext, UnwindSection,
};
use object::Object;
use probe_rs::{Architecture, Core, CoreType, MemoryInterface, RegisterId};

use super::Frame;
use crate::defmt::Image;
use crate::names::{self, Names, Slice};

/// Frames of a backtrace, inlined functions not counted.
const DEEPEST: usize = 32;
/// Numbers of DWARF that are unwound: the core registers of ARM and RISC-V.
const REGISTERS: usize = 32;

/// The functions that `core`, which must have stopped, stands in. As many as can be found.
pub(super) fn of(core: &mut Core<'_>, image: &Image) -> Vec<Frame> {
    // The readers of debug information are other people's, and it may be damaged in any way.
    catch_unwind(AssertUnwindSafe(|| unwind(core, image)))
        .ok()
        .flatten()
        .unwrap_or_default()
}

pub(super) fn is_m_profile(core: &Core<'_>) -> bool {
    matches!(
        core.core_type(),
        CoreType::Armv6m | CoreType::Armv7m | CoreType::Armv7em | CoreType::Armv8m
    )
}

fn unwind(core: &mut Core<'_>, image: &Image) -> Option<Vec<Frame>> {
    let file = object::File::parse(image.elf()).ok()?;
    let (endian, section) = (names::endian(&file), |id| names::section(&file, id));
    let sections = gimli::DwarfSections::load(section).ok()?;
    let dwarf = sections.borrow(|bytes| EndianSlice::new(bytes, endian));
    let frames = section(SectionId::DebugFrame).ok()?;
    let mut frames = DebugFrame::from(EndianSlice::new(&frames, endian));
    frames.set_address_size(match file.is_64() {
        true => 8,
        false => 4,
    });
    let names = Names::new(&file, dwarf)?;
    let mut state = State::of(core)?;
    let mut found = Vec::new();
    for depth in 0..DEEPEST {
        if state.enters_exception() {
            if !state.leave_exception(core)? {
                break;
            }
        } else if depth > 0 {
            // A return address stands behind its call.
            state.pc = state.pc.checked_sub(1)?;
        }
        found.extend(names.at(state.pc));
        let before = (state.pc, state.registers[state.sp]);
        if !state.step(core, &frames) || (state.pc, state.registers[state.sp]) == before {
            break;
        }
    }
    Some(found)
}

/// The registers of one frame.
struct State {
    pc: u64,
    /// By DWARF's numbers; none if it is not known any more.
    registers: [Option<u64>; REGISTERS],
    /// Number of the stack pointer.
    sp: usize,
    /// Number of the return address.
    ra: usize,
    is_m_profile: bool,
}

impl State {
    fn of(core: &mut Core<'_>) -> Option<Self> {
        let (count, first, sp, ra) = match core.architecture() {
            Architecture::Arm if !core.is_64_bit() => (16, 0, 13, 14),
            // GPRs as in the debug specification's abstract commands.
            Architecture::Riscv => (32, 0x1000, 2, 1),
            _ => return None,
        };
        let mut registers = [None; REGISTERS];
        for (number, register) in registers.iter_mut().enumerate().take(count) {
            let id = RegisterId(first + u16::try_from(number).ok()?);
            *register = core.read_core_reg::<u64>(id).ok();
        }
        let pc = core.program_counter();
        Some(Self {
            pc: core.read_core_reg(pc).ok()?,
            registers,
            sp,
            ra,
            is_m_profile: is_m_profile(core),
        })
    }

    /// Whether the frame's caller is no function, but whatever an exception interrupted: then the
    /// return address is one of the magic ones (ARMv7-M Architecture Reference Manual, B1.5.8).
    fn enters_exception(&self) -> bool {
        self.is_m_profile
            && self.registers[self.ra].is_some_and(|ra| ra >= 0xFFFF_FF00)
            && self.registers[self.sp].is_some()
    }

    /// Goes to what was interrupted, whose registers are on its stack (B1.5.6).
    fn leave_exception(&mut self, core: &mut Core<'_>) -> Option<bool> {
        let magic = self.registers[self.ra]?;
        let stack = match magic & 0x4 {
            0 => self.registers[self.sp]?,
            _ => {
                let psp = core.registers().psp()?;
                core.read_core_reg(psp).ok()?
            }
        };
        let mut frame = [0_u32; 8];
        core.read_32(stack, &mut frame).ok()?;
        let [r0, r1, r2, r3, r12, lr, pc, xpsr] = frame.map(u64::from);
        for (number, value) in [(0, r0), (1, r1), (2, r2), (3, r3), (12, r12), (14, lr)] {
            self.registers[number] = Some(value);
        }
        // With floating-point registers it is longer, and it may have been aligned.
        let length = if magic & 0x10 == 0 { 0x68 } else { 0x20 };
        let padding = if xpsr & (1 << 9) != 0 { 4 } else { 0 };
        self.registers[self.sp] = Some(stack + length + padding);
        self.pc = pc & !1;
        Some(pc != 0)
    }

    /// Goes to the caller. False if there is none.
    fn step(&mut self, core: &mut Core<'_>, frames: &DebugFrame<Slice<'_>>) -> bool {
        self.try_step(core, frames).is_some()
    }

    fn try_step(&mut self, core: &mut Core<'_>, frames: &DebugFrame<Slice<'_>>) -> Option<()> {
        let mut context = UnwindContext::new();
        let bases = BaseAddresses::default();
        let row = frames
            .unwind_info_for_address(&bases, &mut context, self.pc, DebugFrame::cie_from_offset)
            .ok()?;
        let CfaRule::RegisterAndOffset { register, offset } = row.cfa() else {
            return None;
        };
        let cfa = self.register(*register)?.checked_add_signed(*offset)?;
        let mut callers = self.registers;
        for (number, value) in callers.iter_mut().enumerate() {
            let number = Register(u16::try_from(number).ok()?);
            match row.register(number) {
                // Kept, as callees must unless they say so.
                None | Some(RegisterRule::SameValue) => {}
                Some(RegisterRule::Offset(offset)) => {
                    let address = cfa.checked_add_signed(offset)?;
                    *value = core.read_word_32(address).ok().map(u64::from);
                }
                Some(RegisterRule::ValOffset(offset)) => *value = cfa.checked_add_signed(offset),
                Some(RegisterRule::Register(other)) => *value = self.register(other),
                Some(_) => *value = None,
            }
        }
        callers[self.sp] = Some(cfa);
        let back = callers[self.ra]?;
        self.registers = callers;
        if self.enters_exception() {
            return Some(());
        }
        self.pc = back & !1;
        (self.pc > 1).then_some(())
    }

    fn register(&self, register: Register) -> Option<u64> {
        *self.registers.get(usize::from(register.0))?
    }
}
