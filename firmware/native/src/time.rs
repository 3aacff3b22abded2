//! The time driver: lab time as the tether brings it.
//!
//! Between two messages the host's own clock carries it on, which is what lab time does too while a
//! device computes. So the device's time never runs ahead of the lab's, and it never runs back.
//!
//! State is kept per thread. The device is one thread, so this is one clock, and several tests can
//! have one each.

use std::cell::{Cell, RefCell};
use std::task::Waker;
use std::time::Instant;

use embassy_time_driver::{Driver, TICK_HZ, time_driver_impl};

const _: () = assert!(
    TICK_HZ == 1_000_000,
    "a tick is a microsecond of the tether"
);

thread_local! {
    static TIME: Time = Time {
        lab: Cell::new(0),
        host: Cell::new(Instant::now()),
        shown: Cell::new(0),
        timers: RefCell::default(),
    };
}

struct Time {
    /// µs since power-on that the last message brought.
    lab: Cell<u64>,
    /// When it did.
    host: Cell<Instant>,
    /// The latest time that was returned.
    shown: Cell<u64>,
    timers: RefCell<Vec<(u64, Waker)>>,
}

impl Time {
    fn now(&self) -> u64 {
        let passed = u64::try_from(self.host.get().elapsed().as_micros()).unwrap_or(u64::MAX);
        let now = self.lab.get().saturating_add(passed).max(self.shown.get());
        self.shown.set(now);
        now
    }

    fn schedule(&self, at: u64, waker: &Waker) {
        let mut timers = self.timers.borrow_mut();
        match timers.iter_mut().find(|(_, other)| other.will_wake(waker)) {
            Some((earliest, _)) => *earliest = at.min(*earliest),
            None => timers.push((at, waker.clone())),
        }
    }
}

struct TetherTime;

impl Driver for TetherTime {
    fn now(&self) -> u64 {
        now_us()
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        TIME.with(|time| time.schedule(at, waker));
    }
}

time_driver_impl!(static DRIVER: TetherTime = TetherTime);

/// µs since power-on.
pub fn now_us() -> u64 {
    TIME.with(Time::now)
}

/// Takes the time that a message brought.
pub fn set(lab_us: u64) {
    TIME.with(|time| {
        time.lab.set(lab_us);
        time.host.set(Instant::now());
    });
}

/// Wakes the tasks whose moment has come.
pub fn fire_expired() {
    let expired: Vec<Waker> = TIME.with(|time| {
        let now = time.now();
        let mut timers = time.timers.borrow_mut();
        timers
            .extract_if(.., |(at, _)| *at <= now)
            .map(|(_, waker)| waker)
            .collect()
    });
    for waker in expired {
        waker.wake();
    }
}

/// The next moment that a task waits for.
pub fn next_deadline() -> Option<u64> {
    TIME.with(|time| time.timers.borrow().iter().map(|(at, _)| *at).min())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn time_follows_the_lab_and_never_runs_back() {
        set(5_000_000);
        let later = now_us();
        assert!(later >= 5_000_000);
        set(1_000_000);
        assert!(now_us() >= later);
        set(60_000_000);
        assert!(now_us() >= 60_000_000);
    }

    #[test]
    fn only_timers_whose_moment_has_come_fire() {
        let (soon, late) = (Arc::new(Count::default()), Arc::new(Count::default()));
        DRIVER.schedule_wake(1_000_000, &Waker::from(soon.clone()));
        DRIVER.schedule_wake(u64::MAX - 1, &Waker::from(late.clone()));
        assert_eq!(next_deadline(), Some(1_000_000));
        set(1_000_000);
        fire_expired();
        assert_eq!(soon.0.load(Ordering::Relaxed), 1);
        assert_eq!(late.0.load(Ordering::Relaxed), 0);
        assert_eq!(next_deadline(), Some(u64::MAX - 1));
    }

    #[test]
    fn one_waker_keeps_its_earliest_moment() {
        let waker = Waker::from(Arc::new(Count::default()));
        for at in [9_000_000_000, 7_000_000_000, 8_000_000_000] {
            DRIVER.schedule_wake(at, &waker);
        }
        assert_eq!(next_deadline(), Some(7_000_000_000));
    }
}
