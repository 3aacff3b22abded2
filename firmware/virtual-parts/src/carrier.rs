//! The way of a radio's packets to the air.

use airlink::Packet;

/// How the packets of a radio travel to the air.
pub trait Carrier {
    /// Sends a packet, once there is room for it. Packets of one caller keep their order.
    async fn send(&self, packet: &Packet);

    /// Sends a packet if there is room for it now; otherwise it is lost, as in the air.
    fn send_or_lose(&self, packet: &Packet);
}
