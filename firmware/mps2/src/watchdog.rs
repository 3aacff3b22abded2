//! The watchdog: if the executor does not come around, it first says where, then resets.

use core::ptr;

/// CMSDK APB watchdog (ARM DDI 0479, §4.6); application note AN386, table 4-1.
const BASE: usize = 0x4000_8000;
const LOAD: usize = 0x000;
const CONTROL: usize = 0x008;
const CLEAR: usize = 0x00C;
const LOCK: usize = 0xC00;

const UNLOCK: u32 = 0x1ACC_E551;
/// The first expiry raises the non-maskable interrupt, the second one resets.
const INTERRUPT_AND_RESET: u32 = 0b11;

/// It counts at the processor's clock.
const HZ: u32 = 25_000_000;
/// From the last feeding to the interrupt, and from there to the reset, in s of the oscillator. A
/// machine with much else to do runs the board slowly, and the longest computation takes 1 s on a
/// fast one.
const LIMIT_S: u32 = 20;

/// Starts it.
pub(crate) fn start() {
    write(LOCK, UNLOCK);
    write(LOAD, HZ * LIMIT_S);
    write(CONTROL, INTERRUPT_AND_RESET);
}

/// Says that all is well.
pub fn feed() {
    write(CLEAR, 1);
}

/// Stops it.
pub(crate) fn stop() {
    write(LOCK, UNLOCK);
    write(CONTROL, 0);
}

fn write(register: usize, value: u32) {
    // SAFETY: the machine has the watchdog there, and a single write does all of what each
    // function above does.
    unsafe { ptr::with_exposed_provenance_mut::<u32>(BASE + register).write_volatile(value) }
}
