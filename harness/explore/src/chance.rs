//! Chance from a seed: the same seed makes the same choices on every host.

/// SplitMix64 (Steele, Lea, Flood 2014): tiny, and every seed is as good as any other.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The stream of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Another stream, for the `index`th part of what this seed stands for.
    pub fn part(seed: u64, index: u64) -> Self {
        let mut stream = Self(seed ^ index.wrapping_mul(0xd1b5_4a32_d192_ed03));
        stream.next();
        stream
    }

    /// 64 random bits.
    #[expect(
        clippy::should_implement_trait,
        reason = "an endless stream is no iterator"
    )]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 if `end` is 0.
    pub fn below(&mut self, end: u64) -> u64 {
        // The bias of the remainder is below 2^-50 for the few choices that there are.
        self.next().checked_rem(end).unwrap_or(0)
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `choices`, by their weights; none if all weigh nothing.
    pub fn weighted<'c, T>(&mut self, choices: &'c [(u64, T)]) -> Option<&'c T> {
        let total = choices.iter().map(|(weight, _)| weight).sum();
        let mut point = self.below(total);
        choices.iter().find_map(|(weight, choice)| {
            let is_it = point < *weight;
            point = point.saturating_sub(*weight);
            is_it.then_some(choice)
        })
    }

    /// One of `choices`, all alike; none if there are none.
    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        let index = usize::try_from(self.below(choices.len() as u64)).ok()?;
        choices.get(index).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_that_of_the_paper() {
        let mut chance = Chance::new(1234567);
        assert_eq!(chance.next(), 6457827717110365317);
        assert_eq!(chance.next(), 3203168211198807973);
    }

    #[test]
    fn what_weighs_nothing_is_never_chosen() {
        let mut chance = Chance::new(1);
        for _ in 0..1000 {
            assert_eq!(chance.weighted(&[(0, 'a'), (3, 'b'), (0, 'c')]), Some(&'b'));
        }
        assert_eq!(chance.weighted(&[(0, 'a')]), None);
    }
}
