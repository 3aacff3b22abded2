//! Growing delays between attempts.

/// Doubles from a first delay to a longest one, in ms.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: u32,
    longest: u32,
    next: u32,
}

impl Backoff {
    pub(crate) const fn new(first: u32, longest: u32) -> Self {
        Self {
            first,
            longest,
            next: first,
        }
    }

    /// The delay before the next attempt, in ms.
    pub(crate) fn delay(&mut self) -> u32 {
        let delay = self.next;
        self.next = delay.saturating_mul(2).min(self.longest);
        delay
    }

    /// An attempt succeeded.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest_and_begin_anew_after_success() {
        let mut backoff = Backoff::new(1_000, 30_000);
        let delays: [u32; 7] = core::array::from_fn(|_| backoff.delay());
        assert_eq!(delays, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        backoff.reset();
        assert_eq!(backoff.delay(), 1_000);
    }
}
