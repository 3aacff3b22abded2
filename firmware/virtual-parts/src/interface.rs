//! One of the radio's two network interfaces, as embassy-net sees it.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::task::Context;

use airlink::{MAX_FRAME, Packet, Port};
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState};
use embassy_sync::waitqueue::WakerRegistration;

use crate::Carrier;
use crate::radio::Shared;

/// Frames that wait for the stack; a radio that is given more loses them.
const MAX_RECEIVED: usize = 64;

/// One of a radio's two network interfaces.
#[derive(Debug)]
pub struct Interface<C> {
    shared: Rc<Shared<C>>,
    port: Port,
}

/// State of one interface: its link, and the frames that wait for the stack.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    up: bool,
    received: VecDeque<Vec<u8>>,
    on_frame: WakerRegistration,
    on_link: WakerRegistration,
}

impl Ends {
    /// A frame has come. It is lost while the link is down or the queue is full.
    pub(crate) fn push(&mut self, frame: Vec<u8>) {
        if self.up && self.received.len() < MAX_RECEIVED {
            self.received.push_back(frame);
            self.on_frame.wake();
        }
    }

    pub(crate) fn set_link(&mut self, up: bool) {
        if self.up != up {
            self.up = up;
            self.received.clear();
            self.on_link.wake();
        }
    }
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
        let mut ends = self.shared.ends(self.port).borrow_mut();
        let Some(frame) = ends.received.pop_front() else {
            ends.on_frame.register(context.waker());
            return None;
        };
        drop(ends);
        Some((RxToken { frame }, TxToken { interface: self }))
    }

    /// Never waits: the carrier is faster than the radio that it stands for, and what it does not
    /// take is lost, as in the air.
    fn transmit(&mut self, _: &mut Context<'_>) -> Option<TxToken<'_, C>> {
        Some(TxToken { interface: self })
    }

    fn link_state(&mut self, context: &mut Context<'_>) -> LinkState {
        let mut ends = self.shared.ends(self.port).borrow_mut();
        ends.on_link.register(context.waker());
        if ends.up {
            LinkState::Up
        } else {
            LinkState::Down
        }
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
        if shared.ends(*port).borrow().up {
            let packet = Packet { port: *port, frame };
            shared.carrier.send_or_lose(&packet);
        }
        result
    }
}
