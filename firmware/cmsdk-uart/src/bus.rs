//! How the registers are reached.

use core::ptr;

use crate::Register;

/// Access to the UART's registers, each 32 bits wide.
pub trait Bus {
    /// Reads a register. Reading [`Register::Data`] takes the byte.
    fn read(&mut self, register: Register) -> u32;

    /// Writes a register.
    fn write(&mut self, register: Register, value: u32);
}

/// The registers in memory.
#[derive(Clone, Copy, Debug)]
pub struct Mmio {
    base: *mut u32,
}

// SAFETY: it is an address on a bus, which is the same from everywhere. The driver uses it within
// critical sections alone.
unsafe impl Send for Mmio {}

impl Mmio {
    /// The registers from `base` on.
    ///
    /// # Safety
    ///
    /// The UART must be there. Besides one [`crate::Uart`], only [`crate::State::on_interrupt`] may
    /// use it.
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
