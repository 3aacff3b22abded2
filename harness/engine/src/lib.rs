//! The scenario engine: its language, its expectations, and what runs them.

pub mod attempt;
pub mod authority;
pub mod doctor;
pub mod expect;
pub mod external_broker;
mod known;
pub mod language;
pub mod mend;
pub mod run;
pub mod up;

pub use known::{bugs, known};

/// The hidden subcommand that runs one attempt; the file of a [`run::Job`] follows.
pub const WORKER_COMMAND: &str = "__worker";
/// The hidden subcommand that is a device; factory data and flash follow.
pub const DEVICE_COMMAND: &str = "__device";
