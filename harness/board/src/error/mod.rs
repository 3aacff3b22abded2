//! What can go wrong with a board. Every part of this crate that drives boards imports these; they
//! import none of those parts.

mod flash;
mod port;
mod probe;
mod process;

use std::io;

use crate::command::CommandError;

pub use flash::FlashError;
pub use port::PortError;
pub(crate) use probe::Attempting;
pub use probe::ProbeError;
pub(crate) use process::MARKER;
pub use process::ProcessError;

/// A board did not do what it was told. Always the lab's fault, never the device's.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// This board cannot do that.
    #[error("a {board} board cannot {what}")]
    Unable {
        /// Kind of board.
        board: &'static str,
        /// What was asked.
        what: &'static str,
    },
    /// The host refused.
    #[error("failed to {what}")]
    Io {
        /// What was attempted, and on what.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// It took too long.
    #[error("{what} took longer than {limit_ms} ms")]
    Timeout {
        /// What was attempted.
        what: String,
        /// The bound.
        limit_ms: u64,
    },
    /// It must be off, on, or run its firmware for that.
    #[error("cannot {what}: the board is {state}")]
    State {
        /// What was attempted.
        what: &'static str,
        /// How it is instead.
        state: &'static str,
    },
    /// A command from the rig did not do what it was there for.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A debug probe, or the chip behind it, failed.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// A UART cannot be used.
    #[error(transparent)]
    Port(#[from] PortError),
    /// A program cannot be the device.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// Images cannot be flashed.
    #[error(transparent)]
    Flash(#[from] FlashError),
}
