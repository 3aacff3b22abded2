//! The ways in which the firmware ends, and the one in which it began.

use esp_hal::rtc_cntl::reset_reason;
use esp_hal::system::{Cpu, software_reset};
use esp_hal::time::{Duration, Instant};

/// How long a reader of the log gets to read the end of it.
const FLUSH: Duration = Duration::from_millis(200);

/// Why the chip has started.
pub fn cause() -> &'static str {
    use esp_hal::rtc_cntl::SocResetReason as Reason;
    match reset_reason(Cpu::ProCpu) {
        Some(Reason::ChipPowerOn) => "powered on",
        Some(Reason::CoreSw | Reason::Cpu0Sw) => "restarted by itself",
        Some(Reason::CoreMwdt0 | Reason::CoreMwdt1 | Reason::Cpu0Mwdt0) => {
            "restarted by the watchdog"
        }
        Some(Reason::SysBrownOut) => "restarted after a brown-out",
        Some(_) => "restarted from outside",
        None => "started for a reason that it does not know",
    }
}

/// Starts anew, once the debugger has read the log.
pub fn restart() -> ! {
    flush();
    software_reset()
}

/// Does nothing more, as if the power were gone. Only a reset from outside ends it. A debugger that
/// cuts the power waits at this symbol.
#[unsafe(export_name = "storage_went_dark")]
#[inline(never)]
pub fn dark() -> ! {
    flush();
    crate::watchdog::stop();
    critical_section::with(|_| {
        loop {
            core::hint::spin_loop();
        }
    })
}

/// Gives the debugger time to read the log.
pub fn flush() {
    let start = Instant::now();
    embedded::rtt::flush(|| start.elapsed() < FLUSH);
}
