//! Embassy's timers in lab time.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use clock::{Clock, LabTime, Sleep};

/// A future whose embassy timers follow the lab's clock; see [`on_lab_time`].
#[must_use = "futures do nothing unless polled"]
pub struct OnLabTime<F> {
    future: Pin<Box<F>>,
    clock: Clock,
    sleep: Option<(u64, Pin<Box<Sleep>>)>,
}

/// Runs `future`, in which embassy-time shows µs of lab time since the lab's start.
///
/// The time driver ([`native::time`]) is one for each thread, so everything on a thread that uses
/// embassy-time must be inside one such future, or in several of the same clock.
pub fn on_lab_time<F: Future>(clock: &Clock, future: F) -> OnLabTime<F> {
    OnLabTime {
        future: Box::pin(future),
        clock: clock.clone(),
        sleep: None,
    }
}

impl<F: Future> Future for OnLabTime<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        loop {
            native::time::set(this.clock.now().as_micros());
            native::time::fire_expired();
            if let Poll::Ready(output) = this.future.as_mut().poll(context) {
                return Poll::Ready(output);
            }
            let Some(deadline) = native::time::next_deadline() else {
                this.sleep = None;
                return Poll::Pending;
            };
            if !matches!(&this.sleep, Some((at, _)) if *at == deadline) {
                let sleep = this.clock.sleep_until(LabTime::from_micros(deadline));
                this.sleep = Some((deadline, Box::pin(sleep)));
            }
            let Some((_, sleep)) = &mut this.sleep else {
                return Poll::Pending;
            };
            if sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            this.sleep = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use embassy_time::Timer;

    use super::*;

    #[tokio::test]
    async fn a_timer_of_a_minute_costs_what_lab_time_costs() {
        let clock = Clock::start(1000.0);
        let begun = Instant::now();
        on_lab_time(&clock, Timer::after_secs(60)).await;
        assert!(clock.now().since_start() >= Duration::from_secs(60));
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
