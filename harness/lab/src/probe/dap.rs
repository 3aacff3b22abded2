//! Debug port and memory access port (ADIv5.2, chapters B2 and C2).
//!
//! The debug port is one of a Cortex-M4, and access port 0 is its AHB-AP; there is no other. Raw SWD
//! ([`Port`]) and accelerated commands meet here.

use super::cortexm::Core;
use super::fault::{Faults, ProbeFault};
use super::swd::{Acknowledgement, Port, Request};
use super::{Backend, BackendError, Supply};

/// DPIDR of a Cortex-M4's SW-DP, version 1, by ARM.
const DPIDR: u32 = 0x2BA0_1477;
/// IDR of the AHB-AP of a Cortex-M4.
const AP_IDR: u32 = 0x2477_0011;
/// Where the ROM table is, that it is there, and in which format (ADIv5.2 C2.6.1).
const AP_BASE: u32 = 0xE00F_F003;
/// CSW of that AHB-AP after power-on: device enabled, word accesses, master type and privilege.
const AP_CSW: u32 = 0x2300_0042;
/// What another chip would have instead: a debug port of version 1 by another designer, and an
/// access port that is none to memory.
const OTHER_DPIDR: u32 = 0x1BA0_2927;
const OTHER_AP_IDR: u32 = 0x0288_0000;

/// Bits of CTRL/STAT (ADIv5.2 B2.2.2).
mod ctrl_stat {
    pub(super) const STICKY_ERROR: u32 = 1 << 5;
    pub(super) const WRITE_DATA_ERROR: u32 = 1 << 7;
    pub(super) const POWER_UP_REQUESTS: u32 = 1 << 28 | 1 << 30;
    /// What a debugger sets: power-up requests, transfer mode, mask lane, overrun detection.
    pub(super) const WRITABLE: u32 = 0x5000_0F0D;
}

/// Bits of ABORT (ADIv5.2 B2.2.1).
mod abort {
    pub(super) const CLEAR_STICKY_ERROR: u32 = 1 << 2;
    pub(super) const CLEAR_WRITE_DATA_ERROR: u32 = 1 << 3;
}

/// Registers of a memory access port (ADIv5.2 C2.6).
mod register {
    pub(super) const CSW: u8 = 0x00;
    pub(super) const TAR: u8 = 0x04;
    pub(super) const DRW: u8 = 0x0C;
    pub(super) const BD0: u8 = 0x10;
    pub(super) const BD3: u8 = 0x1C;
    pub(super) const BASE: u8 = 0xF8;
    pub(super) const IDR: u8 = 0xFC;
}

/// Why the target did not do what the debugger asked.
#[derive(Debug)]
pub enum DapError {
    /// It answered so.
    Acknowledged(Acknowledgement),
    /// It waited longer than the probe does.
    Timeout,
}

/// What is behind the two wires of a target.
#[derive(Debug)]
pub struct Dap<B> {
    core: Core<B>,
    faults: Faults,
    /// The debug port has power.
    powered: bool,
    select: u32,
    ctrl_stat: u32,
    csw: u32,
    tar: u32,
    /// Result of the last read of an access port, which raw SWD gets with the next one.
    posted: u32,
}

impl<B: Backend> Dap<B> {
    /// A target of which nothing has power.
    pub fn new(backend: B, faults: Faults) -> Self {
        Self {
            core: Core::new(backend),
            faults,
            powered: false,
            select: 0,
            ctrl_stat: 0,
            csw: AP_CSW,
            tar: 0,
            posted: 0,
        }
    }

    /// The core.
    pub fn core(&mut self) -> &mut Core<B> {
        &mut self.core
    }

    /// Switches the core's supply; the debug port has power from now on.
    pub fn supply(&mut self, supply: Supply) -> Result<(), BackendError> {
        self.powered = true;
        self.core.supply(supply)
    }

    /// Takes the power away from everything: nothing answers until it is given back.
    pub fn cut(&mut self) -> Result<(), BackendError> {
        self.powered = false;
        (self.select, self.ctrl_stat, self.csw, self.tar) = (0, 0, AP_CSW, 0);
        self.core.supply(Supply::Off)
    }

