//! rumqttd's router, which carries copies of messages from one session to another.
//!
//! The front decides who gets what; the router sees mailboxes, one topic each, and messages of
//! QoS 0 between them. Its thread cannot be stopped, so one is left behind by each broker.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use clock::{Busy, Clock};
use rumqttd::local::{LinkBuilder, LinkRx, LinkTx};
use rumqttd::protocol::{Disconnect, DisconnectReasonCode, Packet};
use rumqttd::{Notification, Router, RouterConfig};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;
use trace::{Trace, Witness, WitnessReport};

/// Bytes of copies that may be on their way at any time. Senders wait for room.
const ON_THE_WAY: u32 = 1 << 20;
/// What a copy counts for at least. With the limit above this keeps the number of events for the
/// router below the thousand that its queue holds, so that sending never blocks the thread.
const LEAST: usize = 2048;
/// Size of a segment of a mailbox's log. The log drops its oldest segment when there are more than
/// [`SEGMENTS`]; that is more than can be on the way, so nothing is dropped before it was read.
const SEGMENT: usize = 256 << 10;
/// See [`SEGMENT`].
const SEGMENTS: usize = 8;
/// Mailboxes at most.
const MAILBOXES: usize = 4096;
/// How long copies may be on their way without one arriving before the router counts as stuck.
const STUCK: Duration = Duration::from_secs(2);

type Connect = Box<dyn Fn(&str) -> Result<(LinkTx, LinkRx), OpenError> + Send + Sync>;
type Sink = Box<dyn Fn(Bytes) + Send + Sync>;

/// The router and its mailboxes.
#[derive(Clone)]
pub(super) struct Carrier {
    inner: Arc<Inner>,
}

struct Inner {
    connect: Connect,
    room: Arc<Semaphore>,
    idle: Mutex<Vec<Arc<Mailbox>>>,
    opened: AtomicUsize,
    readers: Mutex<Vec<JoinHandle<()>>>,
    traffic: Traffic,
}

/// One place from which copies are sent and at which they arrive.
pub(super) struct Mailbox {
    topic: String,
    sender: Mutex<LinkTx>,
    sink: Mutex<Option<Sink>>,
    /// Copies on their way to it.
    expected: AtomicUsize,
}

impl Carrier {
    pub(super) fn start(trace: &Trace) -> Self {
        let router = Router::new(
            0,
            RouterConfig {
                max_connections: MAILBOXES,
                max_outgoing_packet_count: 200,
                max_segment_size: SEGMENT,
                max_segment_count: SEGMENTS,
                ..RouterConfig::default()
            },
        );
        // The type of what the router takes has no public name, so it stays inside this closure.
        let events = router.spawn();
        let connect = move |name: &str| {
            let (sender, receiver, _) = LinkBuilder::new(name, events.clone())
                .dynamic_filters(true)
                .build()
                .map_err(|_| OpenError::RouterGone)?;
            Ok((sender, receiver))
        };
        let inner = Arc::new(Inner {
            connect: Box::new(connect),
            room: Arc::new(Semaphore::new(ON_THE_WAY as usize)),
            idle: Mutex::default(),
            opened: AtomicUsize::new(0),
            readers: Mutex::default(),
            traffic: Traffic::new(trace.clone()),
        });
        let watchdog = tokio::spawn(watch(Arc::downgrade(&inner)));
        lock(&inner.readers).push(watchdog);
        Self { inner }
    }

    /// A mailbox whose copies go to `sink`, in the order in which each sender sent them.
    pub(super) async fn open(&self, sink: Sink) -> Result<Arc<Mailbox>, OpenError> {
        let reused = lock(&self.inner.idle).pop();
        let mailbox = match reused {
            Some(mailbox) => mailbox,
            None => self.add().await?,
        };
        *lock(&mailbox.sink) = Some(sink);
        Ok(mailbox)
    }

    /// Gives `mailbox` back. What is still on its way to it is thrown away.
    pub(super) fn close(&self, mailbox: &Arc<Mailbox>) {
        *lock(&mailbox.sink) = None;
        if mailbox.expected.load(Ordering::Acquire) == 0 {
            self.inner.retire(mailbox);
        }
    }

