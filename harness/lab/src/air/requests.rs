//! What a device's radio asks of the air, and the frames that it sends.

use std::sync::Arc;

use airlink::{Mode, Packet, Request};

use super::radio::Radio;
use super::segment::Sent;
use super::soft_ap::SoftApSettings;
use super::station::Station;
use super::world::AirInner;

/// After so many events of garbage in one power cycle no more are traced.
const MOST_GARBAGE: u32 = 50;

impl AirInner {
    /// Gives power to a radio or takes it away; either way it starts from nothing.
    pub(super) fn power(self: &Arc<Self>, device: &str, on: bool) {
        let mut world = self.world();
        let radio = world.radio(device);
        self.leave(device, radio);
        radio.mode = Mode::Off;
        radio.soft_ap_settings = None;
        self.settle_soft_ap(device, radio);
        radio.station_mac = None;
        radio.garbage = 0;
        radio.queue.clear();
        radio.powered = on;
    }

    /// Traces what no device should send.
    pub(super) fn garbage(&self, device: &str, problem: &str, bytes: &[u8]) {
        let mut world = self.world();
        self.trace_garbage(device, world.radio(device), problem, bytes);
    }

    fn trace_garbage(&self, device: &str, radio: &mut Radio, problem: &str, bytes: &[u8]) {
        radio.garbage += 1;
        let problem = match radio.garbage {
            ..MOST_GARBAGE => problem.to_owned(),
            MOST_GARBAGE => format!("{problem}; what follows is not recorded"),
            _ => return,
        };
        self.trace().emit(
            Some(device),
            &board::Garbage {
                link: "airlink".to_owned(),
                problem,
                bytes: hex::encode(&bytes[..bytes.len().min(32)]),
            },
        );
    }

    /// A frame of a device.
    pub(super) fn frame(&self, device: &str, packet: Packet) {
        let mut world = self.world();
        let radio = world.radio(device);
        let port = match (packet.port, &radio.station, &radio.soft_ap) {
            (airlink::Port::Station, Station::Joined { port, .. }, _) => port,
            (airlink::Port::SoftAp, _, Some(soft_ap)) => &soft_ap.port,
            _ => return,
        };
        let head = packet.frame[..packet.frame.len().min(32)].to_vec();
        let problem = match port.send(packet.frame) {
            Sent::Taken | Sent::Unplugged => None,
            Sent::Spoofed { known } => Some(format!(
                "a frame from another address than {}",
                hex::encode(known)
            )),
            Sent::NoSource => Some("a frame from no single station".to_owned()),
        };
        if packet.port == airlink::Port::Station {
            radio.station_mac = port.mac();
        }
        if let Some(problem) = problem {
            self.trace_garbage(device, radio, &problem, &head);
        }
    }

    /// What a radio asks for.
    pub(super) fn request(self: &Arc<Self>, device: &str, request: Request) {
        let mut world = self.world();
        let world = &mut *world;
        if !world.radio(device).powered {
            return;
        }
        match request {
            Request::SetMode(mode) => {
                let radio = world.radio(device);
                radio.mode = mode;
                if !radio.runs_station() {
                    self.leave(device, radio);
                }
                self.settle_soft_ap(device, radio);
            }
            Request::Join { ssid, passphrase } => self.join(world, device, ssid, passphrase),
            Request::Leave => self.leave(device, world.radio(device)),
            Request::Scan { channel, passive } => self.scan(world, device, channel, passive),
            Request::StartSoftAp {
                ssid,
                passphrase,
                channel,
                max_stations,
            } => {
                let radio = world.radio(device);
                let settings = SoftApSettings {
                    ssid,
                    passphrase,
                    channel,
                    max_stations,
                };
                if radio.soft_ap_settings.as_ref() != Some(&settings) {
                    radio.soft_ap_settings = None;
                    self.settle_soft_ap(device, radio);
                    radio.soft_ap_settings = Some(settings);
                }
                self.settle_soft_ap(device, radio);
            }
            Request::StopSoftAp => {
                let radio = world.radio(device);
                radio.soft_ap_settings = None;
                self.settle_soft_ap(device, radio);
            }
        }
    }
}
