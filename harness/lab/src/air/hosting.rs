//! Starting and stopping the access point that a device itself is.

use std::sync::Arc;

use airlink::Notice;
use trace::air::{SoftApStarted, SoftApStopped};

use super::ethernet::Ethernet;
use super::frame::Mac;
use super::radio::Radio;
use super::segment::Sink;
use super::soft_ap::SoftAp;
use super::world::{AirInner, text};

impl AirInner {
    /// Bridges the SoftAP of `device` with `ethernet`, also those that come later.
    pub(super) fn bridge_soft_ap(self: &Arc<Self>, device: &str, ethernet: &Ethernet) {
        let mut world = self.world();
        let radio = world.radio(device);
        radio.soft_ap_ethernet = Some(ethernet.clone());
        self.bridge(device, radio);
    }

    fn bridge(self: &Arc<Self>, device: &str, radio: &mut Radio) {
        let (Some(ethernet), Some(soft_ap)) = (&radio.soft_ap_ethernet, &mut radio.soft_ap) else {
            return;
        };
        let (weak, device) = (Arc::downgrade(self), device.to_owned());
        let port = ethernet.bridge(&soft_ap.segment, move |mac| {
            if let Some(air) = weak.upgrade() {
                air.associate_outsider(&device, mac);
            }
        });
        soft_ap.ethernet = Some(port);
    }

    /// Tells a device of a station behind the bridge when its first frame comes. Of more stations than
    /// fit, the first is forgotten: who has left is not known here.
    fn associate_outsider(&self, device: &str, mac: Mac) {
        let mut world = self.world();
        let radio = world.radio(device);
        let Some(soft_ap) = &mut radio.soft_ap else {
            return;
        };
        if soft_ap.outsiders.contains(&mac) {
            return;
        }
        let most = usize::from(soft_ap.settings.max_stations).max(1);
        soft_ap.outsiders.push_back(mac);
        let forgotten = match soft_ap.outsiders.len() > most {
            true => soft_ap.outsiders.pop_front(),
            false => None,
        };
        if let Some(forgotten) = forgotten {
            radio.notify(&Notice::StationLeft(forgotten));
        }
        radio.notify(&Notice::StationJoined(mac));
    }
    /// Starts or stops the SoftAP as mode and settings have it.
    pub(super) fn settle_soft_ap(self: &Arc<Self>, device: &str, radio: &mut Radio) {
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
                let name = format!("SoftAP {device}");
                soft_ap.segment.captured(self.trace(), &name);
                soft_ap.segment.set_faults(radio.soft_ap_faults);
                radio.soft_ap = Some(soft_ap);
                self.bridge(device, radio);
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
