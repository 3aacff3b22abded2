//! Heap and stack.

use core::ptr::{addr_of, addr_of_mut};

use embedded::stack::{PAINT, Stack};

/// Bytes of the heap: the radio takes some 60 KB of it, TLS up to 58 KB, sockets and provisioning
/// the rest.
const MAIN_HEAP: usize = 144 * 1024;
/// Bytes of the memory that the boot loader has left, all but a little.
const HEAP_IN_BOOT_LOADER: usize = 64 * 1024;

unsafe extern "C" {
    // esp-hal's linker script.
    static mut _stack_end_cpu0: u32;
    static _stack_start_cpu0: u32;
}

/// Bytes at the bottom of the stack that are not painted: there is the guard that esp-hal watches.
const GUARD: usize = 128;
/// Bytes below the stack pointer that are in use by the painting function.
const IN_USE: usize = 512;

/// Gives the heap its memory.
pub fn start_heap() {
    esp_alloc::heap_allocator!(#[esp_hal::ram(reclaimed)] size: HEAP_IN_BOOT_LOADER);
    esp_alloc::heap_allocator!(size: MAIN_HEAP);
}

/// How full the heap is, in bytes.
pub struct HeapUse {
    /// At most, since power-on.
    pub peak: usize,
    /// In all.
    pub size: usize,
}

/// How full the heap is.
pub fn heap_use() -> HeapUse {
    let stats = esp_alloc::HEAP.stats();
    HeapUse {
        peak: stats.max_usage,
        size: stats.size,
    }
}

/// Paints what is unused of the main stack, so that its use can be seen later.
#[inline(never)]
pub fn paint_stack() {
    let mark = 0_u32;
    let end = addr_of!(mark).addr() - IN_USE;
    let mut word = addr_of_mut!(_stack_end_cpu0).wrapping_byte_add(GUARD);
    while word.addr() < end {
        // SAFETY: it is memory of the stack, below what is in use; an interrupt in between has
        // come back before this goes on.
        unsafe { word.write_volatile(PAINT) };
        word = word.wrapping_add(1);
    }
}

/// The main stack.
pub fn stack() -> Stack {
    let bottom = addr_of!(_stack_end_cpu0).wrapping_byte_add(GUARD);
    let size = addr_of!(_stack_start_cpu0).addr() - bottom.addr();
    // SAFETY: the linker script keeps the region for the stack alone.
    unsafe { Stack::new(bottom, size) }
}
