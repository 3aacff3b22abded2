//! The ordered record of everything that happened, from every source, on one clock.
//!
//! Sources append typed events ([`Payload`]) through a [`Trace`]; readers (expectations, reports,
//! diagnosis) never touch a source. Every event passes the [`Secrets`] of the run on its way in, so
//! that no passphrase, proof of possession, key or token is ever stored.

#[macro_use]
mod payload;

pub mod air;
pub mod board;
pub mod catalogue;
pub mod coap;
mod data;
pub mod engine;
mod error_text;
mod event;
pub mod linkkit;
pub mod log;
pub mod mqtt;
pub mod provisioning;
mod read;
mod record;
mod secrets;
pub mod sntp;
mod ssid;
mod store;
pub mod thingsboard;
pub mod tls;
pub mod web;
pub mod witness;

pub use board::{
    Exited, FirmwareBooted, Garbage, ImageFlashed, Power, PowerChanged, Resources, RestartCause,
    Restarted, Spinning, Switching, UnreadLines,
};
pub use data::Data;
pub use engine::{
    BoardSetup, ContractBroken, ContractsJudged, Failure, Fault, Finished, FirmwareFile, Nearest,
    Place, Setup, Started, StepEnded, StepStarted, Verdict,
};
pub use error_text::in_full;
pub use event::{Event, Line, Source};
pub use log::{CodePlace, Level, LogLine};
pub use payload::Payload;
pub use read::{ReadError, read, read_from};
pub use record::{CreateError, Events, Gather, Trace};
pub use secrets::Secrets;
pub use ssid::{Ssid, SsidError};
pub use witness::{Witness, WitnessReport};

/// Version of the trace file's format; stands in its first event.
pub const FORMAT_VERSION: u32 = 1;
