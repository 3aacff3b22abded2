//! The commands of a switch.

use std::time::Duration;

use super::CommandTemplate;

/// How a board's power is switched by commands: `[power.NAME]` in rig.toml.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchCommands {
    /// Gives power.
    pub on: CommandTemplate,
    /// Takes it away.
    pub off: CommandTemplate,
    /// How long a board without power takes until all of it is dark.
    pub discharge: Duration,
}
