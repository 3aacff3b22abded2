//! What so many failures in so many attempts say of a rate, and two such of each other.

/// Results that chance alone brings about less often than this count as no chance.
pub const CHANCE: f64 = 0.05;
/// Values on each side from which [`above`] may call a difference more than chance.
pub const LEAST_VALUES: usize = 5;

/// The bounds of the failure rate with a confidence of 95 %, from 0 to 1.
///
/// Without a failure the upper one is exact and one-sided, 1 − 0.05^(1/n), which is about 3/n; else both are of
/// Clopper and Pearson (Biometrika 26, 1934).
pub fn bounds(failed: u32, of: u32) -> (f64, f64) {
    let failed = failed.min(of);
    match (failed, of) {
        (_, 0) => (0.0, 1.0),
        (0, of) => (0.0, 1.0 - CHANCE.powf(1.0 / f64::from(of))),
        (failed, of) => {
            let table = Factorials::up_to(of);
            let half = CHANCE / 2.0;
            // At the lower bound, as many or more are as rare as that; at the upper one, as many or fewer.
            let low = root(|rate| 1.0 - table.at_most(failed - 1, of, rate) - half);
            let high = match failed == of {
                true => 1.0,
                false => root(|rate| half - table.at_most(failed, of, rate)),
            };
            (low, high)
        }
    }
}

/// How many attempts without a failure it takes for [`bounds`] to stay below `rate`, which is between 0 and 1.
pub fn attempts_for(rate: f64) -> u32 {
    (CHANCE.ln() / (1.0 - rate).ln()).ceil() as u32
}

/// How often chance alone would make two series differ as much as these or more (Fisher's exact test,
/// two-sided): `a` failures of `n`, and `b` of `m`.
pub fn fisher(a: u32, n: u32, b: u32, m: u32) -> f64 {
    let (a, b) = (a.min(n), b.min(m));
    let failed = a + b;
    let table = Factorials::up_to(n + m);
    let log = |here: u32| {
        table.choose(n, here) + table.choose(m, failed - here) - table.choose(n + m, failed)
    };
    let seen = log(a);
    // What is as rare but for rounding counts.
    let (least, most) = (failed.saturating_sub(m), failed.min(n));
    let rarer = (least..=most).map(log).filter(|log| *log <= seen + 1e-9);
    rarer.map(f64::exp).sum::<f64>().min(1.0)
}

/// How often chance alone would put as many values of `new` above those of `old`, or more (Mann and Whitney's
/// test, one-sided; by the normal distribution, with ties). Of fewer than [`LEAST_VALUES`] on a side, which that
/// distribution does not fit, it is always.
pub fn above(old: &[u64], new: &[u64]) -> f64 {
    if old.len().min(new.len()) < LEAST_VALUES {
        return 1.0;
    }
    let mut all: Vec<(u64, bool)> = old.iter().map(|value| (*value, false)).collect();
    all.extend(new.iter().map(|value| (*value, true)));
    all.sort_unstable();
    let (n, m) = (old.len() as f64, new.len() as f64);
    let (mut ranks, mut ties, mut below) = (0.0, 0.0, 0);
    for equal in all.chunk_by(|a, b| a.0 == b.0) {
        let count = equal.len() as f64;
        let rank = below as f64 + (count + 1.0) / 2.0;
        ranks += rank * equal.iter().filter(|(_, is_new)| *is_new).count() as f64;
        ties += count.powi(3) - count;
        below += equal.len();
    }
    let wins = ranks - m * (m + 1.0) / 2.0;
    let spread = n * m / 12.0 * (n + m + 1.0 - ties / ((n + m) * (n + m - 1.0)));
    match spread > 0.0 {
        true => normal_tail((wins - n * m / 2.0 - 0.5) / spread.sqrt()),
        false => 1.0,
    }
}

/// The same probabilities, each raised for how many there are (Holm, Scandinavian Journal of Statistics 6,
/// 1979): of many things compared, one in twenty differs by chance.
pub fn corrected(chances: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..chances.len()).collect();
    order.sort_by(|a, b| chances[*a].total_cmp(&chances[*b]));
    let mut corrected = vec![0.0; chances.len()];
    let mut least: f64 = 0.0;
    for (place, index) in order.into_iter().enumerate() {
        let raised = chances[index] * (chances.len() - place) as f64;
        least = least.max(raised).min(1.0);
        corrected[index] = least;
    }
    corrected
}

/// The value in the middle; none of no values.
pub fn median(values: &[u64]) -> Option<u64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some(sorted[middle - 1].midpoint(sorted[middle])),
    }
}

/// Logarithms of factorials.
struct Factorials(Vec<f64>);

impl Factorials {
    fn up_to(most: u32) -> Self {
        let mut logs = vec![0.0; most as usize + 1];
        for number in 1..logs.len() {
            logs[number] = logs[number - 1] + (number as f64).ln();
        }
        Self(logs)
    }

    fn choose(&self, of: u32, chosen: u32) -> f64 {
        let [of, chosen] = [of, chosen].map(|number| number as usize);
        self.0[of] - self.0[chosen] - self.0[of - chosen]
    }

