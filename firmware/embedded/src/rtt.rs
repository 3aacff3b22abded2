//! What the debugger has not read yet.

use core::sync::atomic::{AtomicU32, Ordering};

/// SEGGER's control block with one channel, as `defmt-rtt` lays it out; it exports it by this name.
#[repr(C)]
struct ControlBlock {
    id: [u8; 16],
    up_channels: i32,
    down_channels: i32,
    name: *const u8,
    buffer: *mut u8,
    size: u32,
    write: AtomicU32,
    read: AtomicU32,
    flags: AtomicU32,
}

unsafe extern "C" {
    #[link_name = "_SEGGER_RTT"]
    static CONTROL_BLOCK: ControlBlock;
}

/// Whether a debugger reads the log, which it shows by asking for a channel that waits for it.
pub fn is_read() -> bool {
    defmt_rtt::in_blocking_mode()
}

/// Waits until a debugger that reads the log has read all of it, while `may_wait`.
pub fn flush(mut may_wait: impl FnMut() -> bool) {
    while is_read() && !is_empty() && may_wait() {
        core::hint::spin_loop();
    }
}

fn is_empty() -> bool {
    // SAFETY: `defmt-rtt` defines it, for the whole run of the program; both fields are atomic.
    let (write, read) = unsafe { (&CONTROL_BLOCK.write, &CONTROL_BLOCK.read) };
    write.load(Ordering::Acquire) == read.load(Ordering::Acquire)
}
