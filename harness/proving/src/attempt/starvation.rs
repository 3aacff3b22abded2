//! Whether the host had a core for the emulators of an attempt.
//!
//! An emulated board's time goes on whether its core is emulated or not: on a host that has other
//! things to do, the device misses deadlines for which it cannot be blamed.

use std::fs;
use std::path::Path;
use std::time::Duration;

use trace::{Trace, Witness, WitnessReport};

/// So much of its own time a device can lose without missing a deadline that it would have met.
const TOLERATED: Duration = Duration::from_secs(2);

/// What the emulators had lost when a step began.
#[derive(Clone, Copy, Debug)]
pub struct Starvation {
    factor: u32,
    before: Duration,
}

impl Starvation {
    /// Of devices whose time runs `factor` times faster than the host's.
    pub fn new(factor: u16) -> Self {
        Self {
            factor: factor.into(),
            before: waited(),
        }
    }

    /// A step begins.
    pub fn begin(&mut self) {
        self.before = waited();
    }

    /// Tells the trace if the host was too slow in this step.
    pub fn testify(&self, trace: &Trace) {
        let lost = waited().saturating_sub(self.before) * self.factor;
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

/// How long the children of this process could have run and had no core to run on, so far. Zero
/// where the kernel does not tell.
fn waited() -> Duration {
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
    let delays = children
        .flat_map(|child| threads(&child))
        .filter_map(|thread| delay(&fs::read_to_string(thread.join("schedstat")).ok()?));
    Duration::from_nanos(delays.sum())
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
    fn only_what_can_miss_a_deadline_is_the_hosts_fault() {
        assert!(judged(Duration::from_millis(1_999)).is_none());
        let report = judged(Duration::from_millis(2_500)).expect("a report");
        assert!(
            !report.sound && report.detail.contains("2500 ms"),
            "{report:?}"
        );
    }
}
