//! A time driver for tests in which time stands still.

use std::task::Waker;

use embassy_time_driver::{Driver, time_driver_impl};

struct Stopped;

impl Driver for Stopped {
    fn now(&self) -> u64 {
        0
    }

    fn schedule_wake(&self, _: u64, _: &Waker) {
        panic!("no part of a virtual board waits for time");
    }
}

time_driver_impl!(static DRIVER: Stopped = Stopped);
