//! The chip: set-up, frames in and out, link.

use core::fmt;

use crate::registers::{
    BYTE_TEST, CHIPS, Mac, PMT_READY, Phy, RX_STATUS_ERROR, TX_STATUS_ERROR, hw_cfg, interrupt,
    irq_cfg, mac_control, mac_csr_cmd, mii_access, phy, tx_cfg, tx_command,
};
use crate::{Bus, MAX_FRAME, Register, State};

/// Register reads after which a chip that does not become ready is given up. A read takes 45 ns or
/// more (§6.3), and the slowest wait is that for the soft reset, far below 1 ms.
const PATIENCE: u32 = 100_000;
/// Highest and lowest water mark and back-pressure duration as §5.3.22 recommends them.
const FLOW_CONTROL: u32 = 0x006E_3740;
/// Tag type by which the MAC knows that a frame may be four bytes longer (§5.4.10).
const VLAN_TAG: u32 = 0x8100;
/// Frame check sequence, which the chip appends and leaves on.
const CHECK_SEQUENCE: usize = 4;
/// Space that a frame of any length may need: two command words and rounding.
const TX_SPACE: u32 = MAX_FRAME.next_multiple_of(4) as u32 + 8;

/// How the chip is set up.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The interface's MAC address.
    pub mac: [u8; 6],
    /// Whether frames to other addresses are received too.
    pub promiscuous: bool,
}

/// A LAN9118, LAN9117, LAN9116 or LAN9115.
#[derive(Debug)]
pub struct Lan9118<B: Bus> {
    pub(crate) bus: B,
    pub(crate) state: &'static State,
    pub(crate) mac: [u8; 6],
    pub(crate) link_up: bool,
    /// A sender waits for room.
    pub(crate) wants_room: bool,
    pub(crate) received: [u8; MAX_FRAME],
    pub(crate) outgoing: [u8; MAX_FRAME],
    pub(crate) statistics: Statistics,
}

/// What passed the chip, and what did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Frames received.
    pub received: u32,
    /// Frames received with an error or too long, and dropped.
    pub damaged: u32,
    /// Frames that the chip dropped for want of space.
    pub missed: u32,
    /// Frames sent.
    pub sent: u32,
    /// Frames that the chip did not bring onto the wire.
    pub not_sent: u32,
}

impl<B: Bus> Lan9118<B> {
    /// Resets the chip and sets it up; the interrupt pin is active high.
    pub fn new(bus: B, state: &'static State, config: Config) -> Result<Self, InitError> {
        let mut chip = Self {
            bus,
            state,
            mac: config.mac,
            link_up: false,
            wants_room: false,
            received: [0; MAX_FRAME],
            outgoing: [0; MAX_FRAME],
            statistics: Statistics::default(),
        };
        chip.reset()?;
        chip.set_up(config)?;
        chip.start_phy()?;
        Ok(chip)
    }

    /// Receives what it sends, and nothing from the wire: a test of everything but the cable.
    pub fn set_loopback(&mut self, on: bool) -> Result<(), InitError> {
        let control = if on {
            phy::LOOPBACK | phy::SPEED_100 | phy::FULL_DUPLEX
        } else {
            phy::AUTONEGOTIATE | phy::RESTART_AUTONEGOTIATION
        };
        self.write_phy(Phy::BasicControl, control)
    }

    /// What passed the chip so far.
    pub fn statistics(&mut self) -> Statistics {
        let missed = self.bus.read(Register::RxDrop);
        self.statistics.missed = self.statistics.missed.wrapping_add(missed);
        self.statistics
    }

    fn reset(&mut self) -> Result<(), InitError> {
        // A write of any value wakes a sleeping chip (§3.11.2).
        self.bus.write(Register::ByteTest, 0);
        self.wait("the chip to wake", |bus| {
            bus.read(Register::PmtCtrl) & PMT_READY != 0
        })?;
        let word = self.bus.read(Register::ByteTest);
        if word != BYTE_TEST {
            return Err(InitError::Absent(word));
        }
        let id = self.bus.read(Register::IdRev);
        if !CHIPS.contains(&((id >> 16) as u16)) {
            return Err(InitError::OtherChip(id));
        }
        self.bus.write(Register::HwCfg, hw_cfg::SOFT_RESET);
        self.wait("the reset", |bus| {
            let busy = hw_cfg::SOFT_RESET | hw_cfg::SOFT_RESET_TIMEOUT;
            bus.read(Register::HwCfg) & busy == 0
        })
    }

