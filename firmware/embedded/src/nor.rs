//! Memory with the manners of NOR flash.
//!
//! Erasing sets all bits of whole sectors; a write can only clear bits, and fails if it would have
//! to set one. The power may fail in the middle of either ([`Power`]).

use core::fmt;

use embedded_storage_async::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

/// Bytes of a sector.
pub const SECTOR: u32 = 4096;
/// Bytes of a word.
pub const WORD: u32 = 4;
const ERASED: u8 = 0xFF;

/// Whether there is power for what is about to be written.
pub trait Power {
    /// Takes `steps` from what is left, and says how many of them there is power for.
    fn take(&self, steps: u32) -> u32;

    /// The power is gone.
    fn cut(&self) -> !;
}

/// Power that does not fail.
#[derive(Clone, Copy, Debug)]
pub struct Steady;

impl Power for Steady {
    fn take(&self, steps: u32) -> u32 {
        steps
    }

    fn cut(&self) -> ! {
        // `take` grants every step, so this is not reached.
        unreachable!("steady power fails")
    }
}

/// NOR flash in a piece of memory.
#[derive(Debug)]
pub struct Nor<P> {
    memory: *mut u8,
    size: u32,
    power: P,
}

impl<P: Power> Nor<P> {
    /// Flash in `size` bytes from `memory` on, cut down to whole sectors. A written byte takes one
    /// step of `power`, and so does an erased sector.
    ///
    /// # Safety
    ///
    /// The memory must be readable and writable, be used by nothing else, for ever, and be aligned
    /// to a word.
    pub const unsafe fn new(memory: *mut u8, size: u32, power: P) -> Self {
        Self {
            memory,
            size: size - size % SECTOR,
            power,
        }
    }

    /// Bytes in all.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// Reads from `offset` on.
    pub fn read_at(&self, offset: u32, bytes: &mut [u8]) -> Result<(), NorError> {
        self.check(offset, bytes.len(), 1)?;
        for (place, byte) in (offset..).zip(bytes) {
            *byte = self.byte(place);
        }
        Ok(())
    }

    /// Writes whole words from `offset` on.
    pub fn write_at(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorError> {
        self.check(offset, bytes.len(), WORD)?;
        for (place, new) in (offset..).zip(bytes) {
            if new & !self.byte(place) != 0 {
                return Err(NorError::NotErased { offset });
            }
        }
        // At most `size`, which is a u32.
        let steps = bytes.len() as u32;
        let powered = self.power.take(steps);
        for (place, new) in (offset..).zip(&bytes[..powered.min(steps) as usize]) {
            self.set_byte(place, *new);
        }
        if powered < steps {
            self.power.cut();
        }
        Ok(())
    }

    /// Erases whole sectors. Where the power fails in a sector, the first half of it is erased.
    pub fn erase_range(&mut self, from: u32, to: u32) -> Result<(), NorError> {
        let length = to.checked_sub(from).ok_or(NorError::OutOfBounds)?;
        self.check(from, length as usize, SECTOR)?;
        for sector in (from..to).step_by(SECTOR as usize) {
            let powered = self.power.take(1) == 1;
            let length = if powered { SECTOR } else { SECTOR / 2 };
            for place in sector..sector + length {
                self.set_byte(place, ERASED);
            }
            if !powered {
                self.power.cut();
            }
        }
        Ok(())
    }

    fn byte(&self, place: u32) -> u8 {
        // SAFETY: `check` has seen that it is inside of what `new` was promised. Volatile, because
        // a debugger writes there too.
        unsafe { self.memory.add(place as usize).read_volatile() }
    }

    fn set_byte(&mut self, place: u32, byte: u8) {
        // SAFETY: as above.
        unsafe { self.memory.add(place as usize).write_volatile(byte) }
    }

    fn check(&self, offset: u32, length: usize, unit: u32) -> Result<(), NorError> {
        let end = u32::try_from(length)
            .ok()
            .and_then(|length| offset.checked_add(length));
        match end {
            Some(end) if end <= self.size => {
                if offset.is_multiple_of(unit) && end.is_multiple_of(unit) {
                    Ok(())
                } else {
                    Err(NorError::NotAligned)
                }
            }
            _ => Err(NorError::OutOfBounds),
        }
    }
}

impl<P> ErrorType for Nor<P> {
    type Error = NorError;
}

impl<P: Power> ReadNorFlash for Nor<P> {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorError> {
        self.read_at(offset, bytes)
    }

    fn capacity(&self) -> usize {
        self.size as usize
    }
}

impl<P: Power> NorFlash for Nor<P> {
    const WRITE_SIZE: usize = WORD as usize;
    const ERASE_SIZE: usize = SECTOR as usize;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), NorError> {
        self.erase_range(from, to)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorError> {
        self.write_at(offset, bytes)
    }
}

/// A word may be written again, as long as bits are only cleared.
impl<P: Power> MultiwriteNorFlash for Nor<P> {}

/// The flash did not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NorError {
    /// Not whole words or sectors.
    NotAligned,
    /// Past the end.
    OutOfBounds,
    /// A bit would have to be set, which takes an erase.
    NotErased {
        /// Where the write began.
        offset: u32,
    },
}

impl fmt::Display for NorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAligned => write!(f, "not whole words or sectors"),
            Self::OutOfBounds => write!(f, "past the end of the flash"),
            Self::NotErased { offset } => write!(f, "the flash at {offset:#x} is not erased"),
        }
    }
}

impl core::error::Error for NorError {}

impl NorFlashError for NorError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::NotAligned => NorFlashErrorKind::NotAligned,
            Self::OutOfBounds => NorFlashErrorKind::OutOfBounds,
            Self::NotErased { .. } => NorFlashErrorKind::Other,
        }
    }
}
