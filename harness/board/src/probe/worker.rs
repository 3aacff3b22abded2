//! The thread that talks to a probe.
//!
//! It does what it is told, one call after the other, and listens to the board in between. A
//! watchdog notices when it is stuck while no call waits for an answer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::device::Device;
use super::event::Listener;
use super::{ProbeEvent, ProbeSettings};
use crate::defmt::Image;
use crate::error::ProbeError;

/// Listening never takes longer than this, or the probe hangs.
const LISTEN_LIMIT: Duration = Duration::from_secs(3);
/// A board that is dropped is let go within this, or by itself later.
const FAREWELL: Duration = Duration::from_millis(300);
/// How often the watchdog looks.
const WATCH: Duration = Duration::from_millis(250);

/// What a job says to a caller that blocks.
enum Said<S, R> {
    Step(S),
    Result(Result<R, ProbeError>),
}

type Job = Box<dyn FnOnce(&mut Device) + Send>;

/// A handle to the thread. Dropping it ends the thread as soon as the probe lets it.
pub(crate) struct Worker {
    selector: String,
    jobs: Option<Sender<Job>>,
    pulse: Arc<Pulse>,
    /// Closed when the thread has ended.
    ended: Receiver<()>,
    given_up: Option<String>,
}

/// What the thread shows of itself.
struct Pulse {
    started: Instant,
    /// ms since `started` when it began to listen; 0 while it does not.
    listening: AtomicU64,
    /// True as soon as the thread is left to itself.
    abandoned: AtomicBool,
    /// Whether what the board does is listened to.
    is_heard: AtomicBool,
}

impl Worker {
    /// Starts the thread. What it hears goes to `listener`.
    pub(crate) fn start(
        settings: ProbeSettings,
        image: Arc<Image>,
        listener: impl Fn() -> Listener,
    ) -> Self {
        let (jobs, queue) = mpsc::channel();
        let pulse = Arc::new(Pulse {
            started: Instant::now(),
            listening: AtomicU64::new(0),
            abandoned: AtomicBool::new(false),
            is_heard: AtomicBool::new(true),
        });
        let (end, ended) = mpsc::channel();
        let selector = settings.selector.clone();
        let device = Device::new(settings, image, while_heard(listener(), pulse.clone()));
        spawn("probe", {
            let pulse = pulse.clone();
            move || {
                serve(device, &queue, &pulse);
                drop(end);
            }
        });
        spawn("probe watchdog", {
            let pulse = Arc::downgrade(&pulse);
            let (listener, selector) = (listener(), selector.clone());
            move || watch(&pulse, listener, &selector)
        });
        Self {
            selector,
            jobs: Some(jobs),
            pulse,
            ended,
            given_up: None,
        }
    }

