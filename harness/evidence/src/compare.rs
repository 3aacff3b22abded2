//! A release beside an earlier one.

use std::collections::BTreeMap;
use std::path::Path;

use report::CaseResult;
use serde::{Deserialize, Serialize};
use trace::{Level, Verdict};

use crate::rate::{CHANCE, above, corrected, fisher, median};

/// Lines of a log that are kept of a case.
const MOST_LINES: usize = 5_000;
/// A case is slower if half of it takes so much longer, as a share and in ms, and chance is ruled out.
const SLOWER_SHARE: f64 = 0.2;
const SLOWER_MS: u64 = 200;

/// By what a case counts as slower, for people.
pub const SLOWER: &str = "the median of the lab time of attempts that passed is more than 20 % and more \
     than 200 ms higher, and chance alone would bring that in less than 5 of 100 comparisons (Mann-Whitney, \
     one-sided, corrected by Holm for the number of cases)";

/// What attempts at a case have shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Why it was not run.
    pub skipped: Option<String>,
    /// Failures, of attempts that passed or failed: broken ones say nothing of the device.
    pub tally: Tally,
    /// Lab time in ms of each that passed.
    times: Vec<u64>,
    /// In how many traces a line of the device's log stands, without its values.
    lines: BTreeMap<String, u32>,
    traces: u32,
}

/// Failures, and of how many attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Attempts that failed.
    pub failed: u32,
    /// Those that failed or passed.
    pub of: u32,
}

impl Measured {
    /// Of a case of a run; `trace_of` finds the trace of an attempt, if there is one.
    pub fn of<P: AsRef<Path>>(
        case: &CaseResult,
        trace_of: impl Fn(&report::AttemptResult) -> Option<P>,
    ) -> Self {
        let count = |verdict| {
            let attempts = case.attempts.iter();
            attempts
                .filter(|attempt| attempt.verdict == verdict)
                .count() as u32
        };
        let failed = count(Verdict::Failed);
        let passed = (case.attempts.iter()).filter(|attempt| attempt.verdict == Verdict::Passed);
        let mut measured = Self {
            skipped: case.skipped.clone(),
            tally: Tally {
                failed,
                of: failed + count(Verdict::Passed),
            },
            times: passed
                .clone()
                .filter_map(|attempt| attempt.lab_ms)
                .collect(),
            lines: BTreeMap::new(),
            traces: 0,
        };
        // Of those that did not pass, the failure is told.
        for trace in passed.filter_map(trace_of) {
            // A trace that cannot be read is no trace of other lines.
            if let Ok(events) = trace::read(trace.as_ref()) {
                measured.log(&events);
            }
        }
        measured
    }

    fn log(&mut self, events: &[trace::Event]) {
        let told = events.iter().filter_map(|event| {
            let line = event.line().filter(|line| line.level <= Level::Info)?;
            let text = reproduce::without_values(&format!("{}: {}", line.tag, line.text));
            Some(format!("{} {text}", line.level.letter()))
        });
        let told: std::collections::BTreeSet<String> = told.collect();
        self.traces += 1;
        for line in told {
            if self.lines.len() < MOST_LINES || self.lines.contains_key(&line) {
                *self.lines.entry(line).or_default() += 1;
            }
        }
    }

    /// The lines that every trace has here and none there.
    fn always_but_never_in(&self, other: &Self) -> Vec<String> {
        let lines = self.lines.iter();
        lines
            .filter(|(line, count)| **count == self.traces && !other.lines.contains_key(*line))
            .map(|(line, _)| line.clone())
            .collect()
    }
}

/// What is otherwise than in the earlier evidence.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Cases that were run both times.
    pub compared: usize,
    /// Failed in each attempt, and did not before.
    pub newly_failing: Vec<Change>,
    /// Fails more often than before, but not always.
    pub flakier: Vec<Change>,
    /// Fails less often, but still does.
    pub steadier: Vec<Change>,
    /// Failed before, and did not any more.
    pub fixed: Vec<Change>,
    /// By [`SLOWER`].
    pub slower: Vec<Slower>,
    /// Run before, and now broken or skipped, with the reason.
    pub no_longer_judged: Vec<(String, String)>,
    /// Judged before, and not in the plan any more.
    pub gone: Vec<String>,
    /// Not in the earlier plan, or not judged then.
    pub new: Vec<String>,
    /// What devices log otherwise in attempts that pass.
    pub logs: Vec<Logs>,
}

/// A case that fails more or less often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The case.
    pub case: String,
    /// In the earlier evidence.
    pub before: Tally,
    /// In this one.
    pub now: Tally,
    /// Whether chance alone brings such a difference in less than 5 of 100 comparisons (Fisher, two-sided,
    /// corrected by Holm for the number of cases).
    pub beyond_chance: bool,
}

/// A case that takes longer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slower {
    /// The case.
    pub case: String,
    /// Median of the lab time in ms.
    pub before_ms: u64,
    /// Likewise.
    pub now_ms: u64,
}