    fn set_up(&mut self, config: Config) -> Result<(), InitError> {
        let bus = &mut self.bus;
        bus.write(Register::HwCfg, hw_cfg::MUST_BE_ONE | hw_cfg::TX_FIFO_5K);
        bus.write(Register::AfcCfg, FLOW_CONTROL);
        bus.write(Register::IntEn, 0);
        bus.write(Register::IntSts, interrupt::ALL);
        // Space for a frame in units of 64 bytes; any received frame counts.
        bus.write(Register::FifoInt, TX_SPACE.div_ceil(64) << 24);
        bus.write(
            Register::IrqCfg,
            irq_cfg::ENABLE | irq_cfg::ACTIVE_HIGH | irq_cfg::PUSH_PULL,
        );
        bus.write(Register::RxCfg, 0);
        bus.write(Register::TxCfg, tx_cfg::ON);
        let [a, b, c, d, e, f] = config.mac;
        self.write_mac(Mac::AddressLow, u32::from_le_bytes([a, b, c, d]))?;
        self.write_mac(Mac::AddressHigh, u32::from_le_bytes([e, f, 0, 0]))?;
        self.write_mac(Mac::Vlan1, VLAN_TAG)?;
        let filter = if config.promiscuous {
            mac_control::PROMISCUOUS
        } else {
            mac_control::PASS_MULTICAST
        };
        let enable = mac_control::TX_ENABLE | mac_control::RX_ENABLE | mac_control::FULL_DUPLEX;
        self.write_mac(Mac::Control, filter | enable)
    }

    fn start_phy(&mut self) -> Result<(), InitError> {
        self.write_phy(
            Phy::InterruptMask,
            phy::INTERRUPT_AUTONEGOTIATED | phy::INTERRUPT_LINK_DOWN,
        )?;
        self.write_phy(
            Phy::BasicControl,
            phy::AUTONEGOTIATE | phy::RESTART_AUTONEGOTIATION,
        )?;
        self.look_at_phy()
    }

    /// The length of the next received frame, which is then in `received`.
    pub(crate) fn take_frame(&mut self) -> Option<usize> {
        // Each turn takes a frame out of a FIFO that holds 176 at most, so this ends.
        while self.bus.read(Register::RxFifoInf) >> 16 & 0xFF != 0 {
            let status = self.bus.read(Register::RxStatus);
            let length = (status >> 16 & 0x3FFF) as usize;
            let frame = length.saturating_sub(CHECK_SEQUENCE);
            let usable = status & RX_STATUS_ERROR == 0 && (1..=MAX_FRAME).contains(&frame);
            self.read_data(length, if usable { frame } else { 0 });
            if usable {
                self.statistics.received = self.statistics.received.wrapping_add(1);
                return Some(frame);
            }
            self.statistics.damaged = self.statistics.damaged.wrapping_add(1);
        }
        None
    }

    /// Reads `length` bytes and keeps the first `kept` of them. Skipping by the chip itself
    /// (§5.3.10) is not used: it needs a minimum length, and is not worth it for what is rare.
    fn read_data(&mut self, length: usize, kept: usize) {
        let mut kept = self.received[..kept].chunks_mut(4);
        for _ in 0..length.div_ceil(4) {
            let word = self.bus.read(Register::RxData).to_le_bytes();
            if let Some(place) = kept.next() {
                place.copy_from_slice(&word[..place.len()]);
            }
        }
    }

    /// Whether a frame of any length can be sent.
    pub(crate) fn has_room(&mut self) -> bool {
        self.bus.read(Register::TxFifoInf) & 0xFFFF >= TX_SPACE
    }

    /// Forgets that frames have come, so that the next one raises the pin; then looks at the link.
    pub(crate) fn listen(&mut self) {
        let seen = interrupt::RX_STATUS_LEVEL | interrupt::TX_DATA_AVAILABLE;
        self.bus.write(Register::IntSts, seen);
        self.watch_link();
    }

    /// Looks at the link, and has the pin report whatever comes.
    pub(crate) fn watch_link(&mut self) {
        if self.bus.read(Register::IntSts) & interrupt::PHY != 0 {
            // A PHY that does not answer leaves the link as it was.
            let _ = self.look_at_phy();
            self.bus.write(Register::IntSts, interrupt::PHY);
        }
        let room = if self.wants_room {
            interrupt::TX_DATA_AVAILABLE
        } else {
            0
        };
        let wanted = interrupt::RX_STATUS_LEVEL | interrupt::PHY | room;
        self.bus.write(Register::IntEn, wanted);
    }

