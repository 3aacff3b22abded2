//! The heap: bounded, and it knows how full it ever was.

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicUsize, Ordering};

use embedded_alloc::TlsfHeap;

/// A heap of fixed size, to be the image's `#[global_allocator]`.
///
/// It counts bytes as they were asked for; the allocator's own headers and gaps come on top.
pub struct Heap {
    blocks: TlsfHeap,
    size: AtomicUsize,
    used: AtomicUsize,
    peak: AtomicUsize,
}

impl Heap {
    /// Without memory.
    pub const fn empty() -> Self {
        Self {
            blocks: TlsfHeap::empty(),
            size: AtomicUsize::new(0),
            used: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
        }
    }

    /// Gives it its memory.
    ///
    /// # Safety
    ///
    /// `size` bytes from `start` on must be used by nothing else, for ever. To be called once, before
    /// anything is allocated.
    pub unsafe fn start(&self, start: usize, size: usize) {
        // SAFETY: as promised to this function.
        unsafe { self.blocks.init(start, size) };
        self.size.store(size, Ordering::Relaxed);
    }

    /// Bytes in all.
    pub fn size(&self) -> usize {
        self.size.load(Ordering::Relaxed)
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// The most bytes that ever were in use at once.
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: usize) {
        let used = self.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.peak.fetch_max(used, Ordering::Relaxed);
    }
}

// SAFETY: all memory comes from `blocks`, which keeps the contract; this only counts.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as promised to this function.
        let block = unsafe { self.blocks.alloc(layout) };
        if !block.is_null() {
            self.take(layout.size());
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        self.used.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as promised to this function.
        unsafe { self.blocks.dealloc(block, layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_stays_when_memory_is_given_back() {
        let heap = Heap::empty();
        let memory = alloc::boxed::Box::leak(alloc::vec![0_u64; 512].into_boxed_slice());
        // SAFETY: the memory was leaked just now.
        unsafe { heap.start(memory.as_ptr().expose_provenance(), size_of_val(memory)) };
        let layout = Layout::from_size_align(1000, 8).expect("a layout");
        // SAFETY: the layout has a size, and each block is given back once.
        unsafe {
            let first = heap.alloc(layout);
            let second = heap.alloc(layout);
            assert!(!first.is_null() && !second.is_null());
            heap.dealloc(first, layout);
            heap.dealloc(second, layout);
        }
        assert_eq!((heap.used(), heap.peak(), heap.size()), (0, 2000, 4096));
    }

    #[test]
    fn more_than_there_is_is_refused_and_not_counted() {
        let heap = Heap::empty();
        let memory = alloc::boxed::Box::leak(alloc::vec![0_u64; 64].into_boxed_slice());
        // SAFETY: the memory was leaked just now.
        unsafe { heap.start(memory.as_ptr().expose_provenance(), size_of_val(memory)) };
        let layout = Layout::from_size_align(4096, 8).expect("a layout");
        // SAFETY: the layout has a size.
        assert!(unsafe { heap.alloc(layout) }.is_null());
        assert_eq!((heap.used(), heap.peak()), (0, 0));
    }
}
