//! Radio and Bluetooth interface of a virtual board: parts whose other ends are in the lab.
//!
//! The device as a process and the images for emulated boards share them; a board says by a
//! [`Carrier`] how packets of the radio travel, and by a serial line how HCI packets do.

#![no_std]
#![expect(
    async_fn_in_trait,
    reason = "a board is one thread, so futures need not be Send"
)]

extern crate alloc;

mod carrier;
mod h4;
mod interface;
mod radio;
mod shared;

pub use carrier::Carrier;
pub use h4::{H4, H4Error};
pub use interface::{Interface, RxToken, TxToken};
pub use radio::Radio;
