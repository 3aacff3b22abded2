//! A device's radio as the air sees it: which networks it is on.

use std::sync::Arc;

use airlink::{Mode, Notice};

use super::ethernet::Ethernet;
use super::frame::Mac;
use super::queue::FrameQueue;
use super::segment::SegmentFaults;
use super::soft_ap::{SoftAp, SoftApSettings};
use super::station::Station;

/// A device's radio.
pub(super) struct Radio {
    pub(super) queue: Arc<FrameQueue>,
    pub(super) powered: bool,
    pub(super) mode: Mode,
    pub(super) station: Station,
    /// Known from the first frame on; a device has one for its life with power.
    pub(super) station_mac: Option<Mac>,
    pub(super) soft_ap_settings: Option<SoftApSettings>,
    /// What is wrong with the SoftAP's frames, whenever there is one.
    pub(super) soft_ap_faults: SegmentFaults,
    pub(super) soft_ap: Option<SoftAp>,
    /// What its SoftAP is bridged with, whenever there is one.
    pub(super) soft_ap_ethernet: Option<Ethernet>,
    /// Counts what makes outcomes of earlier requests of the station stale.
    pub(super) attempt: u64,
    /// Events of garbage since it got power.
    pub(super) garbage: u32,
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
            soft_ap_faults: SegmentFaults::default(),
            soft_ap: None,
            soft_ap_ethernet: None,
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

    pub(super) fn runs_station(&self) -> bool {
        matches!(self.mode, Mode::Station | Mode::Both)
    }

    pub(super) fn runs_soft_ap(&self) -> bool {
        matches!(self.mode, Mode::SoftAp | Mode::Both)
    }

    /// Ends whatever the station does; the network that it was on, if it was on one.
    pub(super) fn leave(&mut self) -> Option<Vec<u8>> {
        self.attempt += 1;
        match std::mem::replace(&mut self.station, Station::Idle) {
            Station::Joined { ssid, .. } | Station::Lost { ssid } => Some(ssid),
            Station::Idle | Station::Joining { .. } => None,
        }
    }
}
