//! The calendar of a board that has no clock of its own.

use alloc::rc::Rc;
use core::cell::Cell;

use embassy_time::Instant;

use super::WallClock;

/// A calendar that is unset at power-on and then runs with the device's time. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Calendar {
    /// Unix time in µs at power-on.
    origin: Rc<Cell<Option<i128>>>,
}

impl WallClock for Calendar {
    fn now(&self) -> Option<u64> {
        let now = self.origin.get()? + i128::from(Instant::now().as_micros());
        u64::try_from(now / 1_000_000).ok()
    }

    fn set(&self, unix_us: u64) {
        let origin = i128::from(unix_us) - i128::from(Instant::now().as_micros());
        self.origin.set(Some(origin));
    }
}
