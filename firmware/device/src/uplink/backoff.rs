//! How long to wait before the next attempt.

use embassy_time::Duration;

/// A delay that doubles after each failure.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    /// Delays from `first` to `longest`; if `longest` is the shorter one, it is ignored.
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest: longest.max(first),
            next: first,
        }
    }

    /// The delay after one more failure.
    pub(super) fn after_failure(&mut self) -> Duration {
        let delay = self.next;
        let doubled = delay.checked_add(delay).unwrap_or(Duration::MAX);
        self.next = doubled.min(self.longest);
        delay
    }

    /// Something worked: the next delay is the first one again.
    pub(super) fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn delays(backoff: &mut Backoff, count: usize) -> Vec<u64> {
        (0..count)
            .map(|_| backoff.after_failure().as_millis())
            .collect()
    }

    #[test]
    fn delays_double_up_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_millis(1_000), Duration::from_millis(5_000));
        assert_eq!(delays(&mut backoff, 5), [1_000, 2_000, 4_000, 5_000, 5_000]);
    }

    #[test]
    fn success_starts_over() {
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(80));
        delays(&mut backoff, 3);
        backoff.reset();
        assert_eq!(delays(&mut backoff, 2), [10, 20]);
    }

    #[test]
    fn a_longest_delay_below_the_first_means_a_constant_one() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(0));
        assert_eq!(delays(&mut backoff, 3), [100, 100, 100]);
    }

    #[test]
    fn the_delay_never_overflows() {
        let mut backoff = Backoff::new(Duration::MAX, Duration::MAX);
        assert_eq!(backoff.after_failure(), Duration::MAX);
        assert_eq!(backoff.after_failure(), Duration::MAX);
    }
}
