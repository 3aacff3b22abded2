//! `proving boards`, `flash`, `log` and `test`: real boards, and the emulated one, without scenarios.

pub(super) mod arguments;
mod boards;
mod emulated;
mod error;
mod flash;
mod line;
mod log;
mod open;
mod test;
mod test_junit;

use report::ExitStatus;

use super::CommandError;
use arguments::{Boards, Flash, Log, Test};

pub(in crate::cli) use emulated::emulator;
pub(in crate::cli) use line::printable;
pub(crate) use open::{LEASE, find_in_rig};

pub use error::HardwareError;

pub(super) fn boards(arguments: &Boards) -> Result<ExitStatus, CommandError> {
    boards::boards(arguments)
}

pub(super) fn flash(arguments: &Flash) -> Result<ExitStatus, CommandError> {
    flash::flash(arguments)
}

pub(super) fn log(arguments: &Log) -> Result<ExitStatus, CommandError> {
    log::log(arguments)
}

pub(super) fn test(arguments: &Test) -> Result<ExitStatus, CommandError> {
    test::test(arguments)
}

/// A runtime for what waits.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, HardwareError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| HardwareError::Io {
            what: "start the runtime".to_owned(),
            source,
        })
}
