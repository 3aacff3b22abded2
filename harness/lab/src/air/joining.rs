//! Joining, leaving, losing and looking for access points.

use std::sync::Arc;
use std::time::Duration;

use airlink::Notice;

use super::radio::Radio;
use super::segment::{Owner, Place, Sink};
use super::station::Station;
use super::world::{AirInner, AirState, text};
use super::{authentication, reason};
use trace::air::{Joined, Left, ScanBegun};

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

impl AirInner {
    pub(super) fn join(
        self: &Arc<Self>,
        world: &mut AirState,
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
        if !access_point.answers_joins {
            world.radio(device).station = Station::Joining { ssid };
            return;
        }
        if let Some(reason) = authentication::refusal(&access_point.settings, passphrase) {
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
                bssid: Some(
                    heard
                        .bssid
                        .iter()
                        .map(|byte| format!("{byte:02x}"))
                        .collect(),
                ),
                channel: Some(heard.channel),
                auth: Some(authentication::name(heard.auth).to_owned()),
            },
        );
        radio.station = Station::Joined { role, ssid, port };
        radio.notify(&Notice::Joined(heard));
    }

    fn refuse(&self, device: &str, radio: &Radio, ssid: &[u8], reason: u16) {
        self.trace_left(device, ssid, reason);
        radio.notify(&Notice::Left { reason });
    }

    pub(super) fn leave(&self, device: &str, radio: &mut Radio) {
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
    pub(super) fn lose_stations(self: &Arc<Self>, world: &mut AirState, role: &str) {
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

    /// An access point sends its stations away, and says why.
    pub(super) fn dismiss_stations(&self, world: &mut AirState, role: &str, reason: u16) {
        for (device, radio) in &mut world.radios {
            if radio.joined().is_some_and(|(joined, _)| joined == role)
                && let Some(ssid) = radio.leave()
            {
                self.refuse(device, radio, &ssid, reason);
            }
        }
    }

    pub(super) fn scan(
        self: &Arc<Self>,
        world: &mut AirState,
        device: &str,
        channel: u8,
        passive: bool,
    ) {
        let radio = world.radio(device);
        if !radio.runs_station() {
            radio.notify(&Notice::ScanDone(Vec::new()));
            return;
        }
        self.trace()
            .emit(Some(device), &ScanBegun { channel, passive });
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
}
