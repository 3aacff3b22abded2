//! The scenario engine: expectations, and what runs the scenarios of [`language`].

pub mod attempt;
pub mod authority;
pub mod doctor;
pub mod expect;
pub mod external_broker;
pub mod mend;
pub mod run;
pub mod up;

/// The hidden subcommand that runs one attempt; the file of a [`run::Job`] follows.
pub const WORKER_COMMAND: &str = "__worker";
/// The hidden subcommand that is a device; factory data and flash follow.
pub const DEVICE_COMMAND: &str = "__device";
