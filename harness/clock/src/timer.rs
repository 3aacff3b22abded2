//! Waiting for a moment in lab time.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::{Clock, LabTime};

/// Ends at its deadline. Made by [`Clock::sleep_until`].
#[derive(Debug)]
#[must_use = "a sleep does nothing unless it is awaited"]
pub struct Sleep {
    clock: Clock,
    deadline: LabTime,
    entry: Option<u64>,
}

impl Clock {
    /// Ends after `duration` of lab time.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        self.sleep_until(self.now() + duration)
    }

    /// Ends at `deadline`, at once if that has passed.
    pub fn sleep_until(&self, deadline: LabTime) -> Sleep {
        Sleep {
            clock: self.clone(),
            deadline,
            entry: None,
        }
    }

    /// The output of `future`, or [`Elapsed`] if it takes longer than `duration` of lab time.
    pub async fn timeout<F: Future>(
        &self,
        duration: Duration,
        future: F,
    ) -> Result<F::Output, Elapsed> {
        let mut future = pin!(future);
        let mut sleep = pin!(self.sleep(duration));
        std::future::poll_fn(|cx| {
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            sleep.as_mut().poll(cx).map(|()| Err(Elapsed { duration }))
        })
        .await
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.clock.now() >= this.deadline {
            this.clear();
            return Poll::Ready(());
        }
        let id = this.clock.register(this.deadline, this.entry, cx.waker());
        this.entry = Some(id);
        Poll::Pending
    }
}

impl Sleep {
    fn clear(&mut self) {
        if let Some(id) = self.entry.take() {
            self.clock.unregister(self.deadline, id);
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A deadline passed before the future was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed {
    duration: Duration,
}

impl Elapsed {
    pub(crate) fn of(duration: Duration) -> Self {
        Self { duration }
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not done within {:?}", self.duration)
    }
}

impl std::error::Error for Elapsed {}
