//! Calls to a service that may itself have to wait for a device.
//!
//! Who calls a service outside this thread (BlueZ, over D-Bus) keeps lab time at the host's pace:
//! requests, answers and the service's computing are work of which the clock sees nothing.
//! While a stand-in for that service waits for a device, though, nothing is under way, and the device
//! and everything between are seen by the clock. So the stand-in says for how long it waits.

use std::collections::BTreeMap;

use crate::Clock;

/// What the clock knows of one service.
#[derive(Debug, Default)]
pub(crate) struct Service {
    /// Calls that have not returned.
    calls: usize,
    /// Those of them that wait for a device.
    waiting: usize,
    /// Counts the moments without a pending call. A call that was given up is waited for in vain, which
    /// says nothing about later ones.
    round: u64,
}

/// All services that are called, by name.
pub(crate) type Services = BTreeMap<String, Service>;

/// Whether some call is neither answered nor waiting for a device.
pub(crate) fn any_under_way(services: &Services) -> bool {
    services
        .values()
        .any(|service| service.calls > service.waiting)
}

impl Clock {
    /// While the guard lives, a caller waits for an answer of `service`, and lab time runs at the
    /// host's pace unless that service is itself [waiting](Self::waiting) for a device. One caller
    /// makes one call at a time.
    pub fn call(&self, service: &str) -> Call {
        self.change_services(|services| {
            services.entry(service.to_owned()).or_default().calls += 1;
        });
        Call {
            clock: self.clone(),
            service: service.to_owned(),
        }
    }

    /// While the guard lives, `service` has taken up one call and waits for a device, in lab time. It
    /// must be dropped before the answer is given.
    pub fn waiting(&self, service: &str) -> Waiting {
        let round = self.change_services(|services| {
            let service = services.get_mut(service).filter(|known| known.calls > 0)?;
            service.waiting += 1;
            Some(service.round)
        });
        Waiting {
            clock: self.clone(),
            service: service.to_owned(),
            round,
        }
    }
}

/// An answer is waited for; see [`Clock::call`].
#[derive(Debug)]
pub struct Call {
    clock: Clock,
    service: String,
}

impl Drop for Call {
    fn drop(&mut self) {
        self.clock.change_services(|services| {
            let Some(service) = services.get_mut(&self.service) else {
                return;
            };
            service.calls = service.calls.saturating_sub(1);
            if service.calls == 0 {
                service.waiting = 0;
                service.round += 1;
            }
        });
    }
}

/// A service waits for a device; see [`Clock::waiting`].
#[derive(Debug)]
pub struct Waiting {
    clock: Clock,
    service: String,
    /// None if no caller had called through the clock.
    round: Option<u64>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Some(round) = self.round else { return };
        self.clock.change_services(|services| {
            if let Some(service) = services.get_mut(&self.service)
                && service.round == round
            {
                service.waiting = service.waiting.saturating_sub(1);
            }
        });
    }
}