    /// Pulls nRST low, or releases it.
    pub fn hold_in_reset(&mut self, hold: bool) -> Result<(), DapError> {
        if !self.powered {
            return Ok(());
        }
        let held = self.core.hold_in_reset(hold);
        self.outcome(held)
    }

    /// Reads a register of the debug port.
    pub fn dp_read(&mut self, address: u8) -> Result<u32, DapError> {
        self.reach()?;
        let bank = self.select & 0xF;
        Ok(match (address & 0xC, bank) {
            (0x0, _) if self.faults.present() == Some(ProbeFault::WrongIdcode) => OTHER_DPIDR,
            (0x0, _) => DPIDR,
            (0x4, 0) => self.ctrl_stat | (self.ctrl_stat & ctrl_stat::POWER_UP_REQUESTS) << 1,
            (0xC, _) => self.posted,
            _ => 0,
        })
    }

    /// Writes a register of the debug port.
    pub fn dp_write(&mut self, address: u8, value: u32) -> Result<(), DapError> {
        self.reach()?;
        match (address & 0xC, self.select & 0xF) {
            (0x0, _) => {
                if value & abort::CLEAR_STICKY_ERROR != 0 {
                    self.ctrl_stat &= !ctrl_stat::STICKY_ERROR;
                }
                if value & abort::CLEAR_WRITE_DATA_ERROR != 0 {
                    self.ctrl_stat &= !ctrl_stat::WRITE_DATA_ERROR;
                }
            }
            (0x4, 0) => {
                let sticky = self.ctrl_stat & !ctrl_stat::WRITABLE;
                self.ctrl_stat = sticky | value & ctrl_stat::WRITABLE;
            }
            (0x8, _) => self.select = value,
            _ => {}
        }
        Ok(())
    }

    /// Reads a register of an access port.
    pub fn ap_read(&mut self, port: u8, address: u8) -> Result<u32, DapError> {
        self.reach()?;
        if port != 0 {
            return Ok(0);
        }
        let other = self.faults.present() == Some(ProbeFault::WrongIdcode);
        Ok(match address & 0xFC {
            register::IDR if other => OTHER_AP_IDR,
            register::IDR => AP_IDR,
            _ if other => 0,
            register::CSW => self.csw,
            register::TAR => self.tar,
            register::BASE => AP_BASE,
            register::DRW => {
                let value = self.word_read(self.tar)?;
                self.advance();
                value
            }
            banked @ register::BD0..=register::BD3 => {
                self.word_read(self.tar & !0xF | u32::from(banked & 0xC))?
            }
            _ => 0,
        })
    }

