//! The interrupt vectors behind the exceptions.

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;

use crate::{ethernet, uart};

/// An interrupt (application note AN386, table 3-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interrupt(u16);

/// Of the Ethernet controller.
pub(crate) const ETHERNET: Interrupt = Interrupt(13);
/// Of the first UART: it has received, it has sent.
pub(crate) const UART0: [Interrupt; 2] = [Interrupt(0), Interrupt(1)];
/// Of the second.
pub(crate) const UART1: [Interrupt; 2] = [Interrupt(2), Interrupt(3)];

const VECTORS: usize = 32;

/// An entry of the vector table.
#[derive(Clone, Copy)]
#[repr(C)]
pub union Vector {
    handler: unsafe extern "C" fn(),
    reserved: usize,
}

unsafe extern "C" {
    fn DefaultHandler();
}

/// Where `cortex-m-rt`'s linker script looks for them.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
pub static __INTERRUPTS: [Vector; VECTORS] = {
    let mut vectors = [Vector {
        handler: DefaultHandler,
    }; VECTORS];
    vectors[ETHERNET.0 as usize] = Vector {
        handler: ethernet::on_interrupt,
    };
    let console = Vector {
        handler: uart::on_console_interrupt,
    };
    vectors[UART0[0].0 as usize] = console;
    vectors[UART0[1].0 as usize] = console;
    let hci = Vector {
        handler: uart::on_hci_interrupt,
    };
    vectors[UART1[0].0 as usize] = hci;
    vectors[UART1[1].0 as usize] = hci;
    vectors
};

// SAFETY: the same number each time, and only those above can be made, which the machine has.
unsafe impl InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self.0
    }
}

/// From now on the interrupt is served.
pub(crate) fn unmask(interrupt: Interrupt) {
    // SAFETY: the handlers share nothing with tasks but what is behind critical sections.
    unsafe { NVIC::unmask(interrupt) };
}

/// From now on none is.
pub(crate) fn mask_all() {
    for interrupt in [ETHERNET].into_iter().chain(UART0).chain(UART1) {
        NVIC::mask(interrupt);
        NVIC::unpend(interrupt);
    }
}