    /// How likely at most `failed` of `of` fail at this rate, which is neither 0 nor 1.
    fn at_most(&self, failed: u32, of: u32, rate: f64) -> f64 {
        let (fails, passes) = (rate.ln(), (1.0 - rate).ln());
        let exactly = |count: u32| {
            self.choose(of, count) + f64::from(count) * fails + f64::from(of - count) * passes
        };
        (0..=failed).map(exactly).map(f64::exp).sum()
    }
}

/// Where `rising`, from below 0 to above 0 between 0 and 1, is 0.
fn root(rising: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        match rising(middle) < 0.0 {
            true => low = middle,
            false => high = middle,
        }
    }
    f64::midpoint(low, high)
}

/// How likely a standard normal value lies above `z` (Numerical Recipes, §6.2, `erfcc`; to seven digits).
fn normal_tail(z: f64) -> f64 {
    const TERMS: [f64; 10] = [
        -1.265_512_23,
        1.000_023_68,
        0.374_091_96,
        0.096_784_18,
        -0.186_288_06,
        0.278_868_07,
        -1.135_203_98,
        1.488_515_87,
        -0.822_152_23,
        0.170_872_77,
    ];
    let x = z.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.5 * x);
    let series = TERMS.iter().rev().fold(0.0, |sum, term| sum * t + term);
    let tail = t * (series - x * x).exp() / 2.0;
    match z < 0.0 {
        true => 1.0 - tail,
        false => tail,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn percent(failed: u32, of: u32) -> String {
        let (low, high) = bounds(failed, of);
        format!("{:.2} {:.2}", 100.0 * low, 100.0 * high)
    }

    /// What tables of Clopper and Pearson have, and `1 - 0.05^(1/n)` without a failure.
    #[test]
    fn bounds_are_those_of_the_tables() {
        for (failed, of, expected) in [
            (0, 0, "0.00 100.00"),
            (0, 1, "0.00 95.00"),
            (0, 20, "0.00 13.91"),
            (0, 59, "0.00 4.95"),
            (0, 100, "0.00 2.95"),
            (0, 299, "0.00 1.00"),
            (0, 2995, "0.00 0.10"),
            (1, 20, "0.13 24.87"),
            (5, 100, "1.64 11.28"),
            (10, 20, "27.20 72.80"),
            (20, 20, "83.16 100.00"),
            (1, 1, "2.50 100.00"),
        ] {
            assert_eq!(percent(failed, of), expected, "{failed} of {of}");
        }
        assert_eq!(
            [0.1, 0.05, 0.01, 0.001].map(attempts_for),
            [29, 59, 299, 2995]
        );
    }

    #[test]
    fn two_series_differ_by_chance_as_often_as_fisher_says() {
        for (a, n, b, m, expected) in [
            (0, 100, 5, 100, "0.059"),
            (0, 100, 6, 100, "0.029"),
            (0, 20, 5, 20, "0.047"),
            (1, 200, 9, 200, "0.020"),
            (0, 100, 3, 100, "0.246"),
            (3, 20, 3, 20, "1.000"),
            (0, 0, 1, 5, "1.000"),
        ] {
            assert_eq!(
                format!("{:.3}", fisher(a, n, b, m)),
                expected,
                "{a}/{n} {b}/{m}"
            );
            assert_eq!(format!("{:.3}", fisher(b, m, a, n)), expected);
        }
    }

    /// Worked out by hand: with `wins` 25, 12.5 and 22.5 of 25.
    #[test]
    fn values_lie_above_others_by_chance_as_often_as_mann_and_whitney_say() {
        let old = [1, 2, 3, 4, 5];
        for (old, new, expected) in [
            (&old[..], &[6, 7, 8, 9, 10][..], "0.0061"),
            (&old, &[1, 2, 3, 4, 5], "0.5422"),
            (&old, &[5, 5, 5, 5, 5], "0.0127"),
            // By the normal distribution 0.0404 and 0.0473.
            (&[1, 2, 3], &[4, 5, 6], "1.0000"),
            (&[1, 2], &[6, 7, 8, 9, 10], "1.0000"),
            (&old, &[8, 9, 10], "1.0000"),
        ] {
            assert_eq!(
                format!("{:.4}", above(old, new)),
                expected,
                "{old:?} {new:?}"
            );
        }
        assert!(above(&[7; 9], &[7; 9]) > 0.99);
        assert!(above(&[], &[]) > 0.99);
    }

    #[test]
    fn of_many_comparisons_chance_has_its_share() {
        let corrected = corrected(&[0.04, 0.01, 0.03]);
        let shown: Vec<String> = corrected.iter().map(|p| format!("{p:.2}")).collect();
        assert_eq!(shown, ["0.06", "0.03", "0.06"]);
    }

    proptest! {
        #[test]
        fn the_observed_rate_lies_between_its_bounds(of in 1_u32..300, failed in 0_u32..300) {
            let failed = failed.min(of);
            let (low, high) = bounds(failed, of);
            let rate = f64::from(failed) / f64::from(of);
            prop_assert!(0.0 <= low && low <= rate && rate <= high && high <= 1.0);
            let p = fisher(failed, of, 0, of);
            prop_assert!((0.0..=1.0).contains(&p));
        }
    }
}
