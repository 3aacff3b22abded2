//! Embassy's timers in lab time.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use clock::{Busy, Clock, LabTime, Sleep};
use futures_util::task::AtomicWaker;

/// A future whose embassy timers follow the lab's clock; see [`on_lab_time`].
#[must_use = "futures do nothing unless polled"]
pub struct OnLabTime<F> {
    future: Pin<Box<F>>,
    clock: Clock,
    sleep: Option<(u64, Pin<Box<Sleep>>)>,
    bell: Arc<Bell>,
}

/// Wakes the future, which may run on another thread than what it waits for: from then on until it
/// has been polled it has work, and lab time runs at the host's pace.
struct Bell {
    clock: Clock,
    task: AtomicWaker,
    work: Mutex<Work>,
}

/// Whether a future has been woken.
enum Work {
    None,
    Some(Busy),
    /// The future is gone.
    Over,
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
        bell: Arc::new(Bell {
            clock: clock.clone(),
            task: AtomicWaker::new(),
            work: Mutex::new(Work::None),
        }),
    }
}

impl Bell {
    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        {
            let mut work = self.work();
            if matches!(*work, Work::None) {
                *work = Work::Some(self.clock.busy());
            }
        }
        self.task.wake();
    }
}

impl<F> Drop for OnLabTime<F> {
    fn drop(&mut self) {
        *self.bell.work() = Work::Over;
    }
}

impl<F: Future> Future for OnLabTime<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        this.bell.task.register(context.waker());
        let woken = std::mem::replace(&mut *this.bell.work(), Work::None);
        // Also when it is polled for the first time, or beside something that was woken.
        let _work = match woken {
            Work::Some(busy) => busy,
            Work::None | Work::Over => this.clock.busy(),
        };
        let waker = Waker::from(this.bell.clone());
        let context = &mut Context::from_waker(&waker);
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

    #[tokio::test]
    async fn woken_work_on_another_thread_holds_lab_time_until_it_is_done() {
        let clock = Clock::start(1000.0);
        let (ready, waits) = tokio::sync::oneshot::channel();
        let (order, taken) = tokio::sync::oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn({
            let clock = clock.clone();
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime");
                runtime.block_on(on_lab_time(&clock, async {
                    ready.send(()).expect("waited for");
                    taken.await.expect("ordered");
                    // A thread that the host does not let run.
                    told.recv().expect("told");
                }));
            }
        });
        waits.await.expect("started");
        clock.sleep(Duration::from_secs(1)).await;
        let begun = Instant::now();
        order.send(()).expect("waited for");
        clock.sleep(Duration::from_millis(50)).await;
        assert!(begun.elapsed() >= Duration::from_millis(49));
        tell.send(()).expect("waited for");
        thread.join().expect("ended");
        let begun = Instant::now();
        clock.sleep(Duration::from_secs(100)).await;
        assert!(begun.elapsed() < Duration::from_secs(50));
    }
}
