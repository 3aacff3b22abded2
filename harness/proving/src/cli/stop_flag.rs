//! Signals that end a command before it runs anything.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::SigId;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// While this lives, SIGINT, SIGTERM and SIGHUP are noted instead of ending the process, so that no
/// board is left without power half-way through a power cycle.
pub(super) struct StopFlag {
    came: Arc<AtomicBool>,
    registered: Vec<SigId>,
}

impl StopFlag {
    pub(super) fn install() -> io::Result<Self> {
        let mut flag = Self {
            came: Arc::default(),
            registered: Vec::new(),
        };
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let came = Arc::clone(&flag.came);
            let id = signal_hook::flag::register(signal, came)?;
            flag.registered.push(id);
        }
        Ok(flag)
    }

    /// Whether one of them came.
    pub(super) fn came(&self) -> bool {
        self.came.load(Ordering::Acquire)
    }
}

impl Drop for StopFlag {
    fn drop(&mut self) {
        for id in self.registered.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}
