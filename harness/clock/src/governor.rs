//! The governor: decides how fast lab time runs.

#![expect(
    clippy::disallowed_methods,
    reason = "the clock is what everybody else's timers come from"
)]

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::yield_now;

use crate::LabTime;
use crate::call::{Services, any_under_way};

/// Rounds of the runtime without a touch after which everybody is taken to be waiting. A message
/// crosses at most this many tasks and loopback sockets between two touches.
const QUIET_ROUNDS: usize = 10;
/// A wait shorter than this is skipped: the host's timers are no finer.
const SHORTEST_WAIT: Duration = Duration::from_micros(1500);
/// While a task is busy, the governor looks this often whether the host keeps up.
const HEARTBEAT: Duration = Duration::from_millis(50);
/// A heartbeat this late is reported as a lag of the host.
const LAG: Duration = Duration::from_millis(250);
/// On a clock that always runs ahead a lag counts as many times more, but the host's scheduler keeps
/// anybody waiting for so long now and then.
const SHORTEST_LAG: Duration = Duration::from_millis(60);

/// Lab time; cheap to clone, all clones show the same.
#[derive(Clone)]
pub struct Clock {
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<State>,
    /// Counts touches and guards, so that the governor sees any in between.
    activity: AtomicU64,
    busy: AtomicUsize,
    /// Services that are called.
    services: Mutex<Services>,
    /// Sockets of the host whose owners live in lab time, and how often each was named.
    inhabitants: Mutex<BTreeMap<SocketAddr, usize>>,
    /// Whether a call to any of them keeps lab time at the host's pace.
    calling: AtomicBool,
    /// True while lab time runs faster than the host's: any touch must then wake the governor.
    fast: AtomicBool,
    wake: Notify,
    speed: Speed,
    epoch: Mutex<Duration>,
}

/// How fast lab time runs.
#[derive(Clone, Copy, Debug)]
enum Speed {
    /// At the host's pace while anybody works, and so many times faster while everybody waits.
    Ahead(f64),
    /// So many times faster than the host's, always.
    Fixed(f64),
}

impl Speed {
    /// Lab seconds per host second while a task is busy.
    fn at_work(self) -> f64 {
        match self {
            Self::Ahead(_) => 1.0,
            Self::Fixed(pace) => pace,
        }
    }

    /// The longest that a heartbeat may be late.
    fn lag(self) -> Duration {
        match self {
            Self::Ahead(_) => LAG,
            Self::Fixed(pace) => LAG.div_f64(pace).max(SHORTEST_LAG),
        }
    }
}

struct State {
    lab: u64,
    wall: Instant,
    pace: f64,
    ceiling: u64,
    timers: BTreeMap<(u64, u64), Waker>,
    next_id: u64,
    /// The deadline that the governor sleeps for, if it sleeps.
    waiting_for: u64,
    on_lag: Option<Box<dyn Fn(Duration) + Send>>,
}

impl Clock {
    /// A clock whose governor runs on the current tokio runtime, which must be a current-thread
    /// one if `speed` is above 1. `speed` is lab seconds per host second while everybody waits.
    pub fn start(speed: f64) -> Self {
        Self::with_speed(Speed::Ahead(speed.max(1.0)))
    }

    /// A clock that always runs `pace` times faster than the host's, for devices whose time does so
    /// too and cannot be made to wait. Below 1 counts as 1.
    pub fn start_fixed(pace: f64) -> Self {
        Self::with_speed(Speed::Fixed(pace.max(1.0)))
    }

    fn with_speed(speed: Speed) -> Self {
        let epoch = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        let clock = Self {
            inner: Arc::new(Inner {
                state: Mutex::new(State {
                    lab: 0,
                    wall: Instant::now(),
                    pace: speed.at_work(),
                    ceiling: u64::MAX,
                    timers: BTreeMap::new(),
                    next_id: 0,
                    waiting_for: 0,
                    on_lag: None,
                }),
                activity: AtomicU64::new(0),
                busy: AtomicUsize::new(0),
                services: Mutex::default(),
                inhabitants: Mutex::default(),
                calling: AtomicBool::new(false),
                fast: AtomicBool::new(false),
                wake: Notify::new(),
                speed,
                epoch: Mutex::new(epoch),
            }),
        };
        tokio::spawn(clock.clone().govern());
        clock
    }

