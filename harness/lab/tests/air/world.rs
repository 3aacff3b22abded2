//! A world for tests of the air: one clock, one trace, one access point, services on the host.

use std::time::Duration;

use clock::Clock;
use lab::air::{AccessPointSettings, Air};
use trace::{Payload, Trace};

/// The passphrase of the access point `home`.
pub const PASSPHRASE: &str = "correct horse";

/// An air with the access point `home`.
pub struct World {
    pub clock: Clock,
    pub trace: Trace,
    pub air: Air,
}

impl World {
    pub fn new() -> Self {
        let clock = Clock::start(1000.0);
        let trace = Trace::in_memory(clock.clone());
        let air = Air::new(trace.clone());
        air.add_access_point("home", home());
        Self { clock, trace, air }
    }

    /// The payloads of one kind in the trace, with the devices that they concern.
    pub fn events<P: Payload + for<'de> serde::Deserialize<'de>>(&self) -> Vec<P> {
        let events = self.trace.since(0);
        events.iter().filter_map(|event| event.payload()).collect()
    }

    /// The output of `future`, which must not take longer than a minute of lab time.
    pub async fn soon<F: Future>(&self, what: &str, future: F) -> F::Output {
        match self.clock.timeout(Duration::from_secs(60), future).await {
            Ok(output) => output,
            Err(elapsed) => panic!("{what}: {elapsed}"),
        }
    }
}

/// The settings of `home`.
pub fn home() -> AccessPointSettings {
    AccessPointSettings {
        ssid: b"home".to_vec(),
        passphrase: PASSPHRASE.to_owned(),
        ..AccessPointSettings::default()
    }
}
