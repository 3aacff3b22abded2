//! What a device's station does.

use super::segment::Port;

/// What a station does.
pub(super) enum Station {
    Idle,
    Joining {
        ssid: Vec<u8>,
    },
    Joined {
        role: String,
        ssid: Vec<u8>,
        port: Port,
    },
    /// The access point is gone, the station has not noticed.
    Lost {
        ssid: Vec<u8>,
    },
}