    /// Sends `copy`, which must not be empty, waiting for room if too much is on its way.
    pub(super) async fn send(&self, from: &Mailbox, to: &Mailbox, copy: Bytes) {
        let weight = weight(copy.len());
        let Ok(room) = self.inner.room.acquire_many(weight).await else {
            return;
        };
        room.forget();
        to.expected.fetch_add(1, Ordering::AcqRel);
        self.inner.traffic.sent();
        let sent = lock(&from.sender).publish(to.topic.clone(), copy);
        if sent.is_err() {
            // Only if the router's thread has died.
            to.expected.fetch_sub(1, Ordering::AcqRel);
            self.inner.room.add_permits(weight as usize);
            self.inner.traffic.arrived();
            self.inner.traffic.report("rumqttd's router has ended");
        }
    }

    async fn add(&self) -> Result<Arc<Mailbox>, OpenError> {
        let number = self.inner.opened.fetch_add(1, Ordering::AcqRel);
        if number >= MAILBOXES {
            return Err(OpenError::Full);
        }
        let topic = format!("m{number}");
        let inner = self.inner.clone();
        let name = topic.clone();
        // Connecting waits for the router's thread.
        let busy = self.inner.traffic.trace.clock().busy();
        let connected = tokio::task::spawn_blocking(move || {
            let (mut sender, receiver) = (inner.connect)(&name)?;
            sender.subscribe(name).map_err(|_| OpenError::RouterGone)?;
            Ok::<_, OpenError>((sender, receiver))
        })
        .await;
        drop(busy);
        let Ok(Ok((sender, receiver))) = connected else {
            return Err(OpenError::RouterGone);
        };
        let mailbox = Arc::new(Mailbox {
            topic,
            sender: Mutex::new(sender),
            sink: Mutex::default(),
            expected: AtomicUsize::new(0),
        });
        let reader = read(self.inner.clone(), mailbox.clone(), receiver);
        lock(&self.inner.readers).push(tokio::spawn(reader));
        Ok(mailbox)
    }

    /// Ends every mailbox. Its router's thread stays, asleep.
    pub(super) fn stop(&self) {
        for reader in lock(&self.inner.readers).drain(..) {
            reader.abort();
        }
        lock(&self.inner.idle).clear();
        self.inner.traffic.forget();
    }
}

/// A mailbox could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum OpenError {
    #[error("there are {MAILBOXES} sessions already")]
    Full,
    #[error("rumqttd's router has ended")]
    RouterGone,
}

/// A link without this would stay in the router as a ghost.
impl Drop for Mailbox {
    fn drop(&mut self) {
        let farewell = Packet::Disconnect(
            Disconnect {
                reason_code: DisconnectReasonCode::NormalDisconnection,
            },
            None,
        );
        let sender = self
            .sender
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        sender.buffer().push_back(farewell);
        // An empty message after it, which is never looked at, wakes the router. Should its queue
        // be full, any later event of this link will do.
        let _ = sender.try_publish("farewell", "");
    }
}

