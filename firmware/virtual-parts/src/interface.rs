//! One of the radio's two network interfaces, as embassy-net sees it.

use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::task::Context;

use airlink::{MAX_FRAME, Packet, Port};
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState};

use crate::Carrier;
use crate::shared::Shared;

/// One of a radio's two network interfaces.
#[derive(Debug)]
pub struct Interface<C> {
    shared: Rc<Shared<C>>,
    port: Port,
}

impl<C> Interface<C> {
    pub(crate) fn new(shared: Rc<Shared<C>>, port: Port) -> Self {
        Self { shared, port }
    }
}

impl<C: Carrier> Driver for Interface<C> {
    type RxToken<'t>
        = RxToken
    where
        Self: 't;
    type TxToken<'t>
        = TxToken<'t, C>
    where
        Self: 't;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(RxToken, TxToken<'_, C>)> {
        let state = self.shared.interface(self.port);
        let frame = state.borrow_mut().pop(context)?;
        Some((RxToken { frame }, TxToken { interface: self }))
    }

    /// Never waits: the carrier is faster than the radio that it stands for, and what it does not
    /// take is lost, as in the air.
    fn transmit(&mut self, _: &mut Context<'_>) -> Option<TxToken<'_, C>> {
        Some(TxToken { interface: self })
    }

    fn link_state(&mut self, context: &mut Context<'_>) -> LinkState {
        let state = self.shared.interface(self.port);
        state.borrow_mut().link_state(context)
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = MAX_FRAME;
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        let mut mac = self.shared.mac;
        if self.port == Port::SoftAp {
            mac[5] = mac[5].wrapping_add(1);
        }
        HardwareAddress::Ethernet(mac)
    }
}

/// A received frame.
#[derive(Debug)]
pub struct RxToken {
    frame: Vec<u8>,
}

impl embassy_net_driver::RxToken for RxToken {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, read: F) -> R {
        read(&mut self.frame)
    }
}

/// Leave to send a frame.
#[derive(Debug)]
pub struct TxToken<'i, C> {
    interface: &'i Interface<C>,
}

impl<C: Carrier> embassy_net_driver::TxToken for TxToken<'_, C> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let mut frame = vec![0; length];
        let result = write(&mut frame);
        let Interface { shared, port } = self.interface;
        if shared.interface(*port).borrow().is_up() {
            let packet = Packet { port: *port, frame };
            shared.carrier.send_or_lose(&packet);
        }
        result
    }
}
