//! A board behind a debug probe, by way of probe-rs.
//!
//! probe-rs blocks, and some of its drivers wait for ever. So everything that touches a probe is
//! done on a thread of its own ([`worker`]), every call on that thread has a bound in the host's
//! time, and a thread that does not answer is left behind: that costs the attempt, and nothing else.
//!
//! What the firmware logs is read from the first instruction on; [`boot`] says how.

mod backtrace;
mod board;
mod boot;
mod channels;
mod commands;
mod crash;
mod device;
mod event;
mod flash;
mod open;
mod settings;
mod worker;

pub use crate::error::ProbeError;
pub use board::ProbeBoard;
pub use commands::{Answer, Flashed, LogStream, Progress, ask, flash, log};
pub use event::ProbeEvent;
pub use open::{Attached, list, whole_selector};
pub use settings::{Attach, Limits, LogFormat, ProbeSettings};
pub use trace::board::{Crash, Frame};

pub(crate) use boot::{End, HALT, Start};
pub(crate) use commands::deaf;
pub(crate) use crash::here;
pub(crate) use device::Device;
pub(crate) use worker::Worker;
