//! The interrupts of the board's chips, and their masks.

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;

/// An interrupt (application note AN386, table 3-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interrupt(u16);

impl Interrupt {
    /// Its place among the vectors.
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Of the Ethernet controller.
pub(crate) const ETHERNET: Interrupt = Interrupt(13);
/// Of the first UART: it has received, it has sent.
pub(crate) const UART0: [Interrupt; 2] = [Interrupt(0), Interrupt(1)];
/// Of the second.
pub(crate) const UART1: [Interrupt; 2] = [Interrupt(2), Interrupt(3)];

// SAFETY: the same number each time, and only those above can be made, which the machine has.
unsafe impl InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self.0
    }
}

/// Lets the interrupt be served.
pub(crate) fn unmask(interrupt: Interrupt) {
    // SAFETY: the handlers share nothing with tasks but what is behind critical sections.
    unsafe { NVIC::unmask(interrupt) };
}

/// Lets no interrupt be served.
pub(crate) fn mask_all() {
    for interrupt in [ETHERNET].into_iter().chain(UART0).chain(UART1) {
        NVIC::mask(interrupt);
        NVIC::unpend(interrupt);
    }
}
