//! The virtual radio on any Ethernet controller: commands and events as control frames, data as
//! tagged frames ([`airlink::ethernet`]), all over one wire to the lab's air.

mod interface;

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::string::ToString;
use core::cell::RefCell;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};

use airlink::{Notice, Packet, Port, Request, decode_notice, encode_request, ethernet};
use device::board::{AccessPoint, Mode, RadioEvent};
use embassy_net_driver::{Driver, RxToken, TxToken};
use embassy_sync::waitqueue::WakerRegistration;

pub use interface::Interface;
use interface::Line;

/// Events that wait for the firmware; when there are more, the oldest is lost.
const MAX_EVENTS: usize = 64;
/// Frames taken from the wire before others get their turn.
const FRAMES_AT_ONCE: usize = 32;

/// A radio at the other end of whose wire is the lab's air; clones are the same radio.
#[derive(Debug)]
pub struct Radio<W> {
    shared: Rc<Shared<W>>,
}

#[derive(Debug)]
struct Shared<W> {
    wire: RefCell<W>,
    /// Of [`Radio::run`], the only task that the wire wakes.
    wire_waker: RefCell<Waker>,
    /// Whoever waits for room on the wire.
    on_room: RefCell<WakerRegistration>,
    mac: [u8; 6],
    station: RefCell<Line>,
    soft_ap: RefCell<Line>,
    events: RefCell<Events>,
}

#[derive(Debug, Default)]
struct Events {
    queue: VecDeque<RadioEvent>,
    waker: WakerRegistration,
}

impl<W> Clone for Radio<W> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<W: Driver> Radio<W> {
    /// The radio of the station address `mac`, switched off. The wire must receive frames to any
    /// address.
    pub fn new(wire: W, mac: [u8; 6]) -> Self {
        Self {
            shared: Rc::new(Shared {
                wire: RefCell::new(wire),
                wire_waker: RefCell::new(Waker::noop().clone()),
                on_room: RefCell::default(),
                mac,
                station: RefCell::default(),
                soft_ap: RefCell::default(),
                events: RefCell::default(),
            }),
        }
    }

    /// The station's network driver.
    pub fn station(&self) -> Interface<W> {
        Interface::new(self.shared.clone(), Port::Station)
    }

    /// The SoftAP's network driver.
    pub fn soft_ap(&self) -> Interface<W> {
        Interface::new(self.shared.clone(), Port::SoftAp)
    }

    /// Takes what comes over the wire, for ever. To be run by one task beside the firmware.
    pub async fn run(&self) -> ! {
        poll_fn(|context| self.shared.receive(context)).await
    }

    async fn request(&self, request: &Request) {
        let frame = ethernet::tag(&encode_request(request));
        poll_fn(|context| {
            if self.shared.send(&frame) {
                return Poll::Ready(());
            }
            self.shared.on_room.borrow_mut().register(context.waker());
            Poll::Pending
        })
        .await;
    }

    fn set_link(&self, port: Port, up: bool) {
        self.shared.line(port).borrow_mut().set_link(up);
    }
}

impl<W: Driver> device::board::Radio for Radio<W> {
    async fn set_mode(&self, mode: Mode) {
        if !matches!(mode, Mode::Station | Mode::Both) {
            self.set_link(Port::Station, false);
        }
        if !matches!(mode, Mode::SoftAp | Mode::Both) {
            self.set_link(Port::SoftAp, false);
        }
        self.request(&Request::SetMode(match mode {
            Mode::Off => airlink::Mode::Off,
            Mode::Station => airlink::Mode::Station,
            Mode::SoftAp => airlink::Mode::SoftAp,
            Mode::Both => airlink::Mode::Both,
        }))
        .await;
    }

    async fn join(&self, ssid: &[u8], passphrase: &str) {
        self.request(&Request::Join {
            ssid: ssid.to_vec(),
            passphrase: passphrase.to_string(),
        })
        .await;
    }

    async fn leave(&self) {
        self.set_link(Port::Station, false);
        self.request(&Request::Leave).await;
    }

    async fn scan(&self, channel: u8, passive: bool) {
        self.request(&Request::Scan { channel, passive }).await;
    }

    async fn start_soft_ap(&self, ssid: &[u8], passphrase: &str, channel: u8, max_stations: u8) {
        self.request(&Request::StartSoftAp {
            ssid: ssid.to_vec(),
            passphrase: passphrase.to_string(),
            channel,
            max_stations,
        })
        .await;
        self.set_link(Port::SoftAp, true);
    }

    async fn stop_soft_ap(&self) {
        self.set_link(Port::SoftAp, false);
        self.request(&Request::StopSoftAp).await;
    }

    async fn event(&self) -> RadioEvent {
        poll_fn(|context| {
            let mut events = self.shared.events.borrow_mut();
            if let Some(event) = events.queue.pop_front() {
                return Poll::Ready(event);
            }
            events.waker.register(context.waker());
            Poll::Pending
        })
        .await
    }
}

impl<W: Driver> Shared<W> {
    fn receive<T>(&self, context: &mut Context<'_>) -> Poll<T> {
        self.wire_waker.borrow_mut().clone_from(context.waker());
        // Room is one of the reasons for which the wire wakes.
        self.on_room.borrow_mut().wake();
        for _ in 0..FRAMES_AT_ONCE {
            let mut wire = self.wire.borrow_mut();
            let Some((received, _)) = wire.receive(context) else {
                return Poll::Pending;
            };
            // What is no packet is dropped, as noise is.
            let packet = received.consume(|frame| ethernet::untag(frame));
            drop(wire);
            if let Ok(packet) = packet {
                self.take(packet);
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    fn take(&self, packet: Packet) {
        if !packet.is_control() {
            self.line(packet.port).borrow_mut().push(packet.frame);
        } else if let Ok(notice) = decode_notice(&packet) {
            self.notice(notice);
        }
    }

    fn notice(&self, notice: Notice) {
        let station = &self.station;
        let event = match notice {
            Notice::Joined(access_point) => {
                station.borrow_mut().set_link(true);
                RadioEvent::Joined(heard(access_point))
            }
            Notice::Left { reason } => {
                station.borrow_mut().set_link(false);
                RadioEvent::Left { reason }
            }
            Notice::ScanDone(found) => RadioEvent::ScanDone(found.into_iter().map(heard).collect()),
            Notice::StationJoined(mac) => RadioEvent::StationJoined(mac),
            Notice::StationLeft(mac) => RadioEvent::StationLeft(mac),
        };
        let mut events = self.events.borrow_mut();
        if events.queue.len() == MAX_EVENTS {
            events.queue.pop_front();
        }
        events.queue.push_back(event);
        events.waker.wake();
    }

    /// Whether the frame was sent; if not, the wire has no room and wakes [`Radio::run`] later.
    fn send(&self, frame: &[u8]) -> bool {
        let waker = self.wire_waker.borrow();
        let mut wire = self.wire.borrow_mut();
        let Some(token) = wire.transmit(&mut Context::from_waker(&waker)) else {
            return false;
        };
        token.consume(frame.len(), |place| place.copy_from_slice(frame));
        true
    }

    fn line(&self, port: Port) -> &RefCell<Line> {
        match port {
            Port::Station => &self.station,
            Port::SoftAp => &self.soft_ap,
        }
    }
}

fn heard(access_point: airlink::AccessPoint) -> AccessPoint {
    AccessPoint {
        ssid: access_point.ssid,
        bssid: access_point.bssid,
        channel: access_point.channel,
        rssi: access_point.rssi,
        auth: access_point.auth as u8,
    }
}