/// Lines of a device's log, without their values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Logs {
    /// The case.
    pub case: String,
    /// In each attempt before, in none now.
    pub gone: Vec<String>,
    /// In each attempt now, in none before.
    pub new: Vec<String>,
}

impl Comparison {
    /// `now` beside `before`, both by the case's identifier.
    pub fn of(before: &BTreeMap<String, Measured>, now: &BTreeMap<String, Measured>) -> Self {
        let mut all = Self::default();
        let mut pairs = Vec::new();
        for (case, measured) in now {
            match before.get(case).filter(|earlier| earlier.tally.of > 0) {
                None if measured.tally.of > 0 => all.new.push(case.clone()),
                None => {}
                Some(_) if measured.tally.of == 0 => {
                    let why = measured.skipped.clone();
                    let why = why.unwrap_or_else(|| "every attempt was broken".to_owned());
                    all.no_longer_judged.push((case.clone(), why));
                }
                Some(earlier) => pairs.push((case, earlier, measured)),
            }
        }
        let judged = before.iter().filter(|(_, measured)| measured.tally.of > 0);
        let gone = judged.filter(|(case, _)| !now.contains_key(*case));
        all.gone = gone.map(|(case, _)| case.clone()).collect();
        all.compared = pairs.len();
        all.take_rates(&pairs);
        all.take_times(&pairs);
        for (case, earlier, now) in pairs {
            let (gone, new) = (
                earlier.always_but_never_in(now),
                now.always_but_never_in(earlier),
            );
            let both = earlier.traces > 0 && now.traces > 0;
            if both && !(gone.is_empty() && new.is_empty()) {
                let case = case.clone();
                all.logs.push(Logs { case, gone, new });
            }
        }
        all
    }

    fn take_rates(&mut self, pairs: &[Pair<'_>]) {
        let chances = pairs.iter().map(|(_, before, now)| {
            let (before, now) = (before.tally, now.tally);
            fisher(before.failed, before.of, now.failed, now.of)
        });
        let chances = corrected(&chances.collect::<Vec<_>>());
        for ((case, before, now), chance) in pairs.iter().zip(chances) {
            let change = Change {
                case: (*case).clone(),
                before: before.tally,
                now: now.tally,
                beyond_chance: chance < CHANCE,
            };
            let (was, is) = (before.tally, now.tally);
            // Shares, without rounding.
            let share = |tally: Tally, other: Tally| u64::from(tally.failed) * u64::from(other.of);
            match share(is, was).cmp(&share(was, is)) {
                std::cmp::Ordering::Equal => {}
                std::cmp::Ordering::Greater if is.failed == is.of => {
                    self.newly_failing.push(change)
                }
                // A case that was never seen to fail is told even if chance may be behind it.
                std::cmp::Ordering::Greater if was.failed == 0 || change.beyond_chance => {
                    self.flakier.push(change);
                }
                std::cmp::Ordering::Less if is.failed == 0 => self.fixed.push(change),
                std::cmp::Ordering::Less if change.beyond_chance => self.steadier.push(change),
                _ => {}
            }
        }
    }

    fn take_times(&mut self, pairs: &[Pair<'_>]) {
        let chances = pairs
            .iter()
            .map(|(_, before, now)| above(&before.times, &now.times));
        let chances = corrected(&chances.collect::<Vec<_>>());
        for ((case, before, now), chance) in pairs.iter().zip(chances) {
            let (Some(before_ms), Some(now_ms)) = (median(&before.times), median(&now.times))
            else {
                continue;
            };
            let more = now_ms.saturating_sub(before_ms);
            if chance < CHANCE && more > SLOWER_MS && more as f64 > SLOWER_SHARE * before_ms as f64
            {
                self.slower.push(Slower {
                    case: (*case).clone(),
                    before_ms,
                    now_ms,
                });
            }
        }
    }
}

/// A case, before and now.
type Pair<'m> = (&'m String, &'m Measured, &'m Measured);

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(failed: u32, of: u32, times: &[u64], lines: &[(&str, u32)]) -> Measured {
        let lines = lines.iter();
        Measured {
            skipped: None,
            tally: Tally { failed, of },
            times: times.to_vec(),
            lines: lines
                .map(|(line, count)| ((*line).to_owned(), *count))
                .collect(),
            traces: of - failed,
        }
    }

    fn tallied(failed: u32, of: u32) -> Measured {
        measured(failed, of, &[], &[])
    }