/// Takes copies out of a mailbox for as long as there is a router.
async fn read(carrier: Arc<Inner>, mailbox: Arc<Mailbox>, mut receiver: LinkRx) {
    loop {
        match receiver.next().await {
            Ok(Some(Notification::Forward(forward))) => {
                carrier.deliver(&mailbox, forward.publish.payload);
            }
            // The router stopped sending because much was unread; it has been read now.
            Ok(Some(Notification::Unschedule)) => {
                if receiver.wake().await.is_err() {
                    return;
                }
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

impl Inner {
    fn deliver(&self, mailbox: &Arc<Mailbox>, copy: Bytes) {
        let weight = weight(copy.len());
        let open = {
            let sink = lock(&mailbox.sink);
            if let Some(sink) = &*sink {
                sink(copy);
            }
            sink.is_some()
        };
        let left = mailbox.expected.fetch_sub(1, Ordering::AcqRel) - 1;
        self.room.add_permits(weight as usize);
        self.traffic.arrived();
        if left == 0 && !open {
            self.retire(mailbox);
        }
    }

    /// Keeps an empty mailbox for the next session.
    fn retire(&self, mailbox: &Arc<Mailbox>) {
        let mut idle = lock(&self.idle);
        if !idle.iter().any(|other| Arc::ptr_eq(other, mailbox)) {
            idle.push(mailbox.clone());
        }
    }
}

fn weight(length: usize) -> u32 {
    u32::try_from(length.max(LEAST)).map_or(ON_THE_WAY, |weight| weight.min(ON_THE_WAY))
}

/// Keeps lab time at the host's pace while copies are on their way.
struct Traffic {
    trace: Trace,
    state: Mutex<TrafficState>,
    /// Copies that have arrived so far.
    arrivals: AtomicU64,
    changed: Notify,
}

#[derive(Default)]
struct TrafficState {
    on_the_way: usize,
    busy: Option<Busy>,
    /// Nothing arrives any more: time must not wait for it.
    stuck: bool,
}

impl Traffic {
    fn new(trace: Trace) -> Self {
        Self {
            trace,
            state: Mutex::default(),
            arrivals: AtomicU64::new(0),
            changed: Notify::new(),
        }
    }

    fn sent(&self) {
        let mut state = lock(&self.state);
        state.on_the_way += 1;
        if state.busy.is_none() && !state.stuck {
            state.busy = Some(self.trace.clock().busy());
        }
        if state.on_the_way == 1 {
            self.changed.notify_one();
        }
    }

    fn arrived(&self) {
        let mut state = lock(&self.state);
        state.on_the_way = state.on_the_way.saturating_sub(1);
        state.stuck = false;
        self.arrivals.fetch_add(1, Ordering::AcqRel);
        if state.on_the_way == 0 {
            state.busy = None;
            self.changed.notify_one();
        }
    }

    fn forget(&self) {
        let mut state = lock(&self.state);
        state.busy = None;
        state.stuck = true;
    }

    fn report(&self, detail: &str) {
        let report = WitnessReport {
            witness: Witness::Broker,
            sound: false,
            detail: detail.to_owned(),
        };
        self.trace.emit(None, &report);
    }
}

/// Lets time go on, and says so, when copies are on their way and none arrives.
async fn watch(carrier: std::sync::Weak<Inner>) {
    let mut seen = 0;
    loop {
        let Some(inner) = carrier.upgrade() else {
            return;
        };
        let traffic = &inner.traffic;
        if lock(&traffic.state).on_the_way == 0 {
            traffic.changed.notified().await;
            continue;
        }
        let clock: Clock = traffic.trace.clock().clone();
        let quiet = clock.timeout(STUCK, traffic.changed.notified()).await;
        let arrivals = traffic.arrivals.load(Ordering::Acquire);
        if quiet.is_err() && arrivals == seen {
            let mut state = lock(&traffic.state);
            let newly = !state.stuck && state.on_the_way > 0;
            state.stuck = true;
            state.busy = None;
            let waiting = state.on_the_way;
            drop(state);
            if newly {
                traffic.report(&format!(
                    "rumqttd's router has delivered none of {waiting} messages for {STUCK:?}"
                ));
            }
        }
        seen = arrivals;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(test);
    }

    fn into_list(list: &Arc<Mutex<Vec<Bytes>>>) -> Sink {
        let list = list.clone();
        Box::new(move |copy| lock(&list).push(copy))
    }

    #[test]
    fn nothing_is_lost_and_the_order_is_kept_far_beyond_the_size_of_the_log() {
        run(async {
            let trace = Trace::in_memory(Clock::start(1000.0));
            let carrier = Carrier::start(&trace);
            let list = Arc::default();
            let from = carrier.open(Box::new(|_| {})).await.unwrap();
            let to = carrier.open(into_list(&list)).await.unwrap();
            // 40 MB in messages of 1 to 80 kB, through a log of 2 MB.
            let total = 1000_u32;
            for number in 0..total {
                let mut copy = number.to_be_bytes().to_vec();
                copy.resize(4 + (number as usize * 80) % 80_000, 7);
                carrier.send(&from, &to, copy.into()).await;
            }
            while lock(&list).len() < total as usize {
                tokio::task::yield_now().await;
            }
            let order: Vec<u32> = lock(&list)
                .iter()
                .map(|copy| u32::from_be_bytes(copy[..4].try_into().unwrap()))
                .collect();
            assert_eq!(order, (0..total).collect::<Vec<_>>());
            assert_eq!(carrier.inner.room.available_permits(), ON_THE_WAY as usize);
            assert!(lock(&carrier.inner.traffic.state).busy.is_none());
        });
    }

    #[test]
    fn a_mailbox_given_back_serves_the_next_without_old_copies() {
        run(async {
            let trace = Trace::in_memory(Clock::start(1000.0));
            let carrier = Carrier::start(&trace);
            let from = carrier.open(Box::new(|_| {})).await.unwrap();
            for round in 0_u8..20 {
                let list = Arc::default();
                let to = carrier.open(into_list(&list)).await.unwrap();
                carrier.send(&from, &to, vec![round].into()).await;
                while lock(&list).is_empty() {
                    tokio::task::yield_now().await;
                }
                // This one is still on its way when the mailbox is given back.
                carrier.send(&from, &to, vec![255].into()).await;
                carrier.close(&to);
                assert_eq!(*lock(&list), [vec![round]]);
            }
            assert!(carrier.inner.opened.load(Ordering::Acquire) < 20);
        });
    }
}
