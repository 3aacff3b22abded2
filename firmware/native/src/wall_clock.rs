//! The calendar.

use std::cell::Cell;
use std::rc::Rc;

use device::board::WallClock;
use embassy_time::Instant;

/// A calendar that is unset at power-on and then runs with the device's time. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct HostClock {
    /// Unix time in µs at power-on.
    origin: Rc<Cell<Option<i128>>>,
}

impl WallClock for HostClock {
    fn now(&self) -> Option<u64> {
        let now = self.origin.get()? + i128::from(Instant::now().as_micros());
        u64::try_from(now / 1_000_000).ok()
    }

    fn set(&self, unix_us: u64) {
        let origin = i128::from(unix_us) - i128::from(Instant::now().as_micros());
        self.origin.set(Some(origin));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time;

    #[test]
    fn the_calendar_is_unset_until_set_and_then_runs_with_the_devices_time() {
        let clock = HostClock::default();
        assert_eq!(clock.now(), None);
        time::set(10_000_000);
        clock.set(1_800_000_000_000_000);
        time::set(70_000_000);
        let now = clock.clone().now().expect("it was set");
        assert!((1_800_000_060..1_800_000_065).contains(&now), "{now}");
    }
}
