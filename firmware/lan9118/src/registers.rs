//! Registers and their bits.

/// A register, by its offset (§5.2, §5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Register {
    /// Received frames, word by word (§5.2.1).
    RxData = 0x00,
    /// Commands and frames to send, word by word (§5.2.2).
    TxData = 0x20,
    /// One word for each received frame (§3.13.3).
    RxStatus = 0x40,
    /// One word for each frame sent (§3.12.5).
    TxStatus = 0x48,
    /// Chip and revision (§5.3.1).
    IdRev = 0x50,
    /// Polarity and enable of the interrupt pin (§5.3.2).
    IrqCfg = 0x54,
    /// What has happened; a bit written as 1 is cleared (§5.3.3).
    IntSts = 0x58,
    /// What raises the interrupt pin (§5.3.4).
    IntEn = 0x5C,
    /// Constant, to tell byte order and presence (§5.3.5).
    ByteTest = 0x64,
    /// FIFO levels that count as something happened (§5.3.6).
    FifoInt = 0x68,
    /// Receive configuration (§5.3.7).
    RxCfg = 0x6C,
    /// Transmit configuration (§5.3.8).
    TxCfg = 0x70,
    /// Reset and FIFO sizes (§5.3.9).
    HwCfg = 0x74,
    /// Used space of the receive FIFOs (§5.3.11).
    RxFifoInf = 0x7C,
    /// Used and free space of the transmit FIFOs (§5.3.12).
    TxFifoInf = 0x80,
    /// Power management (§5.3.13).
    PmtCtrl = 0x84,
    /// Frames dropped for want of space; reading clears it (§5.3.19).
    RxDrop = 0xA0,
    /// Access to the MAC's registers (§5.3.20).
    MacCsrCmd = 0xA4,
    /// Data of that access (§5.3.21).
    MacCsrData = 0xA8,
    /// Flow control (§5.3.22).
    AfcCfg = 0xAC,
}

/// What [`Register::ByteTest`] reads as.
pub(crate) const BYTE_TEST: u32 = 0x8765_4321;

/// Chips of this family, by the upper half of [`Register::IdRev`].
pub(crate) const CHIPS: [u16; 4] = [0x0115, 0x0116, 0x0117, 0x0118];

pub(crate) mod irq_cfg {
    pub const ENABLE: u32 = 1 << 8;
    pub const ACTIVE_HIGH: u32 = 1 << 4;
    pub const PUSH_PULL: u32 = 1;
}

/// Bits of [`Register::IntSts`] and [`Register::IntEn`].
pub(crate) mod interrupt {
    /// The PHY reports something.
    pub const PHY: u32 = 1 << 18;
    /// Space for data to send is available.
    pub const TX_DATA_AVAILABLE: u32 = 1 << 9;
    /// More frames were received than [`super::Register::FifoInt`] says.
    pub const RX_STATUS_LEVEL: u32 = 1 << 3;
    pub const ALL: u32 = u32::MAX;
}

pub(crate) mod hw_cfg {
    pub const MUST_BE_ONE: u32 = 1 << 20;
    /// 5 KiB of the 16 KiB for sending, which is the default.
    pub const TX_FIFO_5K: u32 = 5 << 16;
    pub const SOFT_RESET_TIMEOUT: u32 = 1 << 1;
    pub const SOFT_RESET: u32 = 1;
}

pub(crate) mod tx_cfg {
    pub const ON: u32 = 1 << 1;
}

/// The two words in front of a frame to send (§3.12.2).
pub(crate) mod tx_command {
    pub const FIRST_SEGMENT: u32 = 1 << 13;
    pub const LAST_SEGMENT: u32 = 1 << 12;
}

pub(crate) const TX_STATUS_ERROR: u32 = 1 << 15;
pub(crate) const RX_STATUS_ERROR: u32 = 1 << 15;

pub(crate) const PMT_READY: u32 = 1;

/// The MAC's own registers (§5.4).
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(crate) enum Mac {
    Control = 1,
    AddressHigh = 2,
    AddressLow = 3,
    MiiAccess = 6,
    MiiData = 7,
    Vlan1 = 9,
}

pub(crate) mod mac_csr_cmd {
    pub const BUSY: u32 = 1 << 31;
    pub const READ: u32 = 1 << 30;
}

pub(crate) mod mac_control {
    pub const FULL_DUPLEX: u32 = 1 << 20;
    pub const PASS_MULTICAST: u32 = 1 << 19;
    pub const PROMISCUOUS: u32 = 1 << 18;
    pub const TX_ENABLE: u32 = 1 << 3;
    pub const RX_ENABLE: u32 = 1 << 2;
}

pub(crate) mod mii_access {
    /// The only PHY is the chip's own.
    pub const PHY_ADDRESS: u32 = 1 << 11;
    pub const REGISTER_SHIFT: u32 = 6;
    pub const WRITE: u32 = 1 << 1;
    pub const BUSY: u32 = 1;
}

/// The PHY's registers (§5.5).
#[derive(Clone, Copy, Debug)]
#[repr(u32)]
pub(crate) enum Phy {
    BasicControl = 0,
    BasicStatus = 1,
    InterruptSource = 29,
    InterruptMask = 30,
}

pub(crate) mod phy {
    pub const LOOPBACK: u16 = 1 << 14;
    pub const SPEED_100: u16 = 1 << 13;
    pub const AUTONEGOTIATE: u16 = 1 << 12;
    pub const RESTART_AUTONEGOTIATION: u16 = 1 << 9;
    pub const FULL_DUPLEX: u16 = 1 << 8;
    pub const LINK_UP: u16 = 1 << 2;
    pub const INTERRUPT_AUTONEGOTIATED: u16 = 1 << 6;
    pub const INTERRUPT_LINK_DOWN: u16 = 1 << 4;
}
