//! The virtual network: layer-2 segments, access points, DHCP, DNS and the way to the host.

mod link;
mod queue;

use trace::Trace;

pub use link::Link;

/// The virtual network of one world; cheap to clone, all clones are the same network.
#[derive(Clone)]
pub struct Air {
    trace: Trace,
}

impl Air {
    /// An empty network whose events go into `trace` and whose time is that trace's clock.
    pub fn new(trace: Trace) -> Self {
        Self { trace }
    }

    /// The air's end of the radio of `device`.
    pub fn attach(&self, device: &str) -> Link {
        Link::new(self.clone(), device)
    }

    fn trace(&self) -> &Trace {
        &self.trace
    }
}
