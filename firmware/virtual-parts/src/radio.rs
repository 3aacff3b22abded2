//! The radio: commands and events as control frames, data as frames, to and from the lab's air.

use alloc::rc::Rc;
use alloc::string::ToString;
use core::future::poll_fn;

use airlink::{Notice, Packet, Port, Request, decode_notice, encode_request};
use device::board::{AccessPoint, Mode, RadioEvent};

use crate::shared::Shared;
use crate::{Carrier, Interface};

/// A radio at the other end of whose carrier is the lab's air; clones are the same radio.
#[derive(Debug)]
pub struct Radio<C> {
    shared: Rc<Shared<C>>,
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
            shared: Rc::new(Shared::new(carrier, mac)),
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
            let mut interface = self.shared.interface(packet.port).borrow_mut();
            interface.push(packet.frame);
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
        self.shared.events.borrow_mut().push(event);
    }

    fn set_link(&self, port: Port, up: bool) {
        self.shared.interface(port).borrow_mut().set_link(up);
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
        poll_fn(|context| self.shared.events.borrow_mut().poll_next(context)).await
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
