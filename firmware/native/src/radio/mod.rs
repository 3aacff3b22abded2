//! The radio: commands and events as control frames, data as frames, all over the tether.

mod interface;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use airlink::tether::FromDevice;
use airlink::{Notice, Packet, Port, Request, decode_notice, encode_request};
use device::board::{AccessPoint, Mode, RadioEvent};
use embassy_sync::waitqueue::WakerRegistration;

use crate::Tether;
pub use interface::Interface;
use interface::Line;

/// Events that wait for the firmware; when there are more, the oldest is lost.
const MAX_EVENTS: usize = 64;

/// A radio at whose other end is the lab's air; clones are the same radio.
#[derive(Clone, Debug)]
pub struct Radio {
    shared: Rc<Shared>,
}

#[derive(Debug)]
struct Shared {
    tether: Rc<Tether>,
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

impl Radio {
    /// The radio of the station address `mac`, switched off.
    pub fn new(tether: &Rc<Tether>, mac: [u8; 6]) -> Self {
        Self {
            shared: Rc::new(Shared {
                tether: tether.clone(),
                mac,
                station: RefCell::default(),
                soft_ap: RefCell::default(),
                events: RefCell::default(),
            }),
        }
    }

    /// The station's network driver.
    pub fn station(&self) -> Interface {
        Interface::new(self.shared.clone(), Port::Station)
    }

    /// The SoftAP's network driver.
    pub fn soft_ap(&self) -> Interface {
        Interface::new(self.shared.clone(), Port::SoftAp)
    }

    /// Takes a packet from the air. What is none is dropped, as noise is.
    pub fn receive(&self, bytes: &[u8]) {
        let Ok(packet) = Packet::decode(bytes) else {
            return;
        };
        if !packet.is_control() {
            self.shared
                .line(packet.port)
                .borrow_mut()
                .push(packet.frame);
            return;
        }
        if let Ok(notice) = decode_notice(&packet) {
            self.notice(notice);
        }
    }

    fn notice(&self, notice: Notice) {
        let event = match notice {
            Notice::Joined(access_point) => {
                self.set_link(Port::Station, true);
                RadioEvent::Joined(heard(access_point))
            }
            Notice::Left { reason } => {
                self.set_link(Port::Station, false);
                RadioEvent::Left { reason }
            }
            Notice::ScanDone(found) => RadioEvent::ScanDone(found.into_iter().map(heard).collect()),
            Notice::StationJoined(mac) => RadioEvent::StationJoined(mac),
            Notice::StationLeft(mac) => RadioEvent::StationLeft(mac),
        };
        let mut events = self.shared.events.borrow_mut();
        if events.queue.len() == MAX_EVENTS {
            events.queue.pop_front();
        }
        events.queue.push_back(event);
        events.waker.wake();
    }

    fn request(&self, request: &Request) {
        let packet = encode_request(request).encode();
        self.shared.tether.send(&FromDevice::Packet(packet));
    }

    fn set_link(&self, port: Port, up: bool) {
        self.shared.line(port).borrow_mut().set_link(up);
    }
}

impl device::board::Radio for Radio {
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
        }));
    }

    async fn join(&self, ssid: &[u8], passphrase: &str) {
        self.request(&Request::Join {
            ssid: ssid.to_vec(),
            passphrase: passphrase.to_owned(),
        });
    }

    async fn leave(&self) {
        self.set_link(Port::Station, false);
        self.request(&Request::Leave);
    }

    async fn scan(&self, channel: u8, passive: bool) {
        self.request(&Request::Scan { channel, passive });
    }

    async fn start_soft_ap(&self, ssid: &[u8], passphrase: &str, channel: u8, max_stations: u8) {
        self.request(&Request::StartSoftAp {
            ssid: ssid.to_vec(),
            passphrase: passphrase.to_owned(),
            channel,
            max_stations,
        });
        self.set_link(Port::SoftAp, true);
    }

    async fn stop_soft_ap(&self) {
        self.set_link(Port::SoftAp, false);
        self.request(&Request::StopSoftAp);
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

impl Shared {
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