    /// The present moment.
    pub fn now(&self) -> LabTime {
        LabTime::from_micros(self.state().now())
    }

    /// The present moment as Unix time (since 1970-01-01 UTC) in the lab.
    pub fn unix_now(&self) -> Duration {
        self.epoch() + self.now().since_start()
    }

    /// Moves the lab's calendar so that its clock started at Unix time `epoch`.
    pub fn set_epoch(&self, epoch: Duration) {
        *self
            .inner
            .epoch
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = epoch;
    }

    /// Unix time at [`LabTime::START`]: the host's at start, unless moved.
    pub fn epoch(&self) -> Duration {
        *self
            .inner
            .epoch
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that bytes moved: lab time runs at the host's pace until they have been dealt with.
    pub fn touch(&self) {
        self.inner.activity.fetch_add(1, Ordering::AcqRel);
        if self.inner.fast.load(Ordering::Acquire) {
            self.inner.wake.notify_one();
        }
    }

    /// While the guard lives, a task computes and lab time runs at the host's pace.
    pub fn busy(&self) -> Busy {
        self.inner.busy.fetch_add(1, Ordering::AcqRel);
        self.touch();
        Busy {
            clock: self.clone(),
        }
    }

    /// Changes what is known of the services that are called.
    pub(crate) fn change_services<T>(&self, change: impl FnOnce(&mut Services) -> T) -> T {
        let mut services = self
            .inner
            .services
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut services);
        let calling = any_under_way(&services);
        self.inner.calling.store(calling, Ordering::Release);
        drop(services);
        // In either direction: lab time runs too fast, or needlessly slowly.
        self.inner.activity.fetch_add(1, Ordering::AcqRel);
        self.inner.wake.notify_one();
        changed
    }

    /// What is known of peers that live in lab time.
    pub(crate) fn inhabitants(&self) -> MutexGuard<'_, BTreeMap<SocketAddr, usize>> {
        let inhabitants = self.inner.inhabitants.lock();
        inhabitants.unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `report` with the delay whenever the host ran this runtime far too late.
    pub fn on_lag(&self, report: impl Fn(Duration) + Send + 'static) {
        self.state().on_lag = Some(Box::new(report));
    }

    pub(crate) fn register(&self, deadline: LabTime, id: Option<u64>, waker: &Waker) -> u64 {
        let mut state = self.state();
        let id = id.unwrap_or_else(|| {
            state.next_id += 1;
            state.next_id
        });
        state
            .timers
            .insert((deadline.as_micros(), id), waker.clone());
        if deadline.as_micros() < state.waiting_for {
            self.inner.wake.notify_one();
        }
        id
    }

    pub(crate) fn unregister(&self, deadline: LabTime, id: u64) {
        self.state().timers.remove(&(deadline.as_micros(), id));
    }

    async fn govern(self) {
        loop {
            // The last clone but ours is gone: no task can wait any more.
            if Arc::strong_count(&self.inner) == 1 {
                return;
            }
            self.fire_due();
            if let Speed::Fixed(_) = self.inner.speed {
                self.wait_at_work().await;
                continue;
            }
            if !self.settled().await {
                if self.is_busy() {
                    self.wait_at_work().await;
                }
                continue;
            }
            self.run_ahead().await;
        }
    }

    /// Wakes the tasks that wait for a moment that has come.
    fn fire_due(&self) {
        let due = {
            let mut state = self.state();
            let now = state.now();
            let later = state.timers.split_off(&(now + 1, 0));
            std::mem::replace(&mut state.timers, later)
        };
        if !due.is_empty() {
            self.inner.activity.fetch_add(1, Ordering::AcqRel);
        }
        for waker in due.into_values() {
            waker.wake();
        }
    }

