//! The radio on an Ethernet controller that sometimes has no room.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Waker};

use airlink::{
    AccessPoint, AuthMode, Notice, Packet, Request, decode_request, encode_notice, ethernet,
};
use device::board::{Radio as _, RadioEvent};
use embassy_futures::{block_on, poll_once};
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embedded::radio::{radio, serve};

/// A controller, and what a test sees of it.
#[derive(Clone, Default)]
struct Controller(Rc<RefCell<Ends>>);

#[derive(Default)]
struct Ends {
    room: usize,
    sent: Vec<Vec<u8>>,
    coming: VecDeque<Vec<u8>>,
}

struct Received(Vec<u8>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, read: F) -> R {
        read(&mut self.0)
    }
}

struct Room(Controller);

impl TxToken for Room {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let mut frame = vec![0; length];
        let result = write(&mut frame);
        let mut ends = self.0.0.borrow_mut();
        ends.room -= 1;
        ends.sent.push(frame);
        result
    }
}

impl Driver for Controller {
    type RxToken<'t> = Received;
    type TxToken<'t> = Room;

    fn receive(&mut self, _: &mut Context<'_>) -> Option<(Received, Room)> {
        let frame = self.0.borrow_mut().coming.pop_front()?;
        Some((Received(frame), Room(self.clone())))
    }

    fn transmit(&mut self, _: &mut Context<'_>) -> Option<Room> {
        (self.0.borrow().room > 0).then(|| Room(self.clone()))
    }

    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet([2; 6])
    }
}

impl Controller {
    fn comes(&self, packet: &Packet) {
        self.0.borrow_mut().coming.push_back(ethernet::tag(packet));
    }
}

#[test]
fn a_request_waits_for_room_and_a_frame_is_lost_without_it() {
    let controller = Controller::default();
    let radio = radio(controller.clone(), [2; 6]);
    controller.comes(&encode_notice(&Notice::Joined(AccessPoint {
        ssid: b"home".to_vec(),
        bssid: [6; 6],
        channel: 6,
        rssi: -41,
        auth: AuthMode::Open,
    })));
    assert!(poll_once(serve(&radio)).is_pending());
    assert!(matches!(block_on(radio.event()), RadioEvent::Joined(_)));

    let mut station = radio.station();
    let mut context = Context::from_waker(Waker::noop());
    let mut send = || {
        let token = station.transmit(&mut context).expect("never waits");
        token.consume(60, |frame| frame.fill(7));
    };
    send();
    assert!(controller.0.borrow().sent.is_empty());

    let mut leave = Box::pin(radio.leave());
    assert!(poll_once(&mut leave).is_pending());
    controller.0.borrow_mut().room = 1;
    block_on(leave);
    let sent = std::mem::take(&mut controller.0.borrow_mut().sent);
    let requests: Vec<Request> = sent
        .iter()
        .map(|frame| decode_request(&ethernet::untag(frame).expect("tagged")).expect("a request"))
        .collect();
    assert_eq!(requests, [Request::Leave]);
}

#[test]
fn noise_on_the_wire_is_dropped_and_what_follows_is_read() {
    let controller = Controller::default();
    let radio = radio(controller.clone(), [2; 6]);
    controller.0.borrow_mut().coming.push_back(vec![9; 60]);
    controller.0.borrow_mut().coming.push_back(Vec::new());
    controller.comes(&encode_notice(&Notice::StationJoined([7; 6])));
    assert!(poll_once(serve(&radio)).is_pending());
    assert_eq!(block_on(radio.event()), RadioEvent::StationJoined([7; 6]));
}
