//! How a board of a rig is reached.

use std::io;
use std::path::{Path, PathBuf};

use board::probe::ProbeSettings;
use board::process::ProcessLink;
use board::rig::{BoardLink, RigBoard, SerialLink};
use miette::Diagnostic;

use super::probe_link;

/// How a board is reached.
pub enum BoardAccess {
    /// Through a debug probe.
    Probe(Box<ProbeSettings>),
    /// Through its UART.
    Serial(Box<SerialLink>),
    /// It is a program of this host.
    Process(Box<ProcessLink>),
}

/// How a board of a rig is reached. `image` is the image that the user named.
pub fn board_access(board: &RigBoard, image: Option<&Path>) -> Result<BoardAccess, ReachError> {
    match &board.link {
        BoardLink::Serial(serial) => Ok(BoardAccess::Serial(serial.clone())),
        BoardLink::Process(process) => Ok(BoardAccess::Process(process.clone())),
        BoardLink::Probe(probe) => {
            let settings = probe_link::settings(&board.name, probe, image)?;
            Ok(BoardAccess::Probe(Box::new(settings)))
        }
    }
}

/// A board of a rig cannot be reached as its section says.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum ReachError {
    /// A target description cannot be used.
    #[error("failed to use the target description {}", path.display())]
    #[diagnostic(help("{help}"))]
    Target {
        /// Path of the file.
        path: PathBuf,
        /// What to do.
        help: String,
        /// Underlying error.
        source: io::Error,
    },
    /// This build does not know the chips of probe-rs.
    #[cfg(not(feature = "all-chips"))]
    #[error("this build of proving has no `all-chips` in it")]
    #[diagnostic(help("build it again with `--features all-chips`"))]
    NotBuilt,
}
