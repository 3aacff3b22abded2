//! Virtual time: it stands still while a task has something to do, then jumps to the next moment
//! that a task waits for. Each test is a thread with a clock of its own.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use embassy_time_driver::{Driver, time_driver_impl};

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
    /// Each waker with the next moment it waits for.
    static TIMERS: RefCell<Vec<(u64, Waker)>> = const { RefCell::new(Vec::new()) };
}

/// More polls in one moment than honest work takes.
const MAX_POLLS: usize = 10_000;

struct VirtualTime;

impl Driver for VirtualTime {
    fn now(&self) -> u64 {
        NOW.get()
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        TIMERS.with_borrow_mut(|timers| {
            match timers.iter_mut().find(|(_, other)| other.will_wake(waker)) {
                Some((next, _)) => *next = at.min(*next),
                None => timers.push((at, waker.clone())),
            }
        });
    }
}

time_driver_impl!(static DRIVER: VirtualTime = VirtualTime);

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs a test's future to its end, in virtual time. Panics if no task waits for anything.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let flag = Arc::new(Flag(AtomicBool::new(true)));
    let waker = Waker::from(flag.clone());
    let mut context = Context::from_waker(&waker);
    loop {
        let mut polls = 0;
        while flag.0.swap(false, Ordering::Relaxed) {
            if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
                return result;
            }
            polls += 1;
            assert!(polls < MAX_POLLS, "a task is never idle");
        }
        TIMERS.with_borrow_mut(|timers| {
            let next = timers.iter().map(|(at, _)| *at).min();
            let next = next.expect("a task waits for a moment").max(NOW.get());
            NOW.set(next);
            timers.retain(|(at, waker)| {
                if *at <= next {
                    waker.wake_by_ref();
                }
                *at > next
            });
        });
    }
}
