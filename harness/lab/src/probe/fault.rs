//! What can go wrong with a probe.

use std::sync::{Arc, Mutex, PoisonError};

/// A fault of the probe or of its connection to the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeFault {
    /// The cable is out: the link is closed and no new one lasts.
    LinkDropped,
    /// The target answers WAIT to everything, for ever.
    WaitForever,
    /// The probe takes commands and answers none.
    Hung,
    /// Another chip is attached: its debug port has another identification, and its first access
    /// port is none to memory.
    WrongIdcode,
    /// The core stays locked up after every reset.
    LockedUp,
    /// The target loses its power after the debugger has written so many bytes to memory, as it does
    /// when it fills the page buffers of a flash algorithm.
    PowerLostInFlash {
        /// Bytes from now on.
        after: u64,
    },
}

/// The present fault of one probe, shared by its layers.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    present: Arc<Mutex<Option<ProbeFault>>>,
}

impl Faults {
    /// Makes `fault` the present one; none heals the probe.
    pub fn set(&self, fault: Option<ProbeFault>) {
        *self.present.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// The present fault.
    pub fn present(&self) -> Option<ProbeFault> {
        *self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts bytes that the debugger writes to memory. True if the power fails now.
    pub(super) fn power_fails_at(&self, written: usize) -> bool {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(ProbeFault::PowerLostInFlash { after }) = &mut *present else {
            return false;
        };
        let written = u64::try_from(written).unwrap_or(u64::MAX);
        match after.checked_sub(written) {
            Some(left) => {
                *after = left;
                false
            }
            None => {
                *present = None;
                true
            }
        }
    }
}