    /// Whether several rounds of the runtime pass in which no task does anything.
    async fn settled(&self) -> bool {
        let before = self.inner.activity.load(Ordering::Acquire);
        let began = Instant::now();
        for _ in 0..QUIET_ROUNDS {
            yield_now().await;
            self.watch_host(began, Duration::ZERO);
            if self.is_busy() || self.inner.activity.load(Ordering::Acquire) != before {
                return false;
            }
        }
        true
    }

    async fn wait_at_work(&self) {
        let wait = {
            let mut state = self.state();
            let now = state.now();
            let next = state.earliest().unwrap_or(u64::MAX);
            state.waiting_for = next;
            let pace = self.inner.speed.at_work();
            Duration::from_micros(next.saturating_sub(now))
                .div_f64(pace)
                .min(HEARTBEAT)
        };
        let began = Instant::now();
        tokio::select! {
            () = self.inner.wake.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
        self.watch_host(began, wait);
        self.state().waiting_for = 0;
    }

    /// Reports a lag if what should have taken `expected` since `began` took far longer. That something woke the
    /// governor in the meantime makes it no less of one.
    fn watch_host(&self, began: Instant, expected: Duration) {
        let late = began.elapsed().saturating_sub(expected);
        if late > self.inner.speed.lag() {
            self.report_lag(late);
        }
    }

    async fn run_ahead(&self) {
        match self.plan_ahead() {
            Ahead::Nothing => {}
            Ahead::NoTimer => self.inner.wake.notified().await,
            Ahead::Wait(wait) => {
                tokio::select! {
                    () = self.inner.wake.notified() => {}
                    () = tokio::time::sleep(wait) => {}
                }
                self.inner.fast.store(false, Ordering::Release);
            }
        }
        let mut state = self.state();
        let now = state.now();
        state.anchor(now);
        state.waiting_for = 0;
    }

    fn plan_ahead(&self) -> Ahead {
        let mut state = self.state();
        let now = state.now();
        let Some(next) = state.earliest() else {
            state.waiting_for = u64::MAX;
            return Ahead::NoTimer;
        };
        if next <= now {
            return Ahead::Nothing;
        }
        let Speed::Ahead(speed) = self.inner.speed else {
            return Ahead::Nothing;
        };
        let wait = Duration::from_micros(next - now).div_f64(speed);
        if wait < SHORTEST_WAIT && speed > 1.0 {
            state.anchor(next);
            return Ahead::Nothing;
        }
        state.anchor(now);
        state.pace = speed;
        state.ceiling = next;
        state.waiting_for = next;
        self.inner.fast.store(true, Ordering::Release);
        Ahead::Wait(wait)
    }

    fn report_lag(&self, late: Duration) {
        // The callback may ask what time it is.
        let report = self.state().on_lag.take();
        if let Some(report) = report {
            report(late);
            self.state().on_lag.get_or_insert(report);
        }
    }

    fn is_busy(&self) -> bool {
        self.inner.busy.load(Ordering::Acquire) > 0 || self.inner.calling.load(Ordering::Acquire)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("now", &self.now()).finish()
    }
}

/// What to do when everybody waits.
enum Ahead {
    /// A timer is due already, or time was moved to it.
    Nothing,
    /// No timer at all: only bytes or a guard can bring work.
    NoTimer,
    /// Time runs at full speed for so long.
    Wait(Duration),
}

impl State {
    fn now(&self) -> u64 {
        let passed = self.wall.elapsed().mul_f64(self.pace).as_micros();
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        self.lab.saturating_add(passed).min(self.ceiling)
    }

    /// Continues from `lab` at the host's pace.
    fn anchor(&mut self, lab: u64) {
        self.lab = lab;
        self.wall = Instant::now();
        self.pace = 1.0;
        self.ceiling = u64::MAX;
    }

    fn earliest(&self) -> Option<u64> {
        self.timers.first_key_value().map(|((at, _), _)| *at)
    }
}

/// Guard of a task that computes; see [`Clock::busy`].
#[derive(Debug)]
pub struct Busy {
    clock: Clock,
}

impl Drop for Busy {
    fn drop(&mut self) {
        if self.clock.inner.busy.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.clock.inner.activity.fetch_add(1, Ordering::AcqRel);
            self.clock.inner.wake.notify_one();
        }
    }
}
