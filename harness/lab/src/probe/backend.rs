//! The core behind the debug port.

use std::io;

/// A core with its memory, as far as a debugger controls it. Every call is bounded in time.
///
/// The core stands still or runs; only [`Backend::read`], [`Backend::write`], [`Backend::halt`] and
/// [`Backend::poll_stop`] may be called while it runs.
pub trait Backend: Send {
    /// Reads memory or device registers. One, two or four bytes are one access of that width.
    fn read(&mut self, address: u32, bytes: &mut [u8]) -> Result<(), BackendError>;

    /// Writes memory or device registers. One, two or four bytes are one access of that width.
    fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), BackendError>;

    /// Stops the core and says why it stands, as it may have stopped by itself before.
    fn halt(&mut self) -> Result<Stop, BackendError>;

    /// Lets the core run.
    fn resume(&mut self) -> Result<(), BackendError>;

    /// Executes one instruction with interrupts masked, and says why the core stands: it was told to,
    /// or that instruction asked for a reset.
    fn step(&mut self) -> Result<Stop, BackendError>;

    /// The value of a core register.
    fn register(&mut self, register: Register) -> Result<u32, BackendError>;

    /// Sets a core register.
    fn set_register(&mut self, register: Register, value: u32) -> Result<(), BackendError>;

    /// Makes the core stop in front of the instruction at `address`, or no more.
    fn set_breakpoint(&mut self, address: u32, on: bool) -> Result<(), BackendError>;

    /// Resets the core and its devices; it stands at its reset vector afterwards. Also brings a
    /// core back that is locked up.
    fn reset(&mut self) -> Result<(), BackendError>;

    /// Whether a running core has stopped since.
    fn poll_stop(&mut self) -> Result<Option<Stop>, BackendError>;

    /// The debugger leaves a halted core, which will run on from wherever it stands.
    fn debugger_leaves(&mut self) -> Result<(), BackendError> {
        Ok(())
    }

    /// The core stands in front of the handler of its worst fault. If that one fails too, it locks
    /// up, and a debugger wants to read what was in memory.
    fn expect_lockup(&mut self) -> Result<(), BackendError> {
        Ok(())
    }

    /// Gives the core power, or takes it away; a core without it stands. With power it stands at its
    /// reset vector, and memory has lost its contents; flash has not.
    fn power(&mut self, on: bool) -> Result<(), BackendError>;

    /// The part of flash that holds anything, from its first address on: what to look through for
    /// breakpoint instructions.
    fn code(&mut self) -> Result<(u32, Vec<u8>), BackendError>;
}

/// Why a core stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// In front of an instruction at which a breakpoint is set.
    Breakpoint,
    /// It was told to.
    Halted,
    /// The firmware asks for a reset of the system.
    ResetRequested,
    /// It cannot go on: a fault in the handler of a fault.
    LockedUp,
}

/// How a target is supplied. Its debug port has a supply of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supply {
    /// The core has no power. What a debugger runs runs all the same, such as a flash algorithm, but
    /// no firmware.
    Off,
    /// The core has power and stands at its reset vector, until a debugger lets it go.
    Held,
    /// The firmware runs.
    On,
}

/// Core registers, by the numbers of DCRSR.REGSEL (ARMv7-M ARM C1.6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Register {
    /// R0 to R15; 13 is the stack pointer in use, 15 the address of the next instruction.
    Core(u8),
    /// The combined program status register.
    Xpsr,
    /// Main stack pointer.
    Msp,
    /// Process stack pointer.
    Psp,
    /// CONTROL, FAULTMASK, BASEPRI and PRIMASK, from the highest byte to the lowest.
    Special,
    /// Status of the floating-point unit.
    Fpscr,
    /// S0 to S31.
    Single(u8),
}

impl Register {
    /// R15.
    pub const PC: Self = Self::Core(15);

    /// The register with this number.
    pub fn from_selector(selector: u32) -> Option<Self> {
        Some(match selector {
            0..=15 => Self::Core(selector as u8),
            16 => Self::Xpsr,
            17 => Self::Msp,
            18 => Self::Psp,
            20 => Self::Special,
            33 => Self::Fpscr,
            64..=95 => Self::Single((selector - 64) as u8),
            _ => return None,
        })
    }
}

/// The core did not do what the debugger asked.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// Nothing answers at this address.
    #[error("nothing answers at {address:#010x}")]
    Fault {
        /// Address that was accessed.
        address: u32,
    },
    /// The core is locked up.
    #[error("the core is locked up")]
    LockedUp,
    /// The emulator does not answer as it should.
    #[error("failed to {what}")]
    Io {
        /// What was attempted.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// The emulator refused.
    #[error("the emulator refused to {what}: {answer}")]
    Refused {
        /// What was attempted.
        what: &'static str,
        /// Its answer.
        answer: String,
    },
}
