//! Any program of this host as the device: `kind = "process"` in rig.toml.
//!
//! What it writes to standard output and standard error is its log, read like that of a UART: the
//! reset banner of a chip that it emulates is a restart, unless it is the first of its start. Its
//! network is the host's, its power is its process group, and its storage is the folder that it is
//! started in. What it has to know of the attempt it is told in its arguments and its environment, in
//! which `${broker.host}` and the other [values](Value) stand.

mod board;
mod run;
mod storage;

pub use crate::error::ProcessError;
pub use crate::rig::{ProcessLink, Text, TextError, Value};
pub use board::{ProcessBoard, ProcessSettings};

pub(crate) use run::is_there;
