//! The virtual radio over any Ethernet controller: its packets travel as tagged frames
//! ([`airlink::ethernet`]) on one wire to the lab's air.

use core::cell::RefCell;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};

use airlink::{Packet, ethernet};
use embassy_net_driver::{Driver, RxToken, TxToken};
use embassy_sync::waitqueue::WakerRegistration;
use virtual_parts::Carrier;

/// Frames taken from the wire before other tasks get their turn.
const FRAMES_AT_ONCE: usize = 32;

/// A radio whose packets travel over the Ethernet controller `W`.
pub type Radio<W> = virtual_parts::Radio<Wire<W>>;
/// A network driver of such a radio.
pub type Interface<W> = virtual_parts::Interface<Wire<W>>;

/// An Ethernet controller as carrier of the radio's packets.
#[derive(Debug)]
pub struct Wire<W> {
    controller: RefCell<W>,
    /// Of [`serve`], the only task that the controller wakes.
    waker: RefCell<Waker>,
    /// The task that waits for room on the wire.
    on_room: RefCell<WakerRegistration>,
}

/// The radio of the station address `mac`, switched off. The controller must receive frames to any
/// address, and [`serve`] must run.
pub fn radio<W: Driver>(controller: W, mac: [u8; 6]) -> Radio<W> {
    let wire = Wire {
        controller: RefCell::new(controller),
        waker: RefCell::new(Waker::noop().clone()),
        on_room: RefCell::default(),
    };
    Radio::new(wire, mac)
}

/// Takes what comes over the wire, for ever. To be run by one task beside the firmware.
pub async fn serve<W: Driver>(radio: &Radio<W>) -> ! {
    poll_fn(|context| radio.carrier().receive(context, radio)).await
}

impl<W: Driver> Wire<W> {
    fn receive<T>(&self, context: &mut Context<'_>, radio: &Radio<W>) -> Poll<T> {
        self.waker.borrow_mut().clone_from(context.waker());
        // Room is one of the reasons for which the controller wakes.
        self.on_room.borrow_mut().wake();
        for _ in 0..FRAMES_AT_ONCE {
            let mut controller = self.controller.borrow_mut();
            let Some((received, _)) = controller.receive(context) else {
                return Poll::Pending;
            };
            // A frame without a packet is dropped, as noise is.
            let packet = received.consume(|frame| ethernet::untag(frame));
            drop(controller);
            if let Ok(packet) = packet {
                radio.receive(packet);
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether the frame was sent; if not, the wire has no room and wakes [`serve`] later.
    fn transmit(&self, frame: &[u8]) -> bool {
        let waker = self.waker.borrow();
        let mut controller = self.controller.borrow_mut();
        let Some(token) = controller.transmit(&mut Context::from_waker(&waker)) else {
            return false;
        };
        token.consume(frame.len(), |place| place.copy_from_slice(frame));
        true
    }
}

impl<W: Driver> Carrier for Wire<W> {
    async fn send(&self, packet: &Packet) {
        let frame = ethernet::tag(packet);
        poll_fn(|context| {
            if self.transmit(&frame) {
                return Poll::Ready(());
            }
            self.on_room.borrow_mut().register(context.waker());
            Poll::Pending
        })
        .await;
    }

    fn send_or_lose(&self, packet: &Packet) {
        self.transmit(&ethernet::tag(packet));
    }
}
