//! What the driver shares with the interrupt handler.

use core::fmt;

use embassy_sync::waitqueue::AtomicWaker;

use crate::{Bus, Register};

/// What the driver shares with the interrupt handler; one for each chip, in a `static`.
pub struct State {
    pub(crate) waker: AtomicWaker,
}

impl State {
    /// For a chip that is not set up yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            waker: AtomicWaker::new(),
        }
    }

    /// To be called by the interrupt handler of the chip's pin, with access to the same registers.
    ///
    /// It silences the pin, which the driver enables again when it has looked and found nothing.
    pub fn on_interrupt(&self, bus: &mut impl Bus) {
        bus.write(Register::IntEn, 0);
        self.waker.wake();
    }
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}
