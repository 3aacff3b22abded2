//! Whether the host had a core for the emulators of an attempt.
//!
//! An emulated board's time goes on whether its core is emulated or not: on a host that has other
//! things to do, the device misses deadlines for which it cannot be blamed.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use trace::{Trace, Witness, WitnessReport};

/// So much of its own time a device can lose without missing a deadline that it would have met.
const TOLERATED: Duration = Duration::from_secs(2);

/// What the emulators had lost when a step began.
#[derive(Clone, Debug)]
pub struct Starvation {
    factor: u32,
    before: Delays,
}

/// How long each thread could have run and had no core to run on, in ns.
type Delays = BTreeMap<PathBuf, u64>;

impl Starvation {
    /// Of devices whose time runs `factor` times faster than the host's.
    pub fn new(factor: u16) -> Self {
        Self {
            factor: factor.into(),
            before: delays(),
        }
    }

    /// A step begins.
    pub fn begin(&mut self) {
        self.before = delays();
    }

    /// Tells the trace if the host was too slow in this step.
    pub fn testify(&self, trace: &Trace) {
        let lost = since(&self.before, &delays()) * self.factor;
        if let Some(report) = judged(lost) {
            trace.emit(None, &report);
        }
    }
}

/// What is to be said of so much of the device's time without a core.
fn judged(lost: Duration) -> Option<WitnessReport> {
    (lost >= TOLERATED).then(|| WitnessReport {
        witness: Witness::Host,
        sound: false,
        detail: format!(
            "host too slow: the emulator had no core for {} ms of the device's time",
            lost.as_millis()
        ),
    })
}

/// What threads have lost since `before`. An emulator that has ended meanwhile tells no more.
fn since(before: &Delays, now: &Delays) -> Duration {
    let lost = now.iter().map(|(thread, now)| {
        let before = before.get(thread).copied().unwrap_or_default();
        now.saturating_sub(before)
    });
    Duration::from_nanos(lost.sum())
}

/// The delays of this process's children, so far. None where the kernel does not tell.
fn delays() -> Delays {
    let threads = |process: &Path| -> Vec<_> {
        let threads = fs::read_dir(process.join("task"));
        threads
            .into_iter()
            .flatten()
            .flatten()
            .map(|thread| thread.path())
            .collect()
    };
    let children = threads(Path::new("/proc/self"))
        .into_iter()
        .filter_map(|thread| fs::read_to_string(thread.join("children")).ok())
        .flat_map(|children| {
            let children = children.split_whitespace();
            children
                .map(|child| Path::new("/proc").join(child))
                .collect::<Vec<_>>()
        });
    children
        .flat_map(|child| threads(&child))
        .filter_map(|thread| {
            let schedstat = fs::read_to_string(thread.join("schedstat")).ok()?;
            Some((thread, delay(&schedstat)?))
        })
        .collect()
}

/// In ns; the second of three numbers (Linux, `Documentation/scheduler/sched-stats.rst`).
fn delay(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_tells_how_long_a_thread_has_waited() {
        assert_eq!(delay("1234 5678 9\n"), Some(5678));
        assert_eq!(delay(""), None);
        assert_eq!(delay("1 x 2"), None);
    }

    #[test]
    fn an_emulator_that_ended_takes_nothing_from_what_others_lost() {
        let delays = |all: &[(&str, u64)]| -> Delays {
            let all = all.iter();
            all.map(|(thread, ns)| (PathBuf::from(thread), *ns))
                .collect()
        };
        let before = delays(&[("ended", 9_000), ("stays", 100)]);
        let now = delays(&[("stays", 150), ("new", 30)]);
        assert_eq!(since(&before, &now), Duration::from_nanos(80));
    }

    #[test]
    fn only_what_can_miss_a_deadline_is_the_hosts_fault() {
        assert!(judged(Duration::from_millis(1_999)).is_none());
        let report = judged(Duration::from_millis(2_500)).expect("a report");
        assert!(
            !report.sound && report.detail.contains("2500 ms"),
            "{report:?}"
        );
    }
}
