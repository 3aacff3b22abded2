//! A device's radio as the air sees it: which networks it is on.

use std::sync::Arc;
use std::time::Duration;

use airlink::{Mode, Notice, Packet, Request};

use super::events::{Joined, Left, SoftApStarted, SoftApStopped};
use super::frame::Mac;
use super::queue::FrameQueue;
use super::reason;
use super::segment::{Owner, Place, Port, Sent, Sink};
use super::soft_ap::{SoftAp, SoftApSettings};
use super::world::{AirInner, World, text};

/// Scan, authentication and association of a network that is known, in lab time.
const ASSOCIATION: Duration = Duration::from_millis(300);
/// A station stays this long on a channel: ESP-IDF's default for an active scan.
const ACTIVE_DWELL: Duration = Duration::from_millis(120);
/// The same for a passive one.
const PASSIVE_DWELL: Duration = Duration::from_millis(360);
const CHANNELS: u32 = 13;
/// Without beacons a station gives its access point up: ESP-IDF's default of
/// `esp_wifi_set_inactive_time`.
const BEACON_LOSS: Duration = Duration::from_secs(6);
/// After so many events of garbage in one power cycle no more are traced.
const MOST_GARBAGE: u32 = 50;

/// A device's radio.
pub(super) struct Radio {
    pub(super) queue: Arc<FrameQueue>,
    powered: bool,
    mode: Mode,
    station: Station,
    /// Known from the first frame on; a device has one for its life with power.
    station_mac: Option<Mac>,
    soft_ap_settings: Option<SoftApSettings>,
    pub(super) soft_ap: Option<SoftAp>,
    /// Counts what makes outcomes of earlier requests of the station stale.
    attempt: u64,
    garbage: u32,
}

enum Station {
    Idle,
    Joining { ssid: Vec<u8> },
    Joined { role: String, ssid: Vec<u8>, port: Port },
    /// The access point is gone, the station has not noticed.
    Lost { ssid: Vec<u8> },
}

impl Default for Radio {
    fn default() -> Self {
        Self {
            queue: Arc::default(),
            powered: false,
            mode: Mode::Off,
            station: Station::Idle,
            station_mac: None,
            soft_ap_settings: None,
            soft_ap: None,
            attempt: 0,
            garbage: 0,
        }
    }
}

impl Radio {
    pub(super) fn notify(&self, notice: &Notice) {
        self.queue
            .push_anyway(airlink::encode_notice(notice).encode());
    }

    /// The role of the access point that the station is joined to, and the station's address there.
    pub(super) fn joined(&self) -> Option<(&str, Option<Mac>)> {
        match &self.station {
            Station::Joined { role, port, .. } => Some((role, port.mac())),
            _ => None,
        }
    }

    fn runs_station(&self) -> bool {
        matches!(self.mode, Mode::Station | Mode::Both)
    }

    fn runs_soft_ap(&self) -> bool {
        matches!(self.mode, Mode::SoftAp | Mode::Both)
    }

    /// Ends whatever the station does; the network that it was on, if it was on one.
    fn leave(&mut self) -> Option<Vec<u8>> {
        self.attempt += 1;
        match std::mem::replace(&mut self.station, Station::Idle) {
            Station::Joined { ssid, .. } | Station::Lost { ssid } => Some(ssid),
            Station::Idle | Station::Joining { .. } => None,
        }
    }
}

