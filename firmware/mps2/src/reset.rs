//! The ways in which the firmware ends.

use cortex_m::peripheral::SCB;

use crate::{clock, interrupts, watchdog};

/// How long the debugger gets to read the end of the log, in µs of the oscillator.
const FLUSH_US: u32 = 200_000;

/// Starts anew, once the debugger has read the log.
pub fn restart() -> ! {
    flush();
    SCB::sys_reset()
}

/// Does nothing more, as if the power were gone, until the power is switched on again.
///
/// A debugger finds it by its symbol and stops the core there.
#[unsafe(export_name = "storage_went_dark")]
#[inline(never)]
pub extern "C" fn dark() -> ! {
    flush();
    cortex_m::interrupt::disable();
    watchdog::stop();
    // A pending interrupt would end each sleep at once.
    clock::stop();
    interrupts::mask_all();
    loop {
        cortex_m::asm::wfi();
    }
}

/// Gives the debugger time to read the log.
pub(crate) fn flush() {
    let start = clock::raw();
    #[cfg(target_os = "none")]
    embedded::rtt::flush(|| clock::raw().wrapping_sub(start) < FLUSH_US);
    #[cfg(not(target_os = "none"))]
    let _ = (start, FLUSH_US);
}
