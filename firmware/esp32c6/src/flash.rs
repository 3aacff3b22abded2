//! Flash: factory data and settings, in the partitions that `partitions.csv` sets aside.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};

use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use esp_bootloader_esp_idf::partitions::{PARTITION_TABLE_MAX_LEN, read_partition_table};
use esp_hal::peripherals::FLASH;
use esp_storage::{FlashStorage, FlashStorageError};

use crate::reset;

/// Labels in the partition table.
const FACTORY: &str = "factory";
const STORAGE: &str = "storage";
/// Longest factory data, in bytes.
const MAX_FACTORY: u32 = 64 * 1024;

/// How much storage may still be written before the power fails in the middle of it: a byte written
/// takes one, a sector erased takes one. A debugger sets it; at `u32::MAX` the power is steady.
#[unsafe(no_mangle)]
pub static STORAGE_WRITE_BUDGET: AtomicU32 = AtomicU32::new(u32::MAX);

/// A piece of the flash.
#[derive(Clone, Copy, Debug)]
struct Partition {
    offset: u32,
    size: u32,
}

/// The whole flash, with the two partitions that are ours.
#[derive(Debug)]
pub struct Flash {
    chip: FlashStorage<'static>,
    factory: Partition,
    storage: Partition,
}

impl Flash {
    /// Reads the partition table.
    pub fn new(peripheral: FLASH<'static>) -> Result<Self, FlashError> {
        let mut chip = FlashStorage::new(peripheral);
        let mut bytes = vec![0; PARTITION_TABLE_MAX_LEN];
        let table = read_partition_table(&mut chip, &mut bytes).map_err(|_| FlashError::NoTable)?;
        let find = |label| {
            table
                .iter()
                .find(|entry| entry.label_as_str() == label)
                .map(|entry| Partition {
                    offset: entry.offset(),
                    size: entry.len(),
                })
                .ok_or(FlashError::NoPartition(label))
        };
        let (factory, storage) = (find(FACTORY)?, find(STORAGE)?);
        Ok(Self {
            chip,
            factory,
            storage,
        })
    }

    /// The bytes of the factory data region.
    pub fn factory(&mut self) -> Result<Vec<u8>, FlashError> {
        let mut bytes = vec![0; self.factory.size.min(MAX_FACTORY) as usize];
        self.chip
            .read_nor(self.factory.offset, &mut bytes)
            .map_err(FlashError::Chip)?;
        Ok(bytes)
    }

    /// The flash for settings; all of it.
    pub fn into_storage(self) -> Storage {
        Storage {
            chip: self.chip,
            partition: self.storage,
        }
    }
}

/// Flash for settings.
#[derive(Debug)]
pub struct Storage {
    chip: FlashStorage<'static>,
    partition: Partition,
}

impl Storage {
    /// Where `length` bytes from `offset` on are in the chip.
    fn place(&self, offset: u32, length: u32) -> Result<u32, FlashError> {
        match offset.checked_add(length) {
            Some(end) if end <= self.partition.size => Ok(self.partition.offset + offset),
            _ => Err(FlashError::Chip(FlashStorageError::OutOfBounds)),
        }
    }
}

impl ErrorType for Storage {
    type Error = FlashError;
}

impl ReadNorFlash for Storage {
    const READ_SIZE: usize = FlashStorage::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        let place = self.place(offset, length(bytes))?;
        self.chip.read_nor(place, bytes).map_err(FlashError::Chip)
    }

    fn capacity(&self) -> usize {
        self.partition.size as usize
    }
}

impl NorFlash for Storage {
    const WRITE_SIZE: usize = FlashStorage::WRITE_SIZE;
    const ERASE_SIZE: usize = FlashStorage::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        let size = to
            .checked_sub(from)
            .ok_or(FlashError::Chip(FlashStorageError::OutOfBounds))?;
        let place = self.place(from, size)?;
        let sectors = size / FlashStorage::SECTOR_SIZE;
        let powered = take_power(sectors);
        self.chip
            .erase(place, place + powered * FlashStorage::SECTOR_SIZE)
            .map_err(FlashError::Chip)?;
        if powered < sectors {
            reset::dark();
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        let place = self.place(offset, length(bytes))?;
        // The chip writes words.
        let powered = take_power(length(bytes)) as usize;
        let written = powered - powered % FlashStorage::WRITE_SIZE;
        self.chip
            .write_nor(place, &bytes[..written])
            .map_err(FlashError::Chip)?;
        if powered < bytes.len() {
            reset::dark();
        }
        Ok(())
    }
}

/// A word may be written again, as long as bits are only cleared.
impl MultiwriteNorFlash for Storage {}

/// Takes `steps` from what power there is, and says how many of them it suffices for.
fn take_power(steps: u32) -> u32 {
    let left = STORAGE_WRITE_BUDGET.load(Ordering::Relaxed);
    if left == u32::MAX {
        return steps;
    }
    let granted = steps.min(left);
    STORAGE_WRITE_BUDGET.store(left - granted, Ordering::Relaxed);
    granted
}

/// What does not fit is out of bounds everywhere.
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

/// The flash did not do it.
#[derive(Clone, Copy, Debug)]
pub enum FlashError {
    /// There is no valid partition table at 0x8000.
    NoTable,
    /// The partition table has no such entry.
    NoPartition(&'static str),
    /// The chip refused.
    Chip(FlashStorageError),
}

impl fmt::Display for FlashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTable => write!(
                f,
                "flash has no valid partition table; flash the image with partitions.csv"
            ),
            Self::NoPartition(label) => write!(
                f,
                "the partition table in flash has no {label}; flash the image with partitions.csv"
            ),
            Self::Chip(error) => write!(f, "flash: {error:?}"),
        }
    }
}

impl core::error::Error for FlashError {}

impl NorFlashError for FlashError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Chip(FlashStorageError::NotAligned) => NorFlashErrorKind::NotAligned,
            Self::Chip(FlashStorageError::OutOfBounds) => NorFlashErrorKind::OutOfBounds,
            _ => NorFlashErrorKind::Other,
        }
    }
}
