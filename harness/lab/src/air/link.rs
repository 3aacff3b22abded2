//! The air's end of one device's radio.

use std::sync::Arc;

use super::Air;
use super::queue::FrameQueue;

/// The air's end of one device's radio: what the device sends goes in, what it hears comes out.
///
/// Packets are bytes of [`airlink::Packet::encode`].
#[derive(Clone)]
pub struct Link {
    air: Air,
    device: String,
    queue: Arc<FrameQueue>,
}

impl Link {
    pub(super) fn new(air: Air, device: &str) -> Self {
        Self {
            air,
            device: device.to_owned(),
            queue: Arc::default(),
        }
    }

    /// The device's name in the scenario.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// The radio gets power; no interface runs.
    pub fn power_on(&self) {
        self.queue.clear();
    }

    /// The radio goes dark: it leaves every network and its SoftAP is gone.
    pub fn power_off(&self) {
        self.queue.clear();
    }

    /// A packet from the device. Garbage is traced.
    pub fn from_device(&self, bytes: &[u8]) {
        let _ = bytes;
        self.air.trace().clock().touch();
    }

    /// The next packet for the device. Cancel safe.
    pub async fn to_device(&self) -> Vec<u8> {
        self.queue.pop().await
    }
}
