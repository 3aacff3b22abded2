//! The radio: commands and events as control frames, data as frames, to and from the lab's air.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::string::ToString;
use core::cell::RefCell;
use core::future::poll_fn;
use core::task::Poll;

use airlink::{Notice, Packet, Port, Request, decode_notice, encode_request};
use device::board::{AccessPoint, Mode, RadioEvent};
use embassy_sync::waitqueue::WakerRegistration;

use crate::Interface;
use crate::interface::Ends;

/// Events that wait for the firmware; when there are more, the oldest is lost.
const MAX_EVENTS: usize = 64;

/// How the packets of a radio travel to the air.
pub trait Carrier {
    /// Sends a packet, once there is room for it. Packets of one caller keep their order.
    async fn send(&self, packet: &Packet);

    /// Sends a packet if there is room for it now; otherwise it is lost, as in the air.
    fn send_or_lose(&self, packet: &Packet);
}

/// A radio at the other end of whose carrier is the lab's air; clones are the same radio.
#[derive(Debug)]
pub struct Radio<C> {
    shared: Rc<Shared<C>>,
}

#[derive(Debug)]
pub(crate) struct Shared<C> {
    pub(crate) carrier: C,
    pub(crate) mac: [u8; 6],
    station: RefCell<Ends>,
    soft_ap: RefCell<Ends>,
    events: RefCell<Events>,
}

#[derive(Debug, Default)]
struct Events {
    queue: VecDeque<RadioEvent>,
    waker: WakerRegistration,
}

impl<C> Clone for Radio<C> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<C> Radio<C> {
    /// The radio of the station address `mac`, switched off.
    pub fn new(carrier: C, mac: [u8; 6]) -> Self {
        Self {
            shared: Rc::new(Shared {
                carrier,
                mac,
                station: RefCell::default(),
                soft_ap: RefCell::default(),
                events: RefCell::default(),
            }),
        }
    }

    /// What carries its packets.
    pub fn carrier(&self) -> &C {
        &self.shared.carrier
    }

    /// The station's network driver.
    pub fn station(&self) -> Interface<C> {
        Interface::new(self.shared.clone(), Port::Station)
    }

    /// The SoftAP's network driver.
    pub fn soft_ap(&self) -> Interface<C> {
        Interface::new(self.shared.clone(), Port::SoftAp)
    }

    /// Takes a packet from the air. A control frame that is no notice is dropped, as noise is.
    pub fn receive(&self, packet: Packet) {
        if !packet.is_control() {
            let mut ends = self.shared.ends(packet.port).borrow_mut();
            ends.push(packet.frame);
        } else if let Ok(notice) = decode_notice(&packet) {
            self.notice(notice);
        }
    }

    fn notice(&self, notice: Notice) {
        let event = match notice {
            Notice::Joined(access_point) => {
                self.set_link(Port::Station, true);
                RadioEvent::Joined(seen(access_point))
            }
            Notice::Left { reason } => {
                self.set_link(Port::Station, false);
                RadioEvent::Left { reason }
            }
            Notice::ScanDone(found) => RadioEvent::ScanDone(found.into_iter().map(seen).collect()),
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

    fn set_link(&self, port: Port, up: bool) {
        self.shared.ends(port).borrow_mut().set_link(up);
    }
}

impl<C: Carrier> Radio<C> {
    async fn request(&self, request: &Request) {
        self.shared.carrier.send(&encode_request(request)).await;
    }
}

impl<C: Carrier> device::board::Radio for Radio<C> {
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

impl<C> Shared<C> {
    pub(crate) fn ends(&self, port: Port) -> &RefCell<Ends> {
        match port {
            Port::Station => &self.station,
            Port::SoftAp => &self.soft_ap,
        }
    }
}

fn seen(access_point: airlink::AccessPoint) -> AccessPoint {
    AccessPoint {
        ssid: access_point.ssid,
        bssid: access_point.bssid,
        channel: access_point.channel,
        rssi: access_point.rssi,
        auth: access_point.auth as u8,
    }
}
