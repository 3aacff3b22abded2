//! The memory that MbedTLS works in: taken from the global allocator, counted and bounded.

use alloc::alloc::{alloc_zeroed, dealloc};
use core::alloc::Layout;
use core::ffi::c_void;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicUsize, Ordering};

use mbedtls_rs_sys::mbedtls_platform_set_calloc_free;

/// Bytes that MbedTLS may hold at once: the four sessions of a web server and one with a broker, one of
/// them in its handshake. What a peer sends cannot make it more.
pub const HEAP_LIMIT: usize = 320 * 1024;

/// In front of each block stands its length; C wants blocks aligned for two words.
const HEADER: usize = 2 * size_of::<usize>();

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// How much memory MbedTLS holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeapUse {
    /// Bytes now.
    pub now: usize,
    /// Bytes at most, since power-on.
    pub peak: usize,
}

/// How much memory MbedTLS holds, with what its blocks cost the allocator in headers.
pub fn heap_use() -> HeapUse {
    HeapUse {
        now: NOW.load(Ordering::Relaxed),
        peak: PEAK.load(Ordering::Relaxed),
    }
}

/// Makes MbedTLS use this heap. Blocks that it already has must not be freed afterwards; it has
/// none before the first [`Tls`](crate::Tls), and the functions stay the same from then on.
pub(crate) fn install() {
    // SAFETY: both functions fulfil C's contracts of `calloc` and `free`. It cannot fail.
    unsafe { mbedtls_platform_set_calloc_free(Some(calloc), Some(free)) };
}

/// C's `calloc`; null when [`HEAP_LIMIT`] is reached or the allocator has no more.
pub(crate) unsafe extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    let Some(layout) = count.checked_mul(size).and_then(layout) else {
        return null_mut();
    };
    let claim = NOW.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
        Some(now + layout.size()).filter(|sum| *sum <= HEAP_LIMIT)
    });
    let Ok(before) = claim else {
        log::error!(target: "tls", "{} bytes more than TLS may have", layout.size());
        return null_mut();
    };
    // SAFETY: the layout is never of size 0.
    let block = unsafe { alloc_zeroed(layout) };
    if block.is_null() {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        log::error!(target: "tls", "no memory left: {} bytes", layout.size());
        return null_mut();
    }
    PEAK.fetch_max(before + layout.size(), Ordering::Relaxed);
    // SAFETY: the block is at least a header long, and aligned for it.
    unsafe {
        block.cast::<usize>().write(layout.size());
        block.add(HEADER).cast()
    }
}

/// C's `free`.
///
/// # Safety
/// `block` is null, or comes from [`calloc`] and was not freed before.
pub(crate) unsafe extern "C" fn free(block: *mut c_void) {
    if block.is_null() {
        return;
    }
    // SAFETY: by contract a header with the length stands in front.
    unsafe {
        let start = block.cast::<u8>().sub(HEADER);
        let length = start.cast::<usize>().read();
        NOW.fetch_sub(length, Ordering::Relaxed);
        dealloc(start, Layout::from_size_align_unchecked(length, HEADER));
    }
}

/// MbedTLS names these as its heap until [`install`] has told it of another.
#[cfg(all(feature = "libc-heap", target_os = "none"))]
mod libc {
    use core::ffi::c_void;

    #[unsafe(no_mangle)]
    unsafe extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
        // SAFETY: the same contract.
        unsafe { super::calloc(count, size) }
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn free(block: *mut c_void) {
        // SAFETY: the same contract.
        unsafe { super::free(block) }
    }
}

fn layout(size: usize) -> Option<Layout> {
    Layout::from_size_align(size.checked_add(HEADER)?, HEADER).ok()
}
