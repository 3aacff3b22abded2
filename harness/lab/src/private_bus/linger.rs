//! Lab time does not run ahead while a message may be under way on the bus.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use clock::{Busy, Clock};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
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

/// A stream whose receiver is on another thread.
pub(crate) struct Attentive<S> {
    pub(crate) stream: S,
    pub(crate) linger: Linger,
}

impl<S: AsyncRead + Unpin> AsyncRead for Attentive<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Attentive<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.linger.touch();
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
