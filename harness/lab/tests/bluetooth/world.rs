//! A world for tests of Bluetooth: one clock, one trace, one medium.

use std::time::Duration;

use clock::Clock;
use lab::bluetooth::host::{HciStream, on_lab_time};
use lab::bluetooth::{Controller, Ether};
use tokio::io::DuplexStream;
use trace::{Payload, Trace};

/// A medium with nobody on it.
pub struct World {
    pub clock: Clock,
    pub trace: Trace,
    pub ether: Ether,
}

impl World {
    pub fn new() -> Self {
        let clock = Clock::start(1000.0);
        let trace = Trace::in_memory(clock.clone());
        let ether = Ether::new(trace.clone());
        Self {
            clock,
            trace,
            ether,
        }
    }

    /// A stream to a new controller.
    pub fn stream(&self, name: &str, last: u8) -> DuplexStream {
        attend(self.ether.controller(name, [0x24, 0x0A, 0xC4, 0, 0, last]))
    }

    /// A new controller, for a host.
    pub fn hci(&self, name: &str, last: u8) -> HciStream<DuplexStream> {
        HciStream::new(self.stream(name, last))
    }

    /// The payloads of one kind in the trace.
    pub fn events<P: Payload + for<'de> serde::Deserialize<'de>>(&self) -> Vec<P> {
        let events = self.trace.since(0);
        events.iter().filter_map(|event| event.payload()).collect()
    }

    /// The output of `future`, whose embassy timers show lab time, and which must not take longer
    /// than two minutes of it.
    pub async fn run<F: Future>(&self, future: F) -> F::Output {
        let clock = &self.clock;
        let limited = clock.timeout(Duration::from_secs(120), on_lab_time(clock, future));
        match limited.await {
            Ok(output) => output,
            Err(elapsed) => panic!("{elapsed}: {:#?}", self.trace.since(0)),
        }
    }
}

fn attend(controller: Controller) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(4096);
    tokio::spawn(controller.run(theirs));
    ours
}