impl AirInner {
    /// Gives power to a radio or takes it away; either way it starts from nothing.
    pub(super) fn power(&self, device: &str, on: bool) {
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

    fn join(
        self: &Arc<Self>,
        world: &mut World,
        device: &str,
        ssid: Vec<u8>,
        passphrase: String,
    ) {
        let known = world.strongest(&ssid).is_some();
        let radio = world.radio(device);
        self.leave(device, radio);
        if !radio.runs_station() {
            self.refuse(device, radio, &ssid, reason::UNSPECIFIED);
            return;
        }
        radio.station = Station::Joining { ssid };
        let attempt = radio.attempt;
        let delay = if known {
            ASSOCIATION
        } else {
            ACTIVE_DWELL * CHANNELS
        };
        let device = device.to_owned();
        self.after(delay, move |air| {
            air.finish_join(&device, attempt, &passphrase);
        });
    }

    fn finish_join(&self, device: &str, attempt: u64, passphrase: &str) {
        let mut world = self.world();
        let radio = world.radio(device);
        if radio.attempt != attempt {
            return;
        }
        let Station::Joining { ssid } = std::mem::replace(&mut radio.station, Station::Idle) else {
            return;
        };
        let queue = radio.queue.clone();
        let mac = radio.station_mac;
        let Some((role, access_point)) = world.strongest(&ssid) else {
            let radio = world.radio(device);
            self.refuse(device, radio, &ssid, reason::NO_AP_FOUND);
            return;
        };
        if let Some(reason) = reason::refusal(&access_point.settings.passphrase, passphrase) {
            let radio = world.radio(device);
            self.refuse(device, radio, &ssid, reason);
            return;
        }
        let role = role.to_owned();
        let heard = access_point.heard();
        let port = access_point.segment.plug(
            Place::Station,
            Owner::Device(device.to_owned()),
            mac,
            Sink::Radio(queue, airlink::Port::Station),
        );
        let radio = world.radio(device);
        self.trace().emit(
            Some(device),
            &Joined {
                access_point: role.clone(),
                ssid: text(&ssid),
            },
        );
        radio.station = Station::Joined { role, ssid, port };
        radio.notify(&Notice::Joined(heard));
    }

    fn refuse(&self, device: &str, radio: &Radio, ssid: &[u8], reason: u16) {
        self.trace_left(device, ssid, reason);
        radio.notify(&Notice::Left { reason });
    }

    fn leave(&self, device: &str, radio: &mut Radio) {
        if let Some(ssid) = radio.leave() {
            self.trace_left(device, &ssid, reason::ASSOC_LEAVE);
        }
    }

    fn trace_left(&self, device: &str, ssid: &[u8], reason: u16) {
        let left = Left {
            ssid: text(ssid),
            reason,
            why: reason::describe(reason).to_owned(),
        };
        self.trace().emit(Some(device), &left);
    }

    /// An access point has stopped in silence: its stations notice when they miss its beacons.
    pub(super) fn lose_stations(self: &Arc<Self>, world: &mut World, role: &str) {
        for (device, radio) in &mut world.radios {
            if radio.joined().is_none_or(|(joined, _)| joined != role) {
                continue;
            }
            let Some(ssid) = radio.leave() else { continue };
            radio.station = Station::Lost { ssid };
            let (device, attempt) = (device.clone(), radio.attempt);
            self.after(BEACON_LOSS, move |air| {
                let mut world = air.world();
                let radio = world.radio(&device);
                if radio.attempt == attempt
                    && let Some(ssid) = radio.leave()
                {
                    air.refuse(&device, radio, &ssid, reason::BEACON_TIMEOUT);
                }
            });
        }
    }

    /// An access point sends its stations away.
    pub(super) fn dismiss_stations(&self, world: &mut World, role: &str) {
        for (device, radio) in &mut world.radios {
            if radio.joined().is_some_and(|(joined, _)| joined == role)
                && let Some(ssid) = radio.leave()
            {
                self.refuse(device, radio, &ssid, reason::AUTH_LEAVE);
            }
        }
    }

    fn scan(self: &Arc<Self>, world: &mut World, device: &str, channel: u8, passive: bool) {
        let radio = world.radio(device);
        if !radio.runs_station() {
            radio.notify(&Notice::ScanDone(Vec::new()));
            return;
        }
        let dwell = if passive { PASSIVE_DWELL } else { ACTIVE_DWELL };
        let channels = if channel == 0 { CHANNELS } else { 1 };
        let device = device.to_owned();
        self.after(dwell * channels, move |air| {
            let mut world = air.world();
            let heard = world.heard(channel);
            let radio = world.radio(&device);
            if radio.powered && radio.runs_station() {
                radio.notify(&Notice::ScanDone(heard));
            }
        });
    }

    /// Starts or stops the SoftAP as mode and settings have it.
    fn settle_soft_ap(&self, device: &str, radio: &mut Radio) {
        let wanted = radio
            .soft_ap_settings
            .clone()
            .filter(|_| radio.runs_soft_ap());
        match (wanted, radio.soft_ap.is_some()) {
            (Some(settings), false) => {
                self.trace().emit(
                    Some(device),
                    &SoftApStarted {
                        ssid: text(&settings.ssid),
                        channel: settings.channel,
                        open: settings.passphrase.is_empty(),
                    },
                );
                let sink = Sink::Radio(radio.queue.clone(), airlink::Port::SoftAp);
                radio.soft_ap = Some(SoftAp::start(self.clock(), device, settings, sink));
                self.announce();
            }
            (None, true) => {
                if let Some(soft_ap) = radio.soft_ap.take() {
                    let ssid = text(&soft_ap.settings.ssid);
                    self.trace().emit(Some(device), &SoftApStopped { ssid });
                    soft_ap.stop();
                }
            }
            (Some(_), true) | (None, false) => {}
        }
    }
}
