//! Events of the lab's self-checks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

payloads! {
    Witness:
    WitnessReport => "report",
}

/// A part of the lab that is checked while a scenario runs.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Witness {
    /// The host ran the lab in time.
    Host,
    /// The board's link to the lab is up.
    BoardLink,
    /// The broker accepts and answers.
    Broker,
    /// The air forwards frames.
    Air,
    /// The time server answers.
    TimeServer,
    /// The trace can be written.
    Trace,
}

/// What a witness saw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WitnessReport {
    /// Which part of the lab.
    pub witness: Witness,
    /// Whether it did its work.
    pub sound: bool,
    /// What was seen.
    pub detail: String,
}