    /// Writes a register of an access port.
    pub fn ap_write(&mut self, port: u8, address: u8, value: u32) -> Result<(), DapError> {
        self.reach()?;
        if port != 0 {
            return Ok(());
        }
        match address & 0xFC {
            // The upper bit of DeviceEn and TrInProg are the target's.
            register::CSW => self.csw = value & !0xC0 | 0x40,
            register::TAR => self.tar = value,
            register::DRW => {
                self.memory_write(self.tar, 4, &value.to_le_bytes())?;
                self.advance();
            }
            banked @ register::BD0..=register::BD3 => {
                let address = self.tar & !0xF | u32::from(banked & 0xC);
                self.memory_write(address, 4, &value.to_le_bytes())?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Reads memory through access port 0.
    pub fn memory_read(&mut self, address: u32, length: usize) -> Result<Vec<u8>, DapError> {
        self.reach()?;
        let mut bytes = vec![0; length];
        let read = self.core.read(address, &mut bytes);
        self.outcome(read)?;
        Ok(bytes)
    }

    /// Writes memory through access port 0, with so many bytes per access.
    pub fn memory_write(&mut self, address: u32, width: u8, bytes: &[u8]) -> Result<(), DapError> {
        self.reach()?;
        if self.faults.power_fails_at(bytes.len()) {
            // What the power does to the core's own links is of no interest any more.
            let _ = self.cut();
            return Err(DapError::Acknowledged(Acknowledgement::Silence));
        }
        let written = self.core.write(address, width, bytes);
        self.outcome(written)
    }

    fn word_read(&mut self, address: u32) -> Result<u32, DapError> {
        let mut word = [0; 4];
        let read = self.core.read(address & !3, &mut word);
        self.outcome(read)?;
        Ok(u32::from_le_bytes(word))
    }

    /// Moves the address on after an access to DRW, if CSW says so; it wraps at 1 KiB.
    fn advance(&mut self) {
        if self.csw & 0x30 == 0x10 {
            self.tar = self.tar & !0x3FF | self.tar.wrapping_add(4) & 0x3FF;
        }
    }

    fn reach(&mut self) -> Result<(), DapError> {
        self.core
            .pretend_lockup(self.faults.present() == Some(ProbeFault::LockedUp));
        match self.faults.present() {
            _ if !self.powered => Err(DapError::Acknowledged(Acknowledgement::Silence)),
            Some(ProbeFault::WaitForever) => Err(DapError::Timeout),
            _ => Ok(()),
        }
    }

    fn outcome(&mut self, outcome: Result<(), BackendError>) -> Result<(), DapError> {
        match outcome {
            Ok(()) => Ok(()),
            Err(BackendError::Fault { .. } | BackendError::LockedUp) => {
                Err(DapError::Acknowledged(Acknowledgement::Fault))
            }
            Err(BackendError::Io { .. } | BackendError::Refused { .. }) => Err(DapError::Timeout),
        }
    }

    /// Raw SWD keeps an error until it is cleared; the accelerated commands clear it themselves.
    fn acknowledge(&mut self, error: &DapError) -> Acknowledgement {
        match error {
            DapError::Acknowledged(Acknowledgement::Fault) => {
                self.ctrl_stat |= ctrl_stat::STICKY_ERROR;
                Acknowledgement::Fault
            }
            DapError::Acknowledged(acknowledgement) => *acknowledgement,
            DapError::Timeout => Acknowledgement::Wait,
        }
    }

    fn is_blocked(&self, request: Request, read: bool) -> bool {
        let sticky = ctrl_stat::STICKY_ERROR | ctrl_stat::WRITE_DATA_ERROR;
        let always = matches!(
            (request.access_port, read, request.address),
            (false, true, 0x0 | 0x4) | (false, false, 0x0)
        );
        self.ctrl_stat & sticky != 0 && !always
    }

    fn selected(&self, address: u8) -> (u8, u8) {
        let bank = (self.select & 0xF0) as u8;
        ((self.select >> 24) as u8, bank | address)
    }
}

impl<B: Backend> Port for Dap<B> {
    fn read(&mut self, request: Request) -> Result<u32, Acknowledgement> {
        if let Err(error) = self.reach() {
            return Err(self.acknowledge(&error));
        }
        if self.is_blocked(request, true) {
            return Err(Acknowledgement::Fault);
        }
        let value = if request.access_port {
            let (port, address) = self.selected(request.address);
            let previous = self.posted;
            self.ap_read(port, address).map(|value| {
                self.posted = value;
                previous
            })
        } else {
            self.dp_read(request.address)
        };
        value.map_err(|error| self.acknowledge(&error))
    }

    fn accepts(&mut self, request: Request) -> Result<(), Acknowledgement> {
        if let Err(error) = self.reach() {
            return Err(self.acknowledge(&error));
        }
        if self.is_blocked(request, false) {
            return Err(Acknowledgement::Fault);
        }
        Ok(())
    }

    fn write(&mut self, request: Request, value: u32) {
        let written = if request.access_port {
            let (port, address) = self.selected(request.address);
            self.ap_write(port, address, value)
        } else {
            self.dp_write(request.address, value)
        };
        if let Err(error) = written {
            // It shows in the next transfer.
            self.acknowledge(&error);
        }
    }

    fn parity_error(&mut self) {
        self.ctrl_stat |= ctrl_stat::WRITE_DATA_ERROR;
    }
}
