//! A driver for the APB UART of ARM's Cortex-M System Design Kit, with async reads and writes.
//!
//! The UART keeps a single byte in each direction, so its interrupt handler must take each byte as
//! it comes: [`State::on_interrupt`] puts it into a ring of `ROOM` bytes, from which [`Uart`] reads
//! ([`embedded_io_async::Read`]). When the ring is full, the handler leaves the last byte where it
//! is until it is read. A sender with flow control waits meanwhile, any other overruns the UART,
//! which is counted ([`Receiver::overruns`]). Nothing here allocates or blocks.
//!
//! ```no_run
//! use cmsdk_uart::{Mmio, State, Uart};
//!
//! static STATE: State<256> = State::new();
//!
//! // SAFETY: the UART's registers are at this address, and nothing else uses them.
//! let registers = unsafe { Mmio::new(0x4000_4000) };
//! // 25 MHz / 115 200 baud.
//! let uart = Uart::new(registers, &STATE, 217);
//! // Read and write `uart`, and unmask its receive and transmit interrupts, whose handler is:
//! STATE.on_interrupt(&mut unsafe { Mmio::new(0x4000_4000) });
//! ```
//!
//! Registers are those of ARM DDI 0479D, §4.3. It was run on QEMU's model of the UART, not on one.

#![no_std]

mod bus;
mod registers;
mod state;
mod uart;

pub use bus::{Bus, Mmio};
pub use registers::Register;
pub use state::{State, Waiting};
pub use uart::{Receiver, Transmitter, Uart};
