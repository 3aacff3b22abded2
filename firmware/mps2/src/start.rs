//! What comes before everything else.

use alloc::vec::Vec;

use factory::Factory;

use crate::{clock, flash, heap, memory, watchdog};

/// Sets up memory, log, time and watchdog, in this order, and returns the factory data region.
///
/// Time runs as the factory data says, so they are read before anything is logged.
pub fn start() -> Vec<u8> {
    memory::protect();
    heap::start();
    let region = flash::factory();
    let factor = Factory::decode(&region)
        .ok()
        .and_then(|factory| factory.lab)
        .map_or(1, |lab| lab.time_factor);
    clock::start(factor);
    #[cfg(target_os = "none")]
    embedded::logging::start();
    watchdog::start();
    region
}
