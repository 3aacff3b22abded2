//! The access point that a device itself is.

use std::collections::BTreeMap;

use clock::Clock;

use super::forward::ForwardStation;
use super::frame::Mac;
use super::radio::Radio;
use super::segment::{Owner, Place, Port, Segment, Sink};
use super::world::{AirInner, text};
use trace::air::{SoftApStarted, SoftApStopped};

/// As the device set it up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SoftApSettings {
    pub(super) ssid: Vec<u8>,
    pub(super) passphrase: String,
    pub(super) channel: u8,
    pub(super) max_stations: u8,
}

/// A running SoftAP.
pub(super) struct SoftAp {
    pub(super) settings: SoftApSettings,
    pub(super) segment: Segment,
    /// The device's own place.
    pub(super) port: Port,
    /// Who is associated.
    pub(super) stations: BTreeMap<Mac, String>,
    /// The station through which connections of the host reach the device.
    pub(super) forward: Option<ForwardStation>,
}

impl SoftAp {
    pub(super) fn start(clock: &Clock, device: &str, settings: SoftApSettings, sink: Sink) -> Self {
        let segment = Segment::new(clock.clone(), false);
        let owner = Owner::Device(device.to_owned());
        let port = segment.plug(Place::Access, owner, None, sink);
        Self {
            settings,
            segment,
            port,
            stations: BTreeMap::new(),
            forward: None,
        }
    }

    /// Sends every station away.
    pub(super) fn stop(self) {
        self.segment.unplug_stations();
    }

    pub(super) fn is_full(&self) -> bool {
        self.stations.len() >= usize::from(self.settings.max_stations)
    }
}

impl AirInner {
    /// Starts or stops the SoftAP as mode and settings have it.
    pub(super) fn settle_soft_ap(&self, device: &str, radio: &mut Radio) {
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
                let soft_ap = SoftAp::start(self.clock(), device, settings, sink);
                soft_ap.segment.set_faults(radio.soft_ap_faults);
                radio.soft_ap = Some(soft_ap);
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
