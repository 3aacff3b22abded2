//! The watchdog: if the executor does not come around, the chip starts anew. Its feeder tells
//! the memory marks too.

use embassy_time::Timer;
use embedded::marks::Mark;
use esp_hal::peripherals::TIMG1;
use esp_hal::time::Duration;
use esp_hal::timer::timg::{MwdtStage, Wdt};

use crate::memory;

/// A TLS handshake and the proof of SRP each compute for seconds at most, without a pause.
const LIMIT: Duration = Duration::from_secs(15);
/// From one feeding to the next, in ms.
const FEED_MS: u64 = 250;

/// Feeds the watchdog, for ever.
#[embassy_executor::task]
pub async fn watch(mut watchdog: Wdt<TIMG1<'static>>) {
    watchdog.set_timeout(MwdtStage::Stage0, LIMIT);
    watchdog.enable();
    let (mut heap, mut stack) = (Mark::new("heap"), Mark::new("stack"));
    loop {
        watchdog.feed();
        let used = memory::heap_use();
        heap.tell(used.peak, used.size);
        let painted = memory::stack();
        stack.tell(painted.peak(), painted.size());
        Timer::after_millis(FEED_MS).await;
    }
}

/// Stops it.
pub fn stop() {
    // SAFETY: nothing else runs any more that would use it.
    let timer = unsafe { TIMG1::steal() };
    esp_hal::timer::timg::TimerGroup::new(timer).wdt.disable();
}
