//! The ordered record of everything that happened, from every source, on one clock.
//!
//! Sources append typed events ([`Payload`]) through a [`Trace`]; readers (expectations, reports,
//! diagnosis) never touch a source. Every event passes the [`Secrets`] of the run on its way in, so
//! that no passphrase, proof of possession, key or token is ever stored.

mod board;
mod data;
mod event;
mod payload;
mod read;
mod record;
mod secrets;
mod ssid;
mod steps;

pub use board::{Exited, Garbage, ImageFlashed, Power, PowerChanged, RestartCause, Restarted};
pub use data::Data;
pub use event::{Event, Line, Source};
pub use payload::{
    CodePlace, Fault, Level, LogLine, Payload, Started, Verdict, Witness, WitnessReport,
};
pub use read::{ReadError, read, read_from};
pub use record::{CreateError, Gather, Trace};
pub use secrets::Secrets;
pub use ssid::{Ssid, SsidError};
pub use steps::{Failure, Finished, Nearest, Place, StepEnded, StepStarted};

/// Version of the trace file's format; stands in its first event.
pub const FORMAT_VERSION: u32 = 1;
