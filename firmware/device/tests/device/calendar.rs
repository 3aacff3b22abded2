//! The calendar of boards without a clock of their own.

use device::board::{Calendar, WallClock as _};
use embassy_time::Timer;

use crate::time;

#[test]
fn it_has_no_time_until_it_is_set_and_then_runs_with_the_devices() {
    time::run(async {
        Timer::after_secs(10).await;
        let calendar = Calendar::default();
        let clone = calendar.clone();
        assert_eq!(clone.now(), None);
        calendar.set(1_795_000_000_000_000);
        assert_eq!(clone.now(), Some(1_795_000_000));
        Timer::after_secs(60).await;
        assert_eq!(clone.now(), Some(1_795_000_060));
        // Before the beginning of time there is none.
        calendar.set(0);
        assert_eq!(clone.now(), Some(0));
    });
}
