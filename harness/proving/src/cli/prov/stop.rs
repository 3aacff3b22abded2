//! Signals and key presses that end the command early.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::error::ProvError;

/// SIGINT and SIGTERM, from now on.
pub(super) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    pub(super) fn new() -> Result<Self, ProvError> {
        let listen = |kind| {
            signal(kind).map_err(|source| ProvError::Io {
                what: "listen for signals".to_owned(),
                source,
            })
        };
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Waits for one of them.
    pub(super) async fn comes(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// What comes of `work`, unless it is stopped.
    pub(super) async fn unless<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            ended = work => Some(ended),
            () = self.comes() => None,
        }
    }
}
