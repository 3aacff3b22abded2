//! What a contract costs, and which one cannot be relied on.

use std::fmt;
use std::time::Duration;

/// A shorter attempt counts as one of this length: what a host takes for itself in the midst of a contract
/// is counted as the contract's.
const SHORTEST: Duration = Duration::from_secs(25);
/// One part in so many of an attempt is what a contract may take.
const SHARE: u32 = 100;

/// A contract that cannot be relied on: the harness's fault, never the device's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unable {
    /// Its id.
    pub contract: &'static str,
    /// What is wrong with it.
    pub why: Why,
}

/// What is wrong with a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// It panicked, and said this.
    Panicked(String),
    /// It took so much time of a processor, of so long an attempt.
    TookLong { spent: Duration, attempt: Duration },
}

impl Why {
    pub(crate) fn of_cost(spent: Duration, attempt: Duration) -> Option<Self> {
        let attempt = attempt.max(SHORTEST);
        (spent > attempt / SHARE).then_some(Self::TookLong { spent, attempt })
    }
}

impl fmt::Display for Unable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { contract, why } = self;
        match why {
            Why::Panicked(said) => write!(f, "contract {contract} panicked: {said}"),
            Why::TookLong { spent, attempt } => write!(
                f,
                "contract {contract} took {} ms of an attempt of {} ms, more than a hundredth",
                spent.as_millis(),
                attempt.as_millis()
            ),
        }
    }
}

impl std::error::Error for Unable {}

/// Measures the processor time of this thread: that the host runs other programs costs a contract nothing, and what
/// it does in the name of this thread little.
#[derive(Debug)]
pub struct Stopwatch(Duration);

impl Stopwatch {
    pub fn start() -> Self {
        Self(of_this_thread())
    }

    /// What has passed since the last lap.
    pub fn lap(&mut self) -> Duration {
        let now = of_this_thread();
        let lap = now.saturating_sub(self.0);
        self.0 = now;
        lap
    }
}

fn of_this_thread() -> Duration {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` lives through the call, which fills it. Every system that has the clock can read it.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut now) };
    Duration::new(
        u64::try_from(now.tv_sec).unwrap_or_default(),
        u32::try_from(now.tv_nsec).unwrap_or_default(),
    )
}