    fn look_at_phy(&mut self) -> Result<(), InitError> {
        // Reading the source silences it; the status latches a lost link, so the second read counts.
        self.read_phy(Phy::InterruptSource)?;
        self.read_phy(Phy::BasicStatus)?;
        self.link_up = self.read_phy(Phy::BasicStatus)? & phy::LINK_UP != 0;
        Ok(())
    }

    fn write_mac(&mut self, register: Mac, value: u32) -> Result<(), InitError> {
        self.wait_for_mac()?;
        self.bus.write(Register::MacCsrData, value);
        let command = mac_csr_cmd::BUSY | register as u32;
        self.bus.write(Register::MacCsrCmd, command);
        self.wait_for_mac()
    }

    fn read_mac(&mut self, register: Mac) -> Result<u32, InitError> {
        self.wait_for_mac()?;
        let command = mac_csr_cmd::BUSY | mac_csr_cmd::READ | register as u32;
        self.bus.write(Register::MacCsrCmd, command);
        self.wait_for_mac()?;
        Ok(self.bus.read(Register::MacCsrData))
    }

    fn wait_for_mac(&mut self) -> Result<(), InitError> {
        self.wait("the MAC", |bus| {
            bus.read(Register::MacCsrCmd) & mac_csr_cmd::BUSY == 0
        })
    }

    fn write_phy(&mut self, register: Phy, value: u16) -> Result<(), InitError> {
        self.write_mac(Mac::MiiData, value.into())?;
        self.access_phy(register, mii_access::WRITE)
    }

    fn read_phy(&mut self, register: Phy) -> Result<u16, InitError> {
        self.access_phy(register, 0)?;
        Ok(self.read_mac(Mac::MiiData)? as u16)
    }

    fn access_phy(&mut self, register: Phy, direction: u32) -> Result<(), InitError> {
        let register = (register as u32) << mii_access::REGISTER_SHIFT;
        let command = mii_access::PHY_ADDRESS | register | direction | mii_access::BUSY;
        self.write_mac(Mac::MiiAccess, command)?;
        for _ in 0..PATIENCE {
            if self.read_mac(Mac::MiiAccess)? & mii_access::BUSY == 0 {
                return Ok(());
            }
        }
        Err(InitError::NotReady("the PHY"))
    }

    fn wait(
        &mut self,
        what: &'static str,
        is_ready: impl Fn(&mut B) -> bool,
    ) -> Result<(), InitError> {
        for _ in 0..PATIENCE {
            if is_ready(&mut self.bus) {
                return Ok(());
            }
        }
        Err(InitError::NotReady(what))
    }
}

/// Sends a frame for which there is room.
pub(crate) fn send(bus: &mut impl Bus, statistics: &mut Statistics, frame: &[u8]) {
    // At most MAX_FRAME, far below 2^11.
    let length = frame.len() as u32;
    bus.write(
        Register::TxData,
        tx_command::FIRST_SEGMENT | tx_command::LAST_SEGMENT | length,
    );
    bus.write(Register::TxData, length);
    for chunk in frame.chunks(4) {
        let mut word = [0; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        bus.write(Register::TxData, u32::from_le_bytes(word));
    }
    statistics.sent = statistics.sent.wrapping_add(1);
    // What was sent before; a full FIFO of statuses would stop the chip.
    let ended = bus.read(Register::TxFifoInf) >> 16 & 0xFF;
    for _ in 0..ended {
        if bus.read(Register::TxStatus) & TX_STATUS_ERROR != 0 {
            statistics.not_sent = statistics.not_sent.wrapping_add(1);
        }
    }
}

/// Why the chip cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitError {
    /// Where the test word should stand, something else does: no chip, or another byte order.
    Absent(u32),
    /// The word that names chip and revision names another one.
    OtherChip(u32),
    /// This did not become ready.
    NotReady(&'static str),
}

impl fmt::Display for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(word) => write!(
                f,
                "no LAN9118: its test register reads as {word:#010x}, not {BYTE_TEST:#010x}"
            ),
            Self::OtherChip(id) => write!(f, "not a LAN9118: its identification is {id:#010x}"),
            Self::NotReady(what) => write!(f, "LAN9118: waited in vain for {what}"),
        }
    }
}

impl core::error::Error for InitError {}
