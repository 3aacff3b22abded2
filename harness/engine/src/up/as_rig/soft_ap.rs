//! The device's own network, as its radio tells of it.

use factory::Factory;
use trace::Trace;
use trace::air::{SoftApStarted, SoftApStopped};

use super::DEVICE;

/// The device's own network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoftAp {
    /// Its name.
    pub ssid: String,
    /// Its passphrase; none for an open one.
    pub key: Option<String>,
    /// Its channel.
    pub channel: u8,
}

/// Follows a trace for the start and the end of that network.
pub struct SoftApWatch {
    trace: Trace,
    next: usize,
}

impl SoftApWatch {
    /// Follows `trace` from its beginning.
    pub fn new(trace: &Trace) -> Self {
        Self {
            trace: trace.clone(),
            next: 0,
        }
    }

    /// What the network is now, if that has changed since this was asked last. Its passphrase stands in
    /// the factory data.
    pub fn change(&mut self, factory: Option<&Factory>) -> Option<Option<SoftAp>> {
        let mut change = None;
        for event in self.trace.events_from(self.next) {
            self.next = event.seq as usize + 1;
            if event.device.as_deref() != Some(DEVICE) {
                continue;
            }
            if let Some(started) = event.payload::<SoftApStarted>() {
                let key = factory.map(|factory| factory.provisioning.service_key.clone());
                change = Some(Some(SoftAp {
                    ssid: started.ssid,
                    key: key.filter(|_| !started.open),
                    channel: started.channel,
                }));
            } else if event.payload::<SoftApStopped>().is_some() {
                change = Some(None);
            }
        }
        change
    }
}