    /// Runs `job` on the thread. `what` reads after "it was to".
    ///
    /// Its limit is in the host's time: however fast the lab's clock runs, a probe takes its time.
    pub(crate) async fn call<R: Send + 'static>(
        &mut self,
        what: &str,
        limit: Duration,
        job: impl FnOnce(&mut Device) -> Result<R, ProbeError> + Send + 'static,
    ) -> Result<R, ProbeError> {
        let (answer, answered) = oneshot::channel();
        self.send(what, move |device| {
            // The caller does not wait any more if this took too long.
            let _ = answer.send(job(device));
        })?;
        #[expect(
            clippy::disallowed_methods,
            reason = "a probe is not in the lab: its limits are in the host's time"
        )]
        match tokio::time::timeout(limit, answered).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(self.driver_panicked(what)),
            Err(_) => Err(self.give_up(what, limit)),
        }
    }

    /// The same for callers that may block.
    pub(crate) fn call_blocking<R: Send + 'static>(
        &mut self,
        what: &str,
        limit: Duration,
        job: impl FnOnce(&mut Device) -> Result<R, ProbeError> + Send + 'static,
    ) -> Result<R, ProbeError> {
        self.call_telling(
            what,
            limit,
            |device, _: &mut dyn FnMut(())| job(device),
            |()| {},
        )
    }

    /// The same for jobs that tell how far they are, which is passed to `on_step` on this thread.
    pub(crate) fn call_telling<R: Send + 'static, S: Send + 'static>(
        &mut self,
        what: &str,
        limit: Duration,
        job: impl FnOnce(&mut Device, &mut dyn FnMut(S)) -> Result<R, ProbeError> + Send + 'static,
        mut on_step: impl FnMut(S),
    ) -> Result<R, ProbeError> {
        let (sender, said) = mpsc::channel();
        // The caller does not listen any more if this took too long.
        self.send(what, move |device| {
            let mut tell = |step| {
                let _ = sender.send(Said::Step(step));
            };
            let result = job(device, &mut tell);
            let _ = sender.send(Said::Result(result));
        })?;
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match said.recv_timeout(left) {
                Ok(Said::Step(step)) => on_step(step),
                Ok(Said::Result(result)) => return result,
                Err(RecvTimeoutError::Disconnected) => return Err(self.driver_panicked(what)),
                Err(RecvTimeoutError::Timeout) => return Err(self.give_up(what, limit)),
            }
        }
    }

    fn send(
        &mut self,
        what: &str,
        job: impl FnOnce(&mut Device) + Send + 'static,
    ) -> Result<(), ProbeError> {
        if self.given_up.is_none() && self.pulse.abandoned.load(Ordering::Acquire) {
            // By the watchdog, which has told so.
            self.given_up = Some("read the log".to_owned());
        }
        if let Some(what) = &self.given_up {
            return Err(ProbeError::GivenUp {
                selector: self.selector.clone(),
                what: what.clone(),
            });
        }
        let sent = match &self.jobs {
            Some(jobs) => jobs.send(Box::new(job)).is_ok(),
            None => false,
        };
        match sent {
            true => Ok(()),
            false => Err(self.driver_panicked(what)),
        }
    }

    fn driver_panicked(&mut self, what: &str) -> ProbeError {
        self.give_up(what, Duration::ZERO);
        ProbeError::DriverPanicked {
            selector: self.selector.clone(),
            what: what.to_owned(),
        }
    }

    /// Leaves the thread to itself: it ends if the probe ever answers.
    fn give_up(&mut self, what: &str, limit: Duration) -> ProbeError {
        self.pulse.abandoned.store(true, Ordering::Release);
        self.jobs = None;
        self.given_up = Some(what.to_owned());
        ProbeError::Hung {
            selector: self.selector.clone(),
            what: what.to_owned(),
            limit,
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.pulse.is_heard.store(false, Ordering::Release);
        self.jobs = None;
        if !self.pulse.abandoned.load(Ordering::Acquire) {
            // The next worker of this probe must find it free. Ends when the thread does.
            let _ = self.ended.recv_timeout(FAREWELL);
        }
        self.pulse.abandoned.store(true, Ordering::Release);
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map(drop)
        .expect("a process that runs a harness can start two threads");
}

/// Nothing is heard of a board that was given up or dropped.
fn while_heard(mut listener: Listener, pulse: Arc<Pulse>) -> Listener {
    Box::new(move |heard| {
        let is_heard = pulse.is_heard.load(Ordering::Acquire);
        match is_heard && !pulse.abandoned.load(Ordering::Acquire) {
            true => listener(heard),
            false => heard.clear(),
        }
    })
}

fn serve(mut device: Device, queue: &Receiver<Job>, pulse: &Pulse) {
    loop {
        let job = match device.until_next_poll() {
            None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(wait) => queue.recv_timeout(wait),
        };
        match job {
            // probe-rs panics on some answers that no sound probe gives; then the call gets no
            // answer, and the board is given up.
            Ok(job) => {
                if catch_unwind(AssertUnwindSafe(|| job(&mut device))).is_err() {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                if !pulse.abandoned.load(Ordering::Acquire) {
                    // No caller is left to be told that it failed.
                    let _ = catch_unwind(AssertUnwindSafe(|| device.leave()));
                }
                return;
            }
        }
        pulse.listen(true);
        let polled = catch_unwind(AssertUnwindSafe(|| device.poll()));
        pulse.listen(false);
        if polled.is_err() {
            device.hear(ProbeEvent::Gone(
                "the probe's driver panicked: unplug the probe and plug it in again".to_owned(),
            ));
            return;
        }
    }
}

impl Pulse {
    fn listen(&self, listening: bool) {
        let now = match listening {
            true => u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX) + 1,
            false => 0,
        };
        self.listening.store(now, Ordering::Release);
    }

    fn listens_since(&self) -> Option<Duration> {
        match self.listening.load(Ordering::Acquire) {
            0 => None,
            since => Some(
                self.started
                    .elapsed()
                    .saturating_sub(Duration::from_millis(since - 1)),
            ),
        }
    }
}

fn watch(pulse: &Weak<Pulse>, mut listener: Listener, selector: &str) {
    loop {
        thread::sleep(WATCH);
        let Some(pulse) = pulse.upgrade() else { return };
        let is_heard = pulse.is_heard.load(Ordering::Acquire);
        if pulse.abandoned.load(Ordering::Acquire) || !is_heard {
            return;
        }
        if pulse
            .listens_since()
            .is_some_and(|since| since > LISTEN_LIMIT)
        {
            pulse.abandoned.store(true, Ordering::Release);
            let error = ProbeError::Hung {
                selector: selector.to_owned(),
                what: "read the log".to_owned(),
                limit: LISTEN_LIMIT,
            };
            listener(&mut vec![ProbeEvent::Gone(error.to_string())]);
            return;
        }
    }
}
