//! Whatever ends the firmware against its will is reported in the log first. esp-hal turns the
//! processor's exceptions and an overflown stack into panics.

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};

use embedded::logging::{Place, last_words};

use crate::reset;

const TAG: &str = "panic";

/// What happened is in the log already.
static REPORTED: AtomicBool = AtomicBool::new(false);

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    critical_section::with(|_| {
        if !REPORTED.swap(true, Ordering::Relaxed) {
            report(info);
            reset::flush();
        }
        esp_hal::system::software_reset()
    })
}

fn report(info: &PanicInfo<'_>) {
    let message = info.message();
    let (file, line) = info
        .location()
        .map_or(("", 0), |place| (place.file(), place.line()));
    let place = Place {
        module: "",
        file,
        line,
    };
    last_words(
        TAG,
        place,
        format_args!("panicked at {file}:{line}: {message}"),
    );
}
