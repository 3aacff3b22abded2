//! A driver for the SMSC LAN9118 Ethernet controller, for embassy-net.
//!
//! The chip sits on a memory bus. It has no DMA: frames are read from and written to FIFOs, one
//! 32-bit word at a time, so the driver needs no memory that the chip can reach, and no task of its
//! own. [`Lan9118`] is an [`embassy_net_driver::Driver`]; the interrupt handler calls
//! [`State::on_interrupt`]. Nothing here allocates, and every wait is bounded.
//!
//! ```no_run
//! use lan9118::{Config, Lan9118, Mmio, State};
//!
//! static STATE: State = State::new();
//!
//! // SAFETY: the chip's registers are at this address, and nothing else uses them.
//! let bus = unsafe { Mmio::new(0x4020_0000) };
//! let config = Config { mac: [2, 0, 0, 0, 0, 1], promiscuous: false };
//! let driver = Lan9118::new(bus, &STATE, config)?;
//! // Hand `driver` to `embassy_net::new`, and unmask the interrupt, whose handler is:
//! STATE.on_interrupt(&mut unsafe { Mmio::new(0x4020_0000) });
//! # Ok::<(), lan9118::InitError>(())
//! ```
//!
//! Addresses and bits are those of the LAN9118 datasheet (SMSC, revision 1.5), whose section is
//! named at each register. It was run on QEMU's model of the chip, not on the chip.

#![no_std]

mod bus;
mod chip;
mod driver;
mod registers;
mod state;

pub use bus::{Bus, Mmio};
pub use chip::{Config, InitError, Lan9118, Statistics};
pub use driver::{RxToken, TxToken};
pub use registers::Register;
pub use state::State;

/// Longest frame without check sequence: addresses, an IEEE 802.1Q tag, type, 1500 bytes.
pub const MAX_FRAME: usize = 1518;
