//! A log in, its cause out: the stage that a device reached on its way online, what proves it, the first
//! cause of its failure, and what to do next.
//!
//! Rules are data, in files of `rules/` by stage. A log is read once, line by line, in memory that does
//! not grow with it. What was recovered from is history, what follows an open problem is its consequence,
//! and a log that tells nothing gets no cause.
//!
//! ```
//! let mut log = diagnose::Log::new("device.log");
//! log.line(b"I (500) wifi:state: init -> auth (b0)");
//! log.line(b"I (4512) wifi:state: run -> init (f00)");
//! log.line(b"W (4513) app: Disconnected, reason 15: 4WAY_HANDSHAKE_TIMEOUT");
//! let diagnosis = log.end();
//! assert_eq!(diagnosis.causes[0].stage, diagnose::Stage::Join);
//! ```

mod advertised;
mod before;
mod beside;
mod binary;
mod branch;
mod changed;
mod codes;
mod compared;
mod cut_short;
mod decode;
mod diagnosis;
mod exchange;
mod expression;
mod expressions;
mod foretold;
mod glance;
mod gone;
mod heap;
mod heard;
mod human;
mod incident;
mod journal;
mod kind;
mod literals;
mod log;
mod meant;
mod names;
mod peers;
mod power_loss;
mod radio;
mod ranking;
mod registration;
mod replies;
mod required;
mod rules;
mod signal;
mod spelled;
mod stage;
mod subject;
mod supply;
mod unnamed;
mod unreadable;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "in tests a panic is the message")]
mod unseen;
mod visitors;
mod waiting;
mod watch;
mod whose;
mod withdrawn;

pub use decode::{Reading, decode};
pub use diagnosis::{Attempt, Cause, Certainty, Diagnosis, Evidence, Milestone, Past, RuledOut};
pub use human::to_text;
pub use incident::{Incident, Named};
pub use kind::Kind;
pub use log::{Log, is_telling};
pub use rules::{Example, RuleText, examples};
pub use stage::Stage;
