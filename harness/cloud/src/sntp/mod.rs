//! A time server that tells the lab's time.

mod events;
mod message;
mod service;

pub use events::{TimeAnswered, TimeGarbage, TimeKept};
pub use service::{Sntp, SntpError, SntpFaults, SntpProbeError};
