//! What the emulated machine has where (ARM AN386, table 3-1), and a window into it.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::qmp::Qmp;
use crate::probe::BackendError;

/// Memory: where it starts, and how many bytes it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) start: u32,
    pub(super) length: u32,
}

/// Zero-bus-turnaround RAM 1, which here is flash: it keeps its contents without power.
pub(super) const FLASH: Memory = Memory {
    start: 0,
    length: 0x0040_0000,
};
/// Zero-bus-turnaround RAM 2 and 3.
pub(super) const RAM: Memory = Memory {
    start: 0x2000_0000,
    length: 0x0040_0000,
};
/// PSRAM.
pub(super) const PSRAM: Memory = Memory {
    start: 0x2100_0000,
    length: 0x0100_0000,
};
/// Peripherals, the Ethernet controller, and the system control space.
const DEVICES: [Memory; 3] = [
    Memory {
        start: 0x4000_0000,
        length: 0x0003_0000,
    },
    Memory {
        start: 0x4020_0000,
        length: 0x100,
    },
    Memory {
        start: 0xE000_E000,
        length: 0x1000,
    },
];

/// What answers at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Flash,
    Ram,
    Device,
}

impl Memory {
    fn contains(self, address: u32, length: usize) -> bool {
        let offset = u64::from(address).checked_sub(u64::from(self.start));
        offset.is_some_and(|offset| offset + length as u64 <= u64::from(self.length))
    }
}

/// What answers at all of these addresses.
pub(super) fn kind(address: u32, length: usize) -> Result<Kind, BackendError> {
    if FLASH.contains(address, length) {
        Ok(Kind::Flash)
    } else if RAM.contains(address, length) || PSRAM.contains(address, length) {
        Ok(Kind::Ram)
    } else if DEVICES
        .iter()
        .any(|device| device.contains(address, length))
    {
        Ok(Kind::Device)
    } else {
        Err(BackendError::Fault { address })
    }
}

/// A window into the emulator's memory, through which the host reads the machine's at its own speed.
///
/// The kernel grants it to the parent of the process, unless ptrace is restricted further.
#[derive(Debug)]
pub(super) struct Window {
    process: File,
    /// Memory, and where in the process it is.
    mapped: Vec<(Memory, u64)>,
}

impl Window {
    /// The window into process `id`; none if the kernel does not grant it.
    pub(super) fn open(id: u32, qmp: &mut Qmp) -> Result<Option<Self>, BackendError> {
        let Ok(process) = File::open(format!("/proc/{id}/mem")) else {
            return Ok(None);
        };
        let mut mapped = Vec::new();
        for memory in [FLASH, RAM, PSRAM] {
            if let Some(address) = qmp.host_address(memory.start)? {
                mapped.push((memory, address));
            }
        }
        let window = Self { process, mapped };
        let works = window.read(FLASH.start, &mut [0; 4]);
        Ok(works.then_some(window))
    }

    /// Reads memory. False if it could not be.
    pub(super) fn read(&self, address: u32, bytes: &mut [u8]) -> bool {
        let mut mapped = self.mapped.iter();
        let Some((memory, host)) = mapped.find(|(memory, _)| memory.contains(address, bytes.len()))
        else {
            return false;
        };
        let at = host + u64::from(address - memory.start);
        self.process.read_exact_at(bytes, at).is_ok()
    }
}
