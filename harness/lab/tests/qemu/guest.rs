//! The firmware for tests, `guest.s`.

use probe_rs::{Core, MemoryInterface};

/// Its image, for address 0.
pub const IMAGE: &[u8] = include_bytes!("guest.bin");
/// Where its first instruction is.
pub const ENTRY: u32 = 0x40;
/// Where its fault handler is.
pub const FAULT: u32 = 0xF8;
/// Where it sleeps.
pub const SLEEP: u32 = 0xF4;
/// Where it asks for its own reset.
pub const RESTART: u32 = 0xE2;
/// Where its RTT control block is.
pub const RTT: u64 = 0x2000_0000;
/// What its channels are called.
pub const CHANNEL: &str = "defmt";
/// The word that it writes to storage.
pub const STORED: u32 = 0x1234_5678;
/// Where storage begins.
pub const STORAGE: u32 = 0x003F_0000;

const COUNTER: u64 = 0x2000_1000;
const ORDER: u64 = 0x2000_1004;

/// What the firmware can do.
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub enum Order {
    Flood = 1,
    Exit = 2,
    Fault = 3,
    LockUp = 4,
    Reset = 5,
    Store = 6,
    Sleep = 7,
}

/// Tells the firmware what to do.
pub fn order(core: &mut Core<'_>, order: Order) {
    core.write_word_32(ORDER, order as u32).expect("written");
}

/// Waits until the firmware has started, and does what it does without an order.
pub fn until_started(core: &mut Core<'_>) {
    crate::world::until("the firmware starts", || {
        core.read_word_32(ORDER).expect("read") == 0
    });
}

/// How often its loop went round.
pub fn counter(core: &mut Core<'_>) -> u32 {
    core.read_word_32(COUNTER).expect("read")
}
