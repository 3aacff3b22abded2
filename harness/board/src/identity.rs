//! What a board, and what phones use of this host, is called by leases.

use std::fs;

use crate::rig::{BoardLink, RigBoard, RigPhone};

/// Where libdbus and others find the system bus.
pub const SYSTEM_BUS: &str = "DBUS_SYSTEM_BUS_ADDRESS";

impl RigPhone {
    /// What leases of its parts are called. An adapter belongs to a bus, an interface to a network of this
    /// host: others may have some of the same name.
    pub fn identities(&self) -> Vec<String> {
        let bus = std::env::var(SYSTEM_BUS).unwrap_or_else(|_| "the system's bus".to_owned());
        let network = fs::read_link("/proc/self/ns/net").unwrap_or_default();
        let network = network.display();
        let parts = [
            (self.bluetooth.as_ref()).map(|name| format!("bluetooth {name} on {bus}")),
            (self.wifi.as_ref()).map(|name| format!("wifi {name} on {bus} in {network}")),
            (self.lan.as_ref()).map(|name| format!("lan {name} in {network}")),
        ];
        parts.into_iter().flatten().collect()
    }
}

impl RigBoard {
    /// What a lease of it is called: the same under whatever name it stands in whichever rig file,
    /// and however much of its probe's selector stands there, as long as the probe is attached.
    pub fn identity(&self) -> String {
        match &self.link {
            BoardLink::Probe(probe) => {
                let whole = crate::probe::whole_selector(&probe.selector);
                let selector = whole.as_ref().unwrap_or(&probe.selector);
                format!("probe {}", selector.to_lowercase())
            }
            BoardLink::Serial(serial) => format!("serial {}", serial.port.identity()),
            BoardLink::Process(process) => {
                format!("process {} {}", process.base.display(), self.name)
            }
        }
    }
}
