//! The access point that a device itself is.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;

use clock::Clock;

use super::frame::Mac;
use super::segment::{Owner, Place, Port, Segment, Sink};
use super::stack::Stack;
use super::udp_ports::Ports;

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
    /// The Ethernet that it is bridged with.
    pub(super) ethernet: Option<Arc<Port>>,
    /// Which stations of that Ethernet are associated, in the order in which they came.
    pub(super) outsiders: VecDeque<Mac>,
    /// The station through which connections of the host reach the device.
    pub(super) forward: Option<ForwardStation>,
}

/// The station of a device's SoftAP that is the host.
pub(super) struct ForwardStation {
    pub(super) stack: Stack,
    pub(super) ports: Arc<Ports>,
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
            ethernet: None,
            outsiders: VecDeque::new(),
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
