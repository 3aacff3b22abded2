//! The calendar.

use alloc::rc::Rc;
use core::cell::Cell;

use device::board;
use embassy_time::Instant;

/// A calendar that is unset at power-on and then runs with the device's time. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct WallClock {
    /// Unix time in µs at power-on.
    origin: Rc<Cell<Option<i128>>>,
}

impl board::WallClock for WallClock {
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
    use board::WallClock as _;

    use super::*;

    #[test]
    fn it_has_no_time_until_it_is_set_and_then_all_clones_have() {
        let clock = WallClock::default();
        let clone = clock.clone();
        assert_eq!(clone.now(), None);
        clock.set(1_795_000_000_000_000);
        assert_eq!(clone.now(), Some(1_795_000_000));
    }
}
