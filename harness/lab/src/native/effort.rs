//! Whether a busy device is really computing, or starved by the host.

use std::fs;
use std::time::Duration;

use clock::LabTime;

/// A device that is busy for so long is looked at.
const PATIENCE: Duration = Duration::from_millis(500);
/// A device that gets less than one part in so many of the time is starved.
const FAIR_SHARE: u32 = 4;
/// Length of a tick in `/proc/PID/stat`: `USER_HZ` is 100 on every architecture that Linux has.
const TICK: Duration = Duration::from_millis(10);

/// One period in which the device is busy. Lab time runs at the host's pace in it.
#[derive(Debug)]
pub(super) struct Effort {
    since: LabTime,
    check: LabTime,
    before: Option<Duration>,
    starved: bool,
}

impl Effort {
    pub(super) fn begin(now: LabTime) -> Self {
        Self {
            since: now,
            check: now + PATIENCE,
            before: None,
            starved: false,
        }
    }

    /// When to look at the device again.
    pub(super) fn check_at(&self) -> LabTime {
        self.check
    }

    /// Whether the device was found starved.
    pub(super) fn is_starved(&self) -> bool {
        self.starved
    }

    /// Looks at the device. Says, once, how it is starved, if it is.
    pub(super) fn look(&mut self, now: LabTime, process: Option<u32>) -> Option<String> {
        self.judge(now, process.and_then(processor_time))
    }

    fn judge(&mut self, now: LabTime, used: Option<Duration>) -> Option<String> {
        let between = now.since(self.check) + PATIENCE;
        self.check = now + PATIENCE;
        let before = std::mem::replace(&mut self.before, used)?;
        let used = used?.saturating_sub(before);
        if self.starved || used * FAIR_SHARE >= between {
            return None;
        }
        self.starved = true;
        let busy = now.since(self.since);
        Some(format!(
            "busy for {busy:.1?}, with {used:.1?} of processor time in the last {between:.1?}"
        ))
    }
}

/// Processor time of a process so far.
fn processor_time(process: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may hold anything; user and system time are the 12th and 13th
    // fields behind it (proc(5)).
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let ticks = fields.next()?.parse::<u32>().ok()? + fields.next()?.parse::<u32>().ok()?;
    Some(TICK * ticks)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Option<Duration> {
        Some(Duration::from_millis(ms))
    }

    #[test]
    fn a_device_that_computes_is_not_starved() {
        let mut effort = Effort::begin(LabTime::START);
        assert_eq!(effort.judge(LabTime::from_micros(500_000), ms(480)), None);
        assert_eq!(effort.judge(LabTime::from_micros(1_000_000), ms(700)), None);
        assert!(!effort.is_starved());
    }

    #[test]
    fn a_device_that_is_busy_without_processor_time_is_starved_and_said_so_once() {
        let mut effort = Effort::begin(LabTime::START);
        assert_eq!(effort.judge(LabTime::from_micros(500_000), ms(20)), None);
        let said = effort.judge(LabTime::from_micros(1_000_000), ms(60));
        assert_eq!(
            said.as_deref(),
            Some("busy for 1.0s, with 40.0ms of processor time in the last 500.0ms")
        );
        assert_eq!(effort.judge(LabTime::from_micros(1_500_000), ms(60)), None);
        assert!(effort.is_starved());
    }

    #[test]
    fn without_numbers_nothing_is_claimed() {
        let mut effort = Effort::begin(LabTime::START);
        assert_eq!(effort.judge(LabTime::from_micros(500_000), None), None);
        assert_eq!(effort.judge(LabTime::from_micros(1_000_000), None), None);
        assert!(!effort.is_starved());
    }

    #[test]
    fn this_process_has_used_processor_time() {
        let mut sum = 0_u64;
        let begun = processor_time(std::process::id()).expect("Linux has /proc");
        while processor_time(std::process::id()) == Some(begun) {
            sum = (0..100_000).fold(sum, u64::wrapping_add);
        }
        assert!(processor_time(std::process::id()) > Some(begun), "{sum}");
    }
}
