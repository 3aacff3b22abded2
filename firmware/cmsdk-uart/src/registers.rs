//! The registers (ARM DDI 0479D, table 4-6).

/// A register, by its offset in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Register {
    /// The byte that came; written, the byte that goes.
    Data = 0x000,
    /// What is full and what was overrun.
    State = 0x004,
    /// What is enabled.
    Control = 0x008,
    /// Which interrupts are raised; written, which are cleared.
    Interrupts = 0x00C,
    /// What the clock is divided by to get the baud rate, at least 16.
    Divider = 0x010,
}

/// Bits of [`Register::State`]. An overrun is cleared by writing 1.
pub(crate) mod status {
    pub const TRANSMITTER_FULL: u32 = 1 << 0;
    pub const RECEIVER_FULL: u32 = 1 << 1;
    pub const RECEIVER_OVERRUN: u32 = 1 << 3;
}

/// Bits of [`Register::Control`].
pub(crate) mod control {
    pub const TRANSMITTER: u32 = 1 << 0;
    pub const RECEIVER: u32 = 1 << 1;
    pub const TRANSMIT_INTERRUPT: u32 = 1 << 2;
    pub const RECEIVE_INTERRUPT: u32 = 1 << 3;
}
