//! Numbers, and how they are shown.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Milliseconds; fewer are better.
    Millis,
    /// So many of these per second; more are better.
    PerSecond(&'static str),
    /// So many of these per minute; more are better.
    PerMinute(&'static str),
    /// Kilobytes (1000 bytes); fewer are better.
    Kilobytes,
    /// One number over another; less is better.
    Times,
    /// Hundredths of one core; fewer are better.
    Percent,
}

impl Unit {
    /// Whether a greater number is a better one.
    pub fn more_is_better(self) -> bool {
        matches!(self, Self::PerSecond(_) | Self::PerMinute(_))
    }

    fn name(self) -> String {
        match self {
            Self::Millis => "ms".to_owned(),
            Self::PerSecond(what) => format!("{what}/s"),
            Self::PerMinute(what) => format!("{what}/min"),
            Self::Kilobytes => "kB".to_owned(),
            Self::Times => "times".to_owned(),
            Self::Percent => "%".to_owned(),
        }
    }

    /// A number of this unit as one reads it.
    pub fn show(self, value: f64) -> String {
        let (value, prefix) = match self {
            Self::PerSecond(_) if value >= 1e6 => (value / 1e6, "M "),
            Self::PerSecond(_) if value >= 1e4 => (value / 1e3, "k "),
            _ => (value, ""),
        };
        let digits = match value.abs() {
            0.0..10.0 => 2,
            10.0..100.0 => 1,
            _ => 0,
        };
        match self {
            Self::Times => format!("{value:.digits$}x"),
            _ => format!("{value:.digits$} {prefix}{}", self.name()),
        }
    }
}

/// A measured number.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// The median, if there were several samples.
    pub value: f64,
    /// What it counts.
    pub unit: Unit,
    /// The number that 95 of 100 samples are better than, or the worst of fewer than 20.
    pub tail: Option<f64>,
    /// How often it was measured.
    pub samples: usize,
}

impl Figure {
    /// One measurement.
    pub fn single(value: f64, unit: Unit) -> Self {
        Self {
            value,
            unit,
            tail: None,
            samples: 1,
        }
    }

    /// Median and tail of `samples`, of which there must be some.
    pub fn of(mut samples: Vec<f64>, unit: Unit) -> Result<Self, String> {
        samples.sort_by(f64::total_cmp);
        if unit.more_is_better() {
            samples.reverse();
        }
        let count = samples.len();
        let at = |share: f64| {
            let position = (count as f64 * share).ceil() as usize;
            samples.get(position.clamp(1, count.max(1)) - 1).copied()
        };
        let (Some(value), Some(tail)) = (at(0.5), at(0.95)) else {
            return Err("there are no samples".to_owned());
        };
        Ok(Self {
            value,
            unit,
            tail: (count > 1).then_some(tail),
            samples: count,
        })
    }

    /// The same for times.
    pub fn of_times(samples: impl IntoIterator<Item = Duration>) -> Result<Self, String> {
        let millis = samples.into_iter().map(|time| time.as_secs_f64() * 1e3);
        Self::of(millis.collect(), Unit::Millis)
    }

    /// The number that targets are held against: the tail, if it is known.
    pub fn judged(&self) -> f64 {
        self.tail.unwrap_or(self.value)
    }

    /// For the stored results.
    pub fn json(&self) -> Value {
        json!({
            "value": self.value,
            "unit": self.unit.name(),
            "p95": self.tail,
            "samples": self.samples,
        })
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.unit.show(self.value))?;
        match self.tail {
            Some(tail) => write!(f, " (p95 {}, n {})", self.unit.show(tail), self.samples),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_is_on_the_bad_side() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        let times = Figure::of(hundred.clone(), Unit::Millis).expect("samples");
        assert_eq!((times.value, times.tail), (50.0, Some(95.0)));
        let rates = Figure::of(hundred, Unit::PerSecond("lines")).expect("samples");
        assert_eq!((rates.value, rates.tail), (51.0, Some(6.0)));
    }

    #[test]
    fn the_tail_of_few_samples_is_the_worst() {
        let few = Figure::of(vec![3.0, 1.0, 2.0], Unit::Millis).expect("samples");
        assert_eq!((few.value, few.tail), (2.0, Some(3.0)));
        let one = Figure::of(vec![3.0], Unit::Millis).expect("a sample");
        assert_eq!((one.value, one.tail), (3.0, None));
        assert!(Figure::of(Vec::new(), Unit::Millis).is_err());
    }

    #[test]
    fn numbers_are_short() {
        let shown = [
            (Unit::Millis, 41.23, "41.2 ms"),
            (Unit::PerSecond("lines"), 1_234_567.0, "1.23 M lines/s"),
            (Unit::PerSecond("lines"), 113_400.0, "113 k lines/s"),
            (Unit::PerSecond("connects"), 930.4, "930 connects/s"),
            (Unit::Times, 8.123, "8.12x"),
        ];
        for (unit, value, text) in shown {
            assert_eq!(unit.show(value), text);
        }
    }
}
