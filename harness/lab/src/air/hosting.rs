//! Starting and stopping the access point that a device itself is.

use trace::air::{SoftApStarted, SoftApStopped};

use super::radio::Radio;
use super::segment::Sink;
use super::soft_ap::SoftAp;
use super::world::{AirInner, text};

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
