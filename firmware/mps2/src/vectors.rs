//! The interrupt vectors behind the exceptions.

use crate::interrupts::{ETHERNET, UART0, UART1};
use crate::{ethernet, uart};

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
    vectors[ETHERNET.index()] = Vector {
        handler: ethernet::on_interrupt,
    };
    let console = Vector {
        handler: uart::on_console_interrupt,
    };
    vectors[UART0[0].index()] = console;
    vectors[UART0[1].index()] = console;
    let hci = Vector {
        handler: uart::on_hci_interrupt,
    };
    vectors[UART1[0].index()] = hci;
    vectors[UART1[1].index()] = hci;
    vectors
};
