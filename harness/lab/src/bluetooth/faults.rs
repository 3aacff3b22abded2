//! What can be wrong with a Bluetooth radio on purpose.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What is wrong with a radio on purpose; the default is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RadioFaults {
    /// Nobody hears its advertising.
    pub unheard: bool,
    /// After so many more bytes of L2CAP, both ways, its connection is lost: both sides notice by
    /// their supervision timeout. Once that has happened, this fault is over.
    pub drop_after: Option<u64>,
    /// How strong others hear it, in dBm.
    pub rssi: i8,
    /// How much later everything arrives on its connections, in lab time.
    pub latency: Duration,
    /// Bytes of L2CAP in a second of lab time on each of its connections, each way.
    pub bytes_per_second: Option<u32>,
}

impl Default for RadioFaults {
    fn default() -> Self {
        Self {
            unheard: false,
            drop_after: None,
            rssi: -50,
            latency: Duration::ZERO,
            bytes_per_second: None,
        }
    }
}
