//! How the chip's registers are reached.

use core::ptr;

use crate::Register;

/// Access to the chip's registers, each 32 bits wide and little-endian.
pub trait Bus {
    /// Reads a register. Reading a FIFO takes a word from it.
    fn read(&mut self, register: Register) -> u32;

    /// Writes a register. Writing a FIFO puts a word into it.
    fn write(&mut self, register: Register, value: u32);
}

/// The chip's registers in memory.
#[derive(Debug)]
pub struct Mmio {
    base: *mut u32,
}

// SAFETY: it is an address on a bus, which is the same from everywhere. `Bus` takes `&mut self`.
unsafe impl Send for Mmio {}

impl Mmio {
    /// The registers from `base` on.
    ///
    /// # Safety
    ///
    /// A LAN9118 in its 32-bit mode must be there. Only one `Mmio` per chip may be used for more
    /// than [`crate::State::on_interrupt`].
    #[must_use]
    pub const unsafe fn new(base: usize) -> Self {
        Self {
            base: ptr::with_exposed_provenance_mut(base),
        }
    }

    fn address(&self, register: Register) -> *mut u32 {
        self.base.wrapping_byte_add(register as usize)
    }
}

impl Bus for Mmio {
    fn read(&mut self, register: Register) -> u32 {
        // SAFETY: `new` was promised that the registers are there.
        unsafe { ptr::read_volatile(self.address(register)) }
    }

    fn write(&mut self, register: Register, value: u32) {
        // SAFETY: as above.
        unsafe { ptr::write_volatile(self.address(register), value) }
    }
}
