//! What a radio and its two interfaces share.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::task::{Context, Poll};

use airlink::Port;
use device::board::RadioEvent;
use embassy_net_driver::LinkState;
use embassy_sync::waitqueue::WakerRegistration;

/// Events that wait for the firmware; when there are more, the oldest is lost.
const MAX_EVENTS: usize = 64;
/// Frames that wait for the stack; a radio that is given more loses them.
const MAX_RECEIVED: usize = 64;

/// The state of one radio.
#[derive(Debug)]
pub(crate) struct Shared<C> {
    pub(crate) carrier: C,
    /// Of the station; the SoftAP's is one more.
    pub(crate) mac: [u8; 6],
    pub(crate) events: RefCell<Events>,
    station: RefCell<InterfaceState>,
    soft_ap: RefCell<InterfaceState>,
}

impl<C> Shared<C> {
    pub(crate) fn new(carrier: C, mac: [u8; 6]) -> Self {
        Self {
            carrier,
            mac,
            events: RefCell::default(),
            station: RefCell::default(),
            soft_ap: RefCell::default(),
        }
    }

    pub(crate) fn interface(&self, port: Port) -> &RefCell<InterfaceState> {
        match port {
            Port::Station => &self.station,
            Port::SoftAp => &self.soft_ap,
        }
    }
}

/// Events that wait for the firmware.
#[derive(Debug, Default)]
pub(crate) struct Events {
    queue: VecDeque<RadioEvent>,
    waker: WakerRegistration,
}

impl Events {
    pub(crate) fn push(&mut self, event: RadioEvent) {
        if self.queue.len() == MAX_EVENTS {
            self.queue.pop_front();
        }
        self.queue.push_back(event);
        self.waker.wake();
    }

    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<RadioEvent> {
        if let Some(event) = self.queue.pop_front() {
            return Poll::Ready(event);
        }
        self.waker.register(context.waker());
        Poll::Pending
    }
}

/// The state of one interface: its link, and the frames that wait for the stack.
#[derive(Debug, Default)]
pub(crate) struct InterfaceState {
    up: bool,
    received: VecDeque<Vec<u8>>,
    on_frame: WakerRegistration,
    on_link: WakerRegistration,
}

impl InterfaceState {
    pub(crate) fn is_up(&self) -> bool {
        self.up
    }

    pub(crate) fn set_link(&mut self, up: bool) {
        if self.up != up {
            self.up = up;
            self.received.clear();
            self.on_link.wake();
        }
    }

    /// The link's state; the context is woken when it changes.
    pub(crate) fn link_state(&mut self, context: &mut Context<'_>) -> LinkState {
        self.on_link.register(context.waker());
        if self.up {
            LinkState::Up
        } else {
            LinkState::Down
        }
    }

    /// A frame has come. It is lost while the link is down or the queue is full.
    pub(crate) fn push(&mut self, frame: Vec<u8>) {
        if self.up && self.received.len() < MAX_RECEIVED {
            self.received.push_back(frame);
            self.on_frame.wake();
        }
    }

    /// The oldest frame; if there is none, the context is woken by the next.
    pub(crate) fn pop(&mut self, context: &mut Context<'_>) -> Option<Vec<u8>> {
        let frame = self.received.pop_front();
        if frame.is_none() {
            self.on_frame.register(context.waker());
        }
        frame
    }
}
