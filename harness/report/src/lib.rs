//! Readers of the trace that write for people and machines.
//!
//! What a run came to stands in [`RunSummary`]; what happens on the way reaches a [`Reporter`] as
//! one [`Message`] after the other. [`Human`] writes for people, [`Json`] for machines, [`junit`]
//! for CI services, and [`Show`] renders single traces.

mod conditions;
mod event_text;
mod excerpt;
mod failure;
pub mod github;
mod html;
mod human;
mod json;
pub mod junit;
pub mod ledger;
mod live;
mod message;
mod paint;
mod perfetto;
mod quarantine;
mod result;
mod setup;
mod show;
mod skips;
mod whole_file;

pub use conditions::Conditions;
pub use event_text::{lab_time, text_of};
pub use failure::failure_block;
pub use github::GitHub;
pub use html::{HtmlError, PageSection, html_of_run, html_of_run_with, html_of_traces};
pub use human::Human;
pub use json::Json;
pub use message::{Message, Reporter, Silent};
pub use paint::Paint;
pub use perfetto::perfetto_of;
pub use quarantine::Quarantine;
pub use result::{AttemptResult, CaseResult, Counts, ExitStatus, RunSummary};
pub use show::{Show, ShowError};
pub use whole_file::{prepare, write_whole};

/// Version of the JSON messages and of `summary.json`; raised when a field changes its meaning or
/// goes away, not when one is added.
pub const FORMAT_VERSION: u32 = 1;
