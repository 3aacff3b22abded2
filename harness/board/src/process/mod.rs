//! Any program of this host as the device: `kind = "process"` in rig.toml.
//!
//! What it writes to standard output and standard error is its log, read like that of a UART. Its
//! network is the host's, its power is its process group, and its storage is the folder that it is
//! started in. What it has to know of the attempt it is told in its arguments and its environment, in
//! which `${broker.host}` and the other [values](Value) stand.

mod board;
mod error;
mod run;
mod storage;
mod text;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::rig::SerialLog;

pub use board::{ProcessBoard, ProcessSettings};
pub use error::ProcessError;
pub use text::{Text, TextError, Value};

/// A program that is a device, as rig.toml has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessLink {
    /// The program and its arguments; the program is plain text.
    pub command: Vec<Text>,
    /// Variables, on top of those that the harness has.
    pub environment: BTreeMap<String, Text>,
    /// Where it is started, and what it keeps when it has no power. Without one, it gets a new one in
    /// each attempt.
    pub folder: Option<PathBuf>,
    /// The form of its log.
    pub log: SerialLog,
    /// The folder of the rig file, from which a program with a slash in its name is found.
    pub base: PathBuf,
}

impl ProcessLink {
    /// Whether the program is told `value`.
    pub fn mentions(&self, value: Value) -> bool {
        let texts = self.command.iter().chain(self.environment.values());
        texts.into_iter().any(|text| text.mentions(value))
    }

    /// The program, as it is started.
    pub fn program(&self) -> PathBuf {
        let name = self.command.first().map(Text::to_string);
        let name = name.unwrap_or_default();
        if name.contains('/') {
            self.base.join(name)
        } else {
            name.into()
        }
    }
}
