//! The radio: its packets travel over the tether.

use std::rc::Rc;

use airlink::Packet;
use airlink::tether::FromDevice;
use virtual_parts::Carrier;

use crate::Tether;

/// A radio whose packets travel over the tether.
pub type Radio = virtual_parts::Radio<OverTether>;
/// A network driver of such a radio.
pub type Interface = virtual_parts::Interface<OverTether>;

/// The tether as carrier of the radio's packets; it has room for all of them.
#[derive(Debug)]
pub struct OverTether(Rc<Tether>);

impl OverTether {
    /// The carrier on this tether.
    pub fn new(tether: &Rc<Tether>) -> Self {
        Self(tether.clone())
    }
}

impl Carrier for OverTether {
    async fn send(&self, packet: &Packet) {
        self.send_or_lose(packet);
    }

    fn send_or_lose(&self, packet: &Packet) {
        self.0.send(&FromDevice::Packet(packet.encode()));
    }
}
