//! The interrupt vectors behind the exceptions.

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;

use crate::ethernet;

/// Interrupt of the Ethernet controller (application note AN386, table 3-3).
const ETHERNET: usize = 13;
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
    vectors[ETHERNET] = Vector {
        handler: ethernet::on_interrupt,
    };
    vectors
};

#[derive(Clone, Copy)]
struct Ethernet;

// SAFETY: always the same number, which the machine has.
unsafe impl InterruptNumber for Ethernet {
    fn number(self) -> u16 {
        ETHERNET as u16
    }
}

/// From now on the Ethernet controller's interrupt is served.
pub(crate) fn unmask_ethernet() {
    // SAFETY: the handler only wakes a task, which needs no lock that this could break.
    unsafe { NVIC::unmask(Ethernet) };
}

/// From now on it is not.
pub(crate) fn mask_ethernet() {
    NVIC::mask(Ethernet);
    NVIC::unpend(Ethernet);
}
