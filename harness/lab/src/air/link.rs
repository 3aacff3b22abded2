//! The air's end of one device's radio.

use std::sync::Arc;

use airlink::Packet;

use super::Air;
use super::queue::FrameQueue;

/// The air's end of one device's radio: what the device sends goes in, what it hears comes out.
///
/// Packets are bytes of [`airlink::Packet::encode`].
#[derive(Clone)]
pub struct RadioLink {
    air: Air,
    device: String,
    queue: Arc<FrameQueue>,
}

impl RadioLink {
    pub(super) fn new(air: Air, device: &str, queue: Arc<FrameQueue>) -> Self {
        Self {
            air,
            device: device.to_owned(),
            queue,
        }
    }

    /// The device's name in the scenario.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// The radio gets power; no interface runs.
    pub fn power_on(&self) {
        self.air.inner.power(&self.device, true);
    }

    /// The radio goes dark: it leaves every network and its SoftAP is gone.
    pub fn power_off(&self) {
        self.air.inner.power(&self.device, false);
    }

    /// A packet from the device. Garbage is traced as [`board::Garbage`] and goes no further; so do
    /// frames of an interface that is on no network, untraced.
    pub fn from_device(&self, bytes: &[u8]) {
        let air = &self.air.inner;
        air.clock().touch();
        let packet = match Packet::decode(bytes) {
            Ok(packet) => packet,
            Err(error) => return air.garbage(&self.device, &error.to_string(), bytes),
        };
        if !packet.is_control() {
            return air.frame(&self.device, packet);
        }
        match airlink::decode_request(&packet) {
            Ok(request) => air.request(&self.device, request),
            Err(error) => air.garbage(&self.device, &error.to_string(), bytes),
        }
    }

    /// The next packet for the device. Cancel safe; for one receiver.
    pub async fn to_device(&self) -> Vec<u8> {
        self.queue.pop().await
    }
}
