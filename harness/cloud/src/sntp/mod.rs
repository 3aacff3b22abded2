//! A time server that tells the lab's time.

mod message;
mod service;

pub use service::{Sntp, SntpError, SntpFaults, SntpProbeError, Unusable};
pub use trace::sntp::{TimeAnswered, TimeGarbage, TimeKept};
