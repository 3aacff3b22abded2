//! Flash in memory, whose power can be cut in the middle of an operation.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};

pub const PAGE: usize = 256;
const PAGES: usize = 4;

/// A handle; clones see the same flash, as a device does after its restart.
#[derive(Clone)]
pub struct Flash {
    bytes: Rc<RefCell<Vec<u8>>>,
    /// Bytes that can still be written or erased before the power goes.
    left: Rc<Cell<usize>>,
}

impl Flash {
    pub fn erased() -> Self {
        Self {
            bytes: Rc::new(RefCell::new(vec![0xFF; PAGE * PAGES])),
            left: Rc::new(Cell::new(usize::MAX)),
        }
    }

    /// A copy with contents of its own.
    pub fn duplicate(&self) -> Self {
        let copy = Self::erased();
        copy.bytes.replace(self.bytes.borrow().clone());
        copy
    }

    pub fn fill(&self, bytes: &[u8]) {
        self.bytes.borrow_mut().copy_from_slice(bytes);
    }

    /// The power goes after so many more bytes.
    pub fn cut_after(&self, bytes: usize) {
        self.left.set(bytes);
    }

    pub fn power_is_back(&self) {
        self.left.set(usize::MAX);
    }

    /// How many of `wanted` bytes the power lasts for.
    fn use_power(&self, wanted: usize) -> Result<usize, PowerCut> {
        let left = self.left.get();
        if left == 0 {
            return Err(PowerCut);
        }
        let lasts = wanted.min(left);
        self.left.set(left - lasts);
        Ok(lasts)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PowerCut;

impl NorFlashError for PowerCut {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

impl ErrorType for Flash {
    type Error = PowerCut;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), PowerCut> {
        let offset = offset as usize;
        bytes.copy_from_slice(&self.bytes.borrow()[offset..offset + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        PAGE * PAGES
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = PAGE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), PowerCut> {
        let (from, to) = (from as usize, to as usize);
        assert!(from.is_multiple_of(PAGE) && to.is_multiple_of(PAGE));
        let lasts = self.use_power(to - from)?;
        self.bytes.borrow_mut()[from..from + lasts].fill(0xFF);
        if lasts == to - from {
            Ok(())
        } else {
            Err(PowerCut)
        }
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), PowerCut> {
        let offset = offset as usize;
        assert!(offset.is_multiple_of(4) && bytes.len().is_multiple_of(4));
        let lasts = self.use_power(bytes.len())?;
        let mut memory = self.bytes.borrow_mut();
        for (place, byte) in memory[offset..].iter_mut().zip(&bytes[..lasts]) {
            *place &= byte;
        }
        if lasts == bytes.len() {
            Ok(())
        } else {
            Err(PowerCut)
        }
    }
}
