//! Other people's programs that flash, switch and look after boards, started within bounds.

mod descendants;
mod run;
mod switch;
mod template;

use std::io;
use std::time::Duration;

pub(crate) use descendants::{Killed, kill_family};
pub use run::Command;
pub(crate) use run::{die_with, ending};
pub use switch::SwitchCommands;
pub use template::{CommandTemplate, TemplateError};

/// A command did not do what it was there for.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no such program.
    #[error("there is no program `{program}`; install it, or write its whole path in rig.toml")]
    Missing {
        /// As rig.toml has it.
        program: String,
    },
    /// The host would not start it.
    #[error("failed to start `{command}`")]
    Start {
        /// The whole command line.
        command: String,
        /// Why.
        source: io::Error,
    },
    /// It ended, but badly.
    #[error(
        "`{command}` ended with {how}{}; run it by hand to see all it says",
        after(said)
    )]
    Ended {
        /// The whole command line.
        command: String,
        /// Exit code or signal.
        how: String,
        /// The end of what it wrote.
        said: String,
    },
    /// It did not end.
    #[error(
        "`{command}` had not ended after {} s and was killed{}; raise its `limit_s` in rig.toml if it needs longer",
        limit.as_secs(),
        after(said)
    )]
    TooSlow {
        /// The whole command line.
        command: String,
        /// The bound.
        limit: Duration,
        /// The end of what it wrote.
        said: String,
    },
}

/// The end of what a command wrote, as the rest of a sentence.
fn after(said: &str) -> String {
    if said.is_empty() {
        String::new()
    } else {
        format!(", having said: {said}")
    }
}