    /// A case as it was, and as it is.
    type Both<'c> = (&'c str, Option<Measured>, Option<Measured>);

    fn compare(pairs: &[Both<'_>]) -> Comparison {
        let mut sides = [BTreeMap::new(), BTreeMap::new()];
        for (case, before, now) in pairs {
            for (side, measured) in sides.iter_mut().zip([before, now]) {
                side.extend(
                    measured
                        .clone()
                        .map(|measured| ((*case).to_owned(), measured)),
                );
            }
        }
        Comparison::of(&sides[0], &sides[1])
    }

    fn names(changes: &[Change]) -> Vec<&str> {
        changes.iter().map(|change| change.case.as_str()).collect()
    }

    #[test]
    fn each_case_is_told_by_what_became_of_it() {
        let skipped = Measured {
            skipped: Some("needs isolate".to_owned()),
            ..tallied(0, 0)
        };
        let all = compare(&[
            ("breaks", Some(tallied(0, 20)), Some(tallied(20, 20))),
            ("begins to fail", Some(tallied(0, 20)), Some(tallied(1, 20))),
            ("is mended", Some(tallied(20, 20)), Some(tallied(0, 20))),
            (
                "is flaky as ever",
                Some(tallied(9, 20)),
                Some(tallied(10, 20)),
            ),
            ("fails less", Some(tallied(20, 20)), Some(tallied(2, 20))),
            ("is as good", Some(tallied(0, 20)), Some(tallied(0, 5))),
            ("was there", Some(tallied(0, 20)), None),
            ("comes", None, Some(tallied(0, 20))),
            ("is skipped", Some(tallied(0, 20)), Some(skipped.clone())),
            ("was skipped, too", Some(skipped.clone()), Some(skipped)),
            ("is all broken", Some(tallied(0, 20)), Some(tallied(0, 0))),
        ]);
        assert_eq!(names(&all.newly_failing), ["breaks"]);
        assert!(all.newly_failing[0].beyond_chance);
        assert_eq!(names(&all.flakier), ["begins to fail"]);
        assert!(!all.flakier[0].beyond_chance);
        assert_eq!(names(&all.fixed), ["is mended"]);
        assert_eq!(names(&all.steadier), ["fails less"]);
        assert_eq!(
            (&all.gone[..], &all.new[..]),
            (&["was there".to_owned()][..], &["comes".to_owned()][..])
        );
        let lost = all.no_longer_judged;
        assert_eq!(lost[0].0, "is all broken");
        assert_eq!(
            lost[1],
            ("is skipped".to_owned(), "needs isolate".to_owned())
        );
        assert_eq!(all.compared, 6);
    }

    #[test]
    fn slower_is_what_neither_noise_nor_one_slow_minute_explains() {
        let times = |base: u64, step: u64| (0..10).map(|n| base + n * step).collect::<Vec<_>>();
        let timed = |times: Vec<u64>| Some(measured(0, 10, &times, &[]));
        let one_late: Vec<u64> = times(1000, 5).into_iter().take(9).chain([60_000]).collect();
        let all = compare(&[
            (
                "half as long again",
                timed(times(1000, 10)),
                timed(times(1500, 10)),
            ),
            (
                "one in a slow minute",
                timed(times(1000, 5)),
                timed(one_late),
            ),
            (
                "a little",
                timed(times(10_000, 10)),
                timed(times(10_400, 10)),
            ),
            ("a few ms", timed(times(100, 1)), timed(times(200, 1))),
            ("faster", timed(times(1500, 10)), timed(times(1000, 10))),
            (
                "too few to say",
                Some(measured(0, 2, &[1000, 1010], &[])),
                Some(measured(0, 2, &[2000, 2010], &[])),
            ),
        ]);
        let slower: Vec<_> = all
            .slower
            .iter()
            .map(|slower| slower.case.as_str())
            .collect();
        assert_eq!(slower, ["half as long again"]);
        assert_eq!(
            (all.slower[0].before_ms, all.slower[0].now_ms),
            (1045, 1545)
        );
    }

    /// Chance alone: the same times, dealt out anew.
    #[test]
    fn noise_is_not_slower() {
        let mut chance = 1_u64;
        let mut draw = || {
            chance = chance
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            1000 + (chance >> 33) % 3000
        };
        let mut names = Vec::new();
        let mut sides = [BTreeMap::new(), BTreeMap::new()];
        for number in 0..300 {
            names.push(number.to_string());
            for side in &mut sides {
                let times: Vec<u64> = (0..10).map(|_| draw()).collect();
                side.insert(number.to_string(), measured(0, 10, &times, &[]));
            }
        }
        let all = Comparison::of(&sides[0], &sides[1]);
        assert_eq!(all.slower, []);
    }

    #[test]
    fn other_lines_are_those_of_each_attempt_here_and_of_none_there() {
        let before = measured(
            0,
            3,
            &[],
            &[("I a: same", 3), ("I a: old", 3), ("I a: at times", 1)],
        );
        let now = measured(
            0,
            2,
            &[],
            &[("I a: same", 2), ("W a: new", 2), ("I a: once", 1)],
        );
        let all = compare(&[("case", Some(before), Some(now))]);
        let [logs] = &all.logs[..] else {
            panic!("{:?}", all.logs)
        };
        assert_eq!(
            (&logs.gone[..], &logs.new[..]),
            (&["I a: old".to_owned()][..], &["W a: new".to_owned()][..])
        );
    }
}
