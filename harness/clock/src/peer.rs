//! Waiting for a peer, in the time that it lives in.
//!
//! A service on the host's loopback is reached from the air, where everything lives in lab time, and
//! by programs of the host, which know no other time than the host's. Lab time may pass a thousand
//! times faster while such a program computes, so a limit of ten seconds would give it ten
//! milliseconds. A gateway of the air therefore [names](Clock::inhabitant) its sockets, and a service
//! counts a limit in lab time for these alone.

#![expect(
    clippy::disallowed_methods,
    reason = "programs of the host are waited for in the host's time"
)]

use std::net::SocketAddr;
use std::pin::pin;
use std::time::{Duration, Instant};

use crate::{Clock, Elapsed, LabTime};

/// How long a peer may take from one moment on, in either time. Made by [`Clock::patience`].
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    duration: Duration,
    lab: LabTime,
    host: Instant,
}

impl Clock {
    /// While the guard lives, the peer at `address` of the host's loopback lives in lab time.
    pub fn inhabitant(&self, address: SocketAddr) -> Inhabitant {
        *self.inhabitants().entry(address).or_insert(0) += 1;
        Inhabitant {
            clock: self.clone(),
            address,
        }
    }

    /// A patience of `duration` that begins now.
    pub fn patience(&self, duration: Duration) -> Patience {
        Patience {
            duration,
            lab: self.now() + duration,
            host: Instant::now() + duration,
        }
    }

    /// Ends when `patience` with the peer at `peer` does: in lab time if it lives there, and in the
    /// host's if not. Cancel safe.
    pub async fn lost_patience(&self, patience: Patience, peer: SocketAddr) -> Elapsed {
        // Lab time never falls behind the host's. A gateway has named its socket by the time at
        // which it matters, but not necessarily when that connection was accepted.
        self.sleep_until(patience.lab).await;
        if !self.inhabitants().contains_key(&peer) {
            tokio::time::sleep_until(patience.host.into()).await;
        }
        Elapsed::of(patience.duration)
    }

    /// The output of `future`, or [`Elapsed`] if the peer at `peer` takes longer than `duration` of
    /// the time that it lives in.
    pub async fn timeout_for<F: Future>(
        &self,
        peer: SocketAddr,
        duration: Duration,
        future: F,
    ) -> Result<F::Output, Elapsed> {
        let mut future = pin!(future);
        let mut lost = pin!(self.lost_patience(self.patience(duration), peer));
        std::future::poll_fn(|cx| {
            if let std::task::Poll::Ready(output) = future.as_mut().poll(cx) {
                return std::task::Poll::Ready(Ok(output));
            }
            lost.as_mut().poll(cx).map(Err)
        })
        .await
    }
}

/// A peer that lives in lab time; see [`Clock::inhabitant`].
#[derive(Debug)]
pub struct Inhabitant {
    clock: Clock,
    address: SocketAddr,
}

impl Drop for Inhabitant {
    fn drop(&mut self) {
        let mut inhabitants = self.clock.inhabitants();
        if let Some(count) = inhabitants.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                inhabitants.remove(&self.address);
            }
        }
    }
}
