//! The medium, as the rest of the lab sees it.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use clock::{Clock, LabTime};
use tokio::net::UnixListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use trace::Trace;

use super::controller::Controller;
use super::h4::Packet;
use super::medium::Medium;
use super::port;
use super::power;
use super::radio::RadioId;
use crate::wire::LabEnd;
use trace::air::RadioFaults;

/// The medium that controllers share; cheap to clone, all clones are the same medium.
///
/// Lives on the runtime that it is made on; its time is that of its trace.
#[derive(Clone)]
pub struct Ether {
    inner: Arc<Inner>,
}

struct Inner {
    clock: Clock,
    medium: Mutex<Medium>,
    /// Something else may be due.
    changed: Arc<Notify>,
    /// Ports for outsiders and boards' controllers; they end with the medium.
    tasks: Mutex<JoinSet<()>>,
}

impl Ether {
    /// An empty medium whose events go into `trace` and whose time is that trace's clock. Must be
    /// called on a tokio runtime.
    pub fn new(trace: Trace) -> Self {
        let clock = trace.clock().clone();
        let changed = Arc::new(Notify::new());
        let inner = Arc::new(Inner {
            clock: clock.clone(),
            medium: Mutex::new(Medium::new(trace)),
            changed: changed.clone(),
            tasks: Mutex::default(),
        });
        tokio::spawn(keep_time(Arc::downgrade(&inner), clock, changed));
        Self { inner }
    }

    /// A new controller. `name` is that of its device or host in the trace, `address` its public
    /// address, most significant byte first.
    pub fn controller(&self, name: &str, address: [u8; 6]) -> Controller {
        let mut bytes = address;
        bytes.reverse();
        let bell = Arc::new(Notify::new());
        let id = self.medium().add(name, bytes, bell.clone());
        let weak = WeakEther(Arc::downgrade(&self.inner));
        Controller::new(weak, self.inner.clock.clone(), id, bell)
    }

    /// Has a board behind `wire` use a controller of this medium, with its public address most
    /// significant byte first. It is on the air while the board has power. Ends with the medium, or
    /// with the board.
    pub fn attach(&self, device: &str, address: [u8; 6], wire: LabEnd) {
        let weak = WeakEther(Arc::downgrade(&self.inner));
        self.spawn(power::follow(weak, device.to_owned(), address, wire));
    }

    /// Breaks the radio of that name, also one that comes later; the default repairs it.
    pub fn set_faults(&self, name: &str, faults: RadioFaults) {
        self.medium().set_faults(name, faults);
        self.inner.changed.notify_one();
    }

    /// Listens on `listen` of the host; each connection is a controller of its own, named
    /// `outsider 1` and so on, that speaks H4. Lab time runs at the host's pace while anybody is
    /// connected. Ends with the medium. The address that is listened on.
    pub async fn open_port(&self, listen: SocketAddr) -> io::Result<SocketAddr> {
        let weak = WeakEther(Arc::downgrade(&self.inner));
        let (address, serve) = port::open(weak, self.inner.clock.clone(), listen).await?;
        self.spawn(serve);
        Ok(address)
    }

    /// As [`Self::open_port`], for programs that connect to `listener`.
    pub fn open_socket(&self, listener: UnixListener) {
        let weak = WeakEther(Arc::downgrade(&self.inner));
        self.spawn(port::serve(weak, self.inner.clock.clone(), listener));
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self
            .inner
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    pub(super) fn hear(&self, from: RadioId, packet: Packet) {
        let now = self.inner.clock.now();
        self.medium().hear(from, packet, now);
        self.inner.changed.notify_one();
    }

    pub(super) fn garbage(&self, from: RadioId, problem: &str, bytes: &[u8]) {
        self.medium().garbage(from, problem, bytes);
    }

    pub(super) fn take_outbox(&self, id: RadioId) -> Vec<u8> {
        let now = self.inner.clock.now();
        self.medium().take_outbox(id, now)
    }

    pub(super) fn remove(&self, id: RadioId) {
        let now = self.inner.clock.now();
        self.medium().remove(id, now);
        self.inner.changed.notify_one();
    }

    fn medium(&self) -> MutexGuard<'_, Medium> {
        self.inner.medium()
    }
}

/// A medium that may be gone.
#[derive(Clone)]
pub(super) struct WeakEther(Weak<Inner>);

impl WeakEther {
    pub(super) fn upgrade(&self) -> Option<Ether> {
        self.0.upgrade().map(|inner| Ether { inner })
    }
}

impl Inner {
    fn medium(&self) -> MutexGuard<'_, Medium> {
        self.medium.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.changed.notify_one();
        for radio in self.medium().radios.values() {
            radio.bell.notify_one();
        }
    }
}

/// Does what happens by itself, until the medium is gone.
async fn keep_time(inner: Weak<Inner>, clock: Clock, changed: Arc<Notify>) {
    loop {
        let Some(alive) = inner.upgrade() else { return };
        let next = {
            let mut medium = alive.medium();
            let now = clock.now();
            medium.tick(now);
            medium.next(now)
        };
        drop(alive);
        tokio::select! {
            () = until(&clock, next) => clock.touch(),
            () = changed.notified() => {}
        }
    }
}

/// Ends at `moment`; never, if there is none.
async fn until(clock: &Clock, moment: Option<LabTime>) {
    match moment {
        Some(moment) => clock.sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
