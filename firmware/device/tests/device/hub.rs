//! An Ethernet hub, and network drivers plugged into it.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Waker};

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};

/// Everybody hears everybody else.
#[derive(Clone, Default)]
pub struct Hub(Rc<RefCell<Vec<Rc<Port>>>>);

#[derive(Default)]
struct Port {
    received: RefCell<VecDeque<Vec<u8>>>,
    waker: RefCell<Option<Waker>>,
    up: Cell<bool>,
}

impl Port {
    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl Hub {
    /// Plugs in; the link is down.
    pub fn plug(&self, mac: [u8; 6]) -> Plug {
        let port = Rc::<Port>::default();
        self.0.borrow_mut().push(port.clone());
        Plug {
            hub: self.clone(),
            port,
            mac,
        }
    }

    fn send(&self, from: &Rc<Port>, frame: &[u8]) {
        let others = self.0.borrow();
        for port in others.iter().filter(|port| !Rc::ptr_eq(port, from)) {
            if from.up.get() && port.up.get() {
                port.received.borrow_mut().push_back(frame.to_vec());
                port.wake();
            }
        }
    }
}

/// One end of a cable to the hub.
#[derive(Clone)]
pub struct Plug {
    hub: Hub,
    port: Rc<Port>,
    mac: [u8; 6],
}

impl Plug {
    pub fn set_link(&self, up: bool) {
        self.port.up.set(up);
        self.port.wake();
    }
}

impl Driver for Plug {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sender<'a>;

    fn receive(&mut self, cx: &mut Context<'_>) -> Option<(Received, Sender<'_>)> {
        *self.port.waker.borrow_mut() = Some(cx.waker().clone());
        let frame = self.port.received.borrow_mut().pop_front()?;
        Some((Received(frame), Sender(self)))
    }

    fn transmit(&mut self, _: &mut Context<'_>) -> Option<Sender<'_>> {
        Some(Sender(self))
    }

    fn link_state(&mut self, cx: &mut Context<'_>) -> LinkState {
        *self.port.waker.borrow_mut() = Some(cx.waker().clone());
        match self.port.up.get() {
            true => LinkState::Up,
            false => LinkState::Down,
        }
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = 1514;
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.mac)
    }
}

pub struct Received(Vec<u8>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, f: F) -> R {
        f(&mut self.0)
    }
}

pub struct Sender<'a>(&'a Plug);

impl TxToken for Sender<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let mut frame = vec![0; length];
        let result = f(&mut frame);
        self.0.hub.send(&self.0.port, &frame);
        result
    }
}
