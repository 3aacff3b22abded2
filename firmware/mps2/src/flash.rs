//! What the board keeps over restarts: the upper part of SSRAM1, which stands in for flash.

use alloc::vec::Vec;
use core::ptr::addr_of_mut;
use core::slice;
use core::sync::atomic::{AtomicU32, Ordering};

use embedded::nor::{Nor, Power, Steady};
use factory::Map;

use crate::reset;

unsafe extern "C" {
    static mut __boots_start: u8;
    static mut __boots_end: u8;
    static mut __factory_start: u8;
    static mut __factory_end: u8;
    static mut __storage_start: u8;
    static mut __storage_end: u8;
}

/// How much storage may still be written before the power fails in the middle of it: a byte written
/// takes one, a sector erased takes one. A debugger sets it; at `u32::MAX` the power is steady.
#[unsafe(no_mangle)]
pub static STORAGE_WRITE_BUDGET: AtomicU32 = AtomicU32::new(u32::MAX);

/// Flash for settings.
pub type Storage = Nor<Budget>;

/// The flash for settings; all of it.
pub fn storage() -> Storage {
    let (start, end) = (addr_of_mut!(__storage_start), addr_of_mut!(__storage_end));
    // SAFETY: the linker script keeps the region free of anything else, and aligned.
    unsafe { Nor::new(start, size(start, end), Budget) }
}

/// The flash for the count of starts.
pub fn boots() -> Nor<Steady> {
    let (start, end) = (addr_of_mut!(__boots_start), addr_of_mut!(__boots_end));
    // SAFETY: as above.
    unsafe { Nor::new(start, size(start, end), Steady) }
}

/// The bytes of the factory data region that matter.
pub fn factory() -> Vec<u8> {
    let (start, end) = (addr_of_mut!(__factory_start), addr_of_mut!(__factory_end));
    // SAFETY: the linker script keeps the region free of anything else, and nothing writes to it
    // while the firmware runs.
    let region = unsafe { slice::from_raw_parts(start, size(start, end) as usize) };
    region[..Map::stored_length(region)].to_vec()
}

fn size(start: *mut u8, end: *mut u8) -> u32 {
    // A region of the linker script, so `end` comes behind `start`, and both have 32 bits.
    (end.addr() - start.addr()) as u32
}

/// The power as [`STORAGE_WRITE_BUDGET`] grants it.
#[derive(Clone, Copy, Debug)]
pub struct Budget;

impl Power for Budget {
    fn take(&self, steps: u32) -> u32 {
        let left = STORAGE_WRITE_BUDGET.load(Ordering::Relaxed);
        if left == u32::MAX {
            return steps;
        }
        let granted = steps.min(left);
        STORAGE_WRITE_BUDGET.store(left - granted, Ordering::Relaxed);
        granted
    }

    fn cut(&self) -> ! {
        reset::dark()
    }
}
