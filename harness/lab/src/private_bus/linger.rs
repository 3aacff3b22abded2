//! Lab time does not run ahead while a message may be under way on the bus.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clock::{Busy, Clock};
use tokio::runtime::Handle;

/// Longer, in host time, than a message takes over the bus and through its receivers' threads.
const UNDER_WAY: Duration = Duration::from_millis(10);

/// Holds the lab's clock at the host's pace for a moment after every message; cheap to clone.
#[derive(Clone)]
pub(crate) struct Linger {
    clock: Clock,
    runtime: Handle,
    state: Arc<Mutex<Option<Lingering>>>,
}

struct Lingering {
    until: Instant,
    #[expect(dead_code, reason = "held for what its drop does")]
    busy: Busy,
}

impl Linger {
    /// Timers run on `runtime`, which must not be blocked.
    pub(crate) fn new(clock: Clock, runtime: Handle) -> Self {
        Self {
            clock,
            runtime,
            state: Arc::default(),
        }
    }

    /// A message comes or goes.
    pub(crate) fn touch(&self) {
        let until = Instant::now() + UNDER_WAY;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lingering) = &mut *state {
            lingering.until = until;
            return;
        }
        *state = Some(Lingering {
            until,
            busy: self.clock.busy(),
        });
        let state = Arc::downgrade(&self.state);
        self.runtime.spawn(async move {
            let mut until = until;
            loop {
                wait(until).await;
                let Some(state) = state.upgrade() else { return };
                let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
                match &*state {
                    Some(lingering) if lingering.until > Instant::now() => {
                        until = lingering.until;
                    }
                    _ => {
                        *state = None;
                        return;
                    }
                }
            }
        });
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "threads of the bus take host time, not lab time"
)]
async fn wait(until: Instant) {
    tokio::time::sleep_until(until.into()).await;
}
