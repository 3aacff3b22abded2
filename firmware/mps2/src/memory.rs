//! Stacks and their guard.
//!
//! The firmware runs on a stack of its own at the very beginning of RAM (PSP), exceptions on
//! another at its end (MSP). Below the firmware's stack the memory protection unit forbids a whole
//! MiB, so that no frame is large enough to jump over it, and the fault still has a stack to be
//! reported on. Code is read-only.

use core::arch::naked_asm;
use core::ops::Range;
use core::ptr::addr_of;

use cortex_m::Peripherals;
use embedded::stack::{PAINT, Stack};

unsafe extern "C" {
    static __thread_stack_start: u32;
    static __thread_stack_end: u32;
}

/// Bytes below the stack that must not be touched.
const GUARD: usize = 1024 * 1024;
/// The machine's code memory.
const CODE: usize = 4 * 1024 * 1024;
/// Counter of starts, factory data and storage, rounded up to a region: the last 256 KiB of it.
const KEPT: usize = 256 * 1024;

/// The firmware's stack.
pub fn thread_stack() -> Stack {
    let Range { start, end } = thread_stack_addresses();
    // SAFETY: the linker script keeps the region for the stack alone, and it is RAM.
    unsafe { Stack::new(addr_of!(__thread_stack_start), end - start) }
}

/// Where the firmware's stack lies.
pub fn thread_stack_addresses() -> Range<usize> {
    addr_of!(__thread_stack_start).addr()..addr_of!(__thread_stack_end).addr()
}

/// Where nothing may be touched, lest the stack has overflown.
pub fn guard() -> Range<usize> {
    let stack = thread_stack_addresses();
    stack.start - GUARD..stack.start
}

/// Called by the reset handler before it touches RAM: paints the firmware's stack and moves to it.
#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn __pre_init() {
    naked_asm!(
        "ldr r0, =__thread_stack_start",
        "ldr r1, =__thread_stack_end",
        "ldr r2, ={paint}",
        "2:",
        "str r2, [r0], #4",
        "cmp r0, r1",
        "blo 2b",
        "msr psp, r1",
        "mrs r0, control",
        "orr r0, r0, #2",
        "msr control, r0",
        "isb",
        "bx lr",
        paint = const PAINT,
    )
}

/// A region of the memory protection unit (ARMv7-M architecture reference manual, B3.5).
struct Region {
    base: usize,
    /// A power of two; `base` is a multiple of it.
    size: usize,
    access: u32,
}

/// RASR.AP: no access.
const NO_ACCESS: u32 = 0b000 << 24;
/// RASR.AP: read and write.
const READ_WRITE: u32 = 0b011 << 24;
/// RASR.AP: read only.
const READ_ONLY: u32 = 0b110 << 24;
/// RASR.TEX, S, C, B of normal memory, write-through.
const NORMAL: u32 = 0b000_010 << 16;
const EXECUTE_NEVER: u32 = 1 << 28;

/// Puts the guard up.
pub(crate) fn protect() {
    // Where regions overlap, the higher one counts.
    let regions = [
        Region {
            base: 0,
            size: CODE,
            access: READ_ONLY | NORMAL,
        },
        Region {
            base: CODE - KEPT,
            size: KEPT,
            access: READ_WRITE | NORMAL | EXECUTE_NEVER,
        },
        Region {
            base: guard().start,
            size: GUARD,
            access: NO_ACCESS | EXECUTE_NEVER,
        },
    ];
    // SAFETY: called once, before anything else could use it.
    let unit = unsafe { Peripherals::steal() }.MPU;
    for (number, region) in (0..).zip(&regions) {
        let size = (region.size.ilog2() - 1) << 1;
        // SAFETY: no region forbids what the program does.
        unsafe {
            unit.rnr.write(number);
            unit.rbar.write(region.base as u32);
            unit.rasr.write(region.access | size | 1);
        }
    }
    // What is in no region is as without the unit; and it is off in fault handlers.
    const ENABLE: u32 = 1 << 0;
    const DEFAULT_MAP: u32 = 1 << 2;
    // SAFETY: as above.
    unsafe { unit.ctrl.write(ENABLE | DEFAULT_MAP) };
    cortex_m::asm::dsb();
    cortex_m::asm::isb();
}
