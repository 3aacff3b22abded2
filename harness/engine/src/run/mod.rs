//! Running cases, each attempt in a worker process of its own.
//!
//! A [`Plan`] says what to run. [`run`] starts workers (children of this executable, or of
//! another that [`Settings`] names), follows their traces, ends those that hang, judges how each
//! ended, and tells a [`report::Reporter`] about it. A worker knows nothing but its [`Job`].
//!
//! Everything that a run writes stands in its folder:
//! ```text
//! proving-out/20260301T120000Z-4711/
//!   summary.json                 the RunSummary
//!   softap_happy.security-v1/    one folder per case
//!     1/                         one per attempt
//!       job.json  trace.jsonl  worker.out  worker.err
//! ```

mod around;
mod around_firmware;
mod boards;
mod cases;
mod checkups;
mod conditions;
mod dispatch;
mod folder;
mod group;
mod job;
mod judge;
mod pcap;
mod plan;
mod setup;
mod signals;
mod turns;
mod worker;

pub use around::InRig;
pub use boards::{BoardKind, BoardModel, BrokenProbe};
pub use checkups::{Checkup, Recheck};
pub use dispatch::run;
pub use folder::FolderError;
pub use job::{Job, JobError};
pub use pcap::Pcap;
pub use plan::{Case, Flash, Plan, Settings};
pub use worker::private_bus;

/// A run could not be started or its summary not be written.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The run's folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The handlers that let the run end in order.
    #[error("failed to install the signal handlers")]
    Signals(#[source] std::io::Error),
    /// The summary; every case was judged and reported nevertheless.
    #[error("failed to write {}", path.display())]
    Summary {
        /// The summary's file.
        path: std::path::PathBuf,
        /// Why it could not be written.
        source: std::io::Error,
    },
}
