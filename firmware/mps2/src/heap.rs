//! The heap.

use core::mem::MaybeUninit;
use core::ptr::addr_of_mut;

use embedded::heap::Heap;

/// Bytes of the heap. The most that was ever seen in use is in the log, under `heap`.
const SIZE: usize = 1024 * 1024;

#[cfg_attr(target_os = "none", global_allocator)]
static HEAP: Heap = Heap::empty();
static mut MEMORY: MaybeUninit<[u64; SIZE / 8]> = MaybeUninit::uninit();

/// Gives the heap its memory.
pub(crate) fn start() {
    // SAFETY: nothing else names `MEMORY`, and this is called once, before anything is allocated.
    unsafe { HEAP.start(addr_of_mut!(MEMORY).expose_provenance(), SIZE) };
}

/// The heap, to be asked how full it is.
pub fn heap() -> &'static Heap {
    &HEAP
}
