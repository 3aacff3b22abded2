//! What a board is called by leases.

use crate::rig::{BoardLink, RigBoard};

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
