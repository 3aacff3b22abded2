//! Whether a busy device is really computing, or starved by the host.

use std::fs;
use std::time::Duration;

use clock::LabTime;

/// A device that is busy for so long is looked at.
const PATIENCE: Duration = Duration::from_millis(500);
/// A device that takes so much processor time without becoming idle spins: the longest computation
/// of a firmware, a TLS handshake, takes a fraction of it. It is counted from the first look.
const SPINS: Duration = Duration::from_millis(1250);
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
    computed: Duration,
    starved: bool,
    spins: bool,
}

/// What is found out about a busy device; each once until it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// The host starves it: how.
    Starved(String),
    /// The host gives it processor time again.
    Fed,
    /// It has been busy for so long, and computes.
    Spins(Duration),
}

impl Effort {
    pub(super) fn begin(now: LabTime) -> Self {
        Self {
            since: now,
            check: now + PATIENCE,
            before: None,
            computed: Duration::ZERO,
            starved: false,
            spins: false,
        }
    }

    /// When to look at the device again.
    pub(super) fn check_at(&self) -> LabTime {
        self.check
    }

    /// Whether the device was found starved, and nothing better since.
    pub(super) fn is_starved(&self) -> bool {
        self.starved
    }

    /// Whether the device was found to spin.
    pub(super) fn spins(&self) -> bool {
        self.spins
    }

    /// Since when the device is busy.
    pub(super) fn since(&self) -> LabTime {
        self.since
    }

    /// Looks at the device.
    pub(super) fn look(&mut self, now: LabTime, process: Option<u32>) -> Option<Finding> {
        self.judge(now, process.and_then(processor_time))
    }

    fn judge(&mut self, now: LabTime, used: Option<Duration>) -> Option<Finding> {
        let between = now.since(self.check) + PATIENCE;
        self.check = now + PATIENCE;
        let before = std::mem::replace(&mut self.before, used)?;
        let used = used?.saturating_sub(before);
        self.computed += used;
        let busy = now.since(self.since);
        if !self.spins && self.computed >= SPINS {
            self.spins = true;
            return Some(Finding::Spins(busy));
        }
        let starved = used * FAIR_SHARE < between;
        if std::mem::replace(&mut self.starved, starved) == starved {
            return None;
        }
        Some(match starved {
            true => Finding::Starved(format!(
                "busy for {busy:.1?}, with {used:.1?} of processor time in the last {between:.1?}"
            )),
            false => Finding::Fed,
        })
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
        let how = "busy for 1.0s, with 40.0ms of processor time in the last 500.0ms";
        assert_eq!(said, Some(Finding::Starved(how.to_owned())));
        assert_eq!(effort.judge(LabTime::from_micros(1_500_000), ms(60)), None);
        assert!(effort.is_starved());
    }

    #[test]
    fn a_device_that_computes_without_end_spins_and_is_said_so_once() {
        let mut effort = Effort::begin(LabTime::START);
        for half in 1..4 {
            let now = LabTime::from_micros(500_000 * half);
            assert_eq!(effort.judge(now, ms(490 * half)), None);
        }
        let said = effort.judge(LabTime::from_micros(2_000_000), ms(1960));
        assert_eq!(said, Some(Finding::Spins(Duration::from_secs(2))));
        assert!(effort.spins() && !effort.is_starved());
        assert_eq!(
            effort.judge(LabTime::from_micros(2_500_000), ms(2450)),
            None
        );
    }

    #[test]
    fn a_device_that_the_host_starves_is_not_said_to_spin() {
        let mut effort = Effort::begin(LabTime::START);
        for half in 1..10 {
            let now = LabTime::from_micros(500_000 * half);
            let said = effort.judge(now, ms(20 * half));
            assert!(!matches!(said, Some(Finding::Spins(_))), "{said:?}");
        }
        assert!(!effort.spins());
    }

    #[test]
    fn a_device_that_spins_is_said_so_when_the_host_starved_it_before() {
        let mut effort = Effort::begin(LabTime::START);
        let mut look =
            |half: u64, used| effort.judge(LabTime::from_micros(500_000 * half), ms(used));
        assert_eq!(look(1, 0), None);
        assert!(matches!(look(2, 90), Some(Finding::Starved(_))));
        assert_eq!(look(3, 580), Some(Finding::Fed));
        assert_eq!(look(4, 1070), None);
        let spins = Finding::Spins(Duration::from_millis(2500));
        assert_eq!(look(5, 1560), Some(spins));
        assert_eq!(look(6, 2050), None);
        assert!(effort.spins() && !effort.is_starved());
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
