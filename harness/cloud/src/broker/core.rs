//! What all connections of a broker share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use clock::{Clock, LabTime};
use tokio::sync::{Notify, mpsc};
use trace::Trace;

use super::greeting::Ended;
use super::line::Line;
use super::session::{Again, BrokerSession, Terms};
use super::{Client, Decision, Down, End, Faults, Hook, Limits, Strangers};
use crate::Devices;
use crate::packet::{Connect, Level, Property, Publish, QoS, Will};

/// Sessions at most.
const SESSIONS: usize = 4096;
/// Groups of shared subscriptions of which it is known whose turn it is.
const GROUPS: usize = 4096;
/// Seconds of a session that never ends by itself (MQTT 5 §3.1.2.11.2).
pub(super) const FOR_EVER: u32 = u32::MAX;

pub(super) struct Core {
    pub(super) trace: Trace,
    pub(super) clock: Clock,
    pub(super) limits: Limits,
    pub(super) devices: Devices,
    /// Whether packets go into the trace.
    pub(super) packets: bool,
    strangers: Strangers,
    hooks: RwLock<Vec<Arc<dyn Hook>>>,
    faults: RwLock<Faults>,
    /// Notified when the faults have changed.
    changed: Notify,
    /// Notified when there is a session or a will that time will end.
    pub(super) deadlines: Notify,
    pub(super) state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    /// By client id: they are woken, and so served, in this order.
    pub(super) sessions: BTreeMap<String, Entry>,
    pub(super) retained: BTreeMap<String, Publish>,
    /// Messages that each shared subscription has had.
    turns: BTreeMap<String, usize>,
    connections: u64,
    instances: u64,
}

/// A session and the connection to it, if there is one.
pub(super) struct Entry {
    pub(super) session: BrokerSession,
    pub(super) attached: Option<Attached>,
    /// Distinguishes sessions that have the same client id one after the other.
    pub(super) instance: u64,
    pub(super) device: Option<String>,
    /// When the client last finished with a message: took one of QoS 0, or acknowledged another.
    pub(super) progress: LabTime,
    /// Notified when there is something to deliver.
    pub(super) wake: Arc<Notify>,
    /// Notified when there is room in line again, once for every message that has left it.
    pub(super) room: Arc<Notify>,
    /// s that the session lasts beyond its connection.
    pub(super) expiry: u32,
    /// When it ends, if its client is away.
    pub(super) ends: Option<LabTime>,
    /// The will of a client that is away, and when it is due.
    pub(super) will: Option<(LabTime, Will)>,
}

pub(super) struct Attached {
    pub(super) kick: Arc<Kick>,
    connection: u64,
    will: Option<Will>,
}

/// How a client left its session.
pub(super) struct Leave {
    /// Whether its will is not wanted any more.
    pub(super) farewell: bool,
    /// s that the session lasts from now on, if that has changed.
    pub(super) expiry: Option<u32>,
}

/// Tells a connection from outside that it has to end.
#[derive(Default)]
pub(super) struct Kick {
    reason: Mutex<Option<Ended>>,
    notify: Notify,
}

impl Kick {
    pub(super) fn kick(&self, end: End, detail: Option<String>) {
        self.kick_with(Ended {
            detail,
            ..Ended::new(end)
        });
    }

    pub(super) fn kick_with(&self, ended: Ended) {
        *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = Some(ended);
        self.notify.notify_one();
    }

    /// Waits until the connection has to end.
    pub(super) async fn kicked(&self) -> Ended {
        loop {
            let reason = self.reason.lock();
            let reason = reason.unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(reason) = reason {
                return reason;
            }
            self.notify.notified().await;
        }
    }
}

/// What a connection holds of its session.
pub(super) struct Attachment {
    /// Notified when there is something to deliver.
    pub(super) wake: Arc<Notify>,
    pub(super) kick: Arc<Kick>,
    pub(super) session_present: bool,
    pub(super) again: Vec<Again>,
}

impl Core {
    pub(super) fn new(
        trace: Trace,
        devices: Devices,
        settings: &super::BrokerSettings,
    ) -> Arc<Self> {
        Arc::new(Self {
            clock: trace.clock().clone(),
            trace,
            limits: settings.limits,
            devices,
            packets: settings.packets == super::PacketTrace::Every,
            strangers: settings.strangers,
            hooks: RwLock::default(),
            faults: RwLock::new(settings.faults.clone()),
            changed: Notify::new(),
            deadlines: Notify::new(),
            state: Mutex::default(),
        })
    }

    pub(super) fn next_connection(&self) -> u64 {
        let mut state = self.state();
        state.connections += 1;
        state.connections
    }

    pub(super) fn attach_hook(&self, hook: Arc<dyn Hook>) {
        self.hooks
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .push(hook);
    }

    /// The hooks that see what happens on `line`.
    pub(super) fn hooks_for(&self, line: &Line) -> Vec<Arc<dyn Hook>> {
        if line.is_probe() {
            return Vec::new();
        }
        self.hooks()
    }

    /// Every hook.
    pub(super) fn hooks(&self) -> Vec<Arc<dyn Hook>> {
        self.hooks
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The faults that hold on `line`.
    pub(super) fn faults_for(&self, line: &Line) -> Faults {
        if line.is_probe() {
            return Faults::default();
        }
        self.faults()
    }

    pub(super) fn faults(&self) -> Faults {
        self.faults
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn set_faults(&self, faults: Faults) {
        if let Some(down) = faults.down {
            self.end_sessions(&Ended::because(End::Fault, "the broker went down"));
            if down == Down::LosesSessions {
                self.state().sessions.clear();
            }
        }
        *self.faults.write().unwrap_or_else(PoisonError::into_inner) = faults;
        self.changed.notify_waiters();
        // What was withheld may be due now.
        for entry in self.state().sessions.values() {
            entry.wake.notify_one();
            entry.room.notify_waiters();
        }
    }

    /// Ends when the broker is down. Cancel safe.
    pub(super) async fn goes_down(&self) {
        loop {
            let changed = self.changed.notified();
            if self.faults().down.is_some() {
                return;
            }
            changed.await;
        }
    }

    /// Ends when the broker is up. Cancel safe.
    pub(super) async fn comes_up(&self) {
        loop {
            let changed = self.changed.notified();
            if self.faults().down.is_none() {
                return;
            }
            changed.await;
        }
    }

    /// Ends the connection of every session in this way, without a will.
    pub(super) fn end_sessions(&self, ended: &Ended) {
        let now = self.clock.now();
        self.state().sessions.retain(|_, entry| {
            if let Some(attached) = entry.attached.take() {
                attached.kick.kick_with(ended.clone());
                entry.rest(now);
            }
            entry.room.notify_waiters();
            entry.expiry > 0
        });
        self.deadlines.notify_one();
    }

    /// What the hooks say of a CONNECT, or what holds for strangers.
    pub(super) fn judge(&self, line: &Line, connect: &Connect, client: &Client) -> Decision {
        if line.is_probe() {
            return Decision::Accept { device: None };
        }
        self.hooks_for(line)
            .iter()
            .map(|hook| hook.authenticate(connect, client))
            .find(|decision| *decision != Decision::Pass)
            .unwrap_or_else(|| match self.strangers {
                Strangers::Welcome => Decision::Accept { device: None },
                Strangers::Refused => Decision::Refuse {
                    code: 5,
                    reason: "this broker knows no such client".to_owned(),
                },
            })
    }

    /// Begins or resumes the session that `connect` asks for, and takes it over from any other
    /// connection.
    pub(super) async fn attach(
        self: &Arc<Self>,
        connect: &Connect,
        client: &Client,
    ) -> Result<Attachment, TooManySessions> {
        let kick = Arc::new(Kick::default());
        let attached = || Attached {
            connection: client.connection,
            will: connect.will.clone(),
            kick: kick.clone(),
        };
        loop {
            if let Some(will) = self.evict(&client.id, connect.clean_session) {
                self.publish_will(&client.id, will).await;
            }
            if let Some(resumed) = self.resume(connect, client, attached()) {
                return Ok(resumed);
            }
            let mut state = self.state();
            // Another connection may have come while a will was published.
            if state.sessions.contains_key(&client.id) {
                continue;
            }
            if state.sessions.len() >= SESSIONS {
                return Err(TooManySessions);
            }
            state.instances += 1;
            let wake = Arc::new(Notify::new());
            let mut session = BrokerSession::default();
            session.set_window(window(connect));
            let entry = Entry {
                session,
                attached: Some(attached()),
                instance: state.instances,
                device: client.device.clone(),
                progress: self.clock.now(),
                wake: wake.clone(),
                room: Arc::new(Notify::new()),
                expiry: expiry(connect),
                ends: None,
                will: None,
            };
            state.sessions.insert(client.id.clone(), entry);
            return Ok(Attachment {
                wake,
                kick,
                session_present: false,
                again: Vec::new(),
            });
        }
    }

    /// Ends another connection with this client id, and its session if `ends` says so. Gives the
    /// will that is due by that (§3.1.4; MQTT 5 §3.1.3.2.2: one that is delayed is not due when the
    /// session goes on).
    fn evict(&self, id: &str, ends: bool) -> Option<Will> {
        let now = self.clock.now();
        let mut state = self.state();
        let entry = state.sessions.get_mut(id)?;
        let waiting = entry.will.take().map(|(_, will)| will);
        let other = entry.attached.take();
        entry.room.notify_waiters();
        let over = entry.ends.is_some_and(|at| at <= now);
        let ends = ends || over || other.is_some() && entry.expiry == 0;
        let own = other.and_then(|other| {
            other.kick.kick(End::TakenOver, None);
            entry.session.detach();
            other.will
        });
        if ends {
            state.sessions.remove(id);
        }
        own.filter(|will| ends || will.delay == 0)
            .or(waiting.filter(|_| ends))
    }

    fn resume(&self, connect: &Connect, client: &Client, attached: Attached) -> Option<Attachment> {
        let mut state = self.state();
        let entry = state.sessions.get_mut(&client.id)?;
        if connect.clean_session || entry.attached.is_some() {
            return None;
        }
        let kick = attached.kick.clone();
        entry.attached = Some(attached);
        entry.device = client.device.clone();
        entry.progress = self.clock.now();
        entry.expiry = expiry(connect);
        entry.ends = None;
        entry.session.set_window(window(connect));
        Some(Attachment {
            wake: entry.wake.clone(),
            kick,
            session_present: true,
            again: entry.session.again(),
        })
    }

    /// The connection is gone. If it was still the session's, its will is due unless the client said
    /// goodbye, and the session lasts as long as it was to.
    pub(super) async fn detach(self: &Arc<Self>, client: &Client, leave: Leave) {
        let now = self.clock.now();
        let due = {
            let mut state = self.state();
            let Some(entry) = state.sessions.get_mut(&client.id) else {
                return;
            };
            if !entry.is_attached_to(client.connection) {
                return;
            }
            let will = entry.attached.take().and_then(|attached| attached.will);
            let will = will.filter(|_| !leave.farewell);
            entry.room.notify_waiters();
            entry.expiry = leave.expiry.unwrap_or(entry.expiry);
            if entry.expiry == 0 {
                state.sessions.remove(&client.id);
                will
            } else {
                entry.rest(now);
                // It is not delayed beyond the session (MQTT 5 §3.1.3.2.2).
                let delay = |will: &Will| seconds(will.delay.min(entry.expiry));
                let (due, later) = match will {
                    Some(will) if will.delay > 0 => (None, Some((now + delay(&will), will))),
                    due => (due, None),
                };
                entry.will = later;
                due
            }
        };
        self.deadlines.notify_one();
        if let Some(will) = due {
            self.publish_will(&client.id, will).await;
        }
    }

    pub(super) async fn publish_will(self: &Arc<Self>, client: &str, will: Will) {
        let event = super::WillPublished {
            client: client.to_owned(),
            topic: will.topic.clone(),
        };
        let device = self.devices.find([client]);
        self.trace.emit(device.as_deref(), &event);
        let mut publish = Publish::from(will);
        publish.arrived(self.clock.now());
        self.publish(publish).await;
    }

    /// Ends the connection of `client`, as if the network had broken.
    pub(super) fn disconnect(&self, client: &str) -> bool {
        let state = self.state();
        let attached = state
            .sessions
            .get(client)
            .and_then(|entry| entry.attached.as_ref());
        if let Some(attached) = attached {
            attached.kick.kick(End::Fault, None);
        }
        attached.is_some()
    }

    /// Does something with the session of a client, if that is still attached to its connection.
    pub(super) fn with_session<R>(
        &self,
        client: &Client,
        act: impl FnOnce(&mut BrokerSession) -> R,
    ) -> Option<R> {
        let mut state = self.state();
        let entry = state.sessions.get_mut(&client.id)?;
        entry
            .is_attached_to(client.connection)
            .then(|| act(&mut entry.session))
    }

    /// The same for what takes messages off the session's line: publishers that wait for room are
    /// told. It counts as progress if fewer messages are unfinished than before.
    pub(super) fn with_progress<R>(
        &self,
        client: &Client,
        act: impl FnOnce(&mut BrokerSession) -> R,
    ) -> Option<R> {
        let now = self.clock.now();
        let mut state = self.state();
        let entry = state.sessions.get_mut(&client.id)?;
        if !entry.is_attached_to(client.connection) {
            return None;
        }
        let before = entry.session.waiting();
        let unfinished = entry.session.unfinished();
        let outcome = act(&mut entry.session);
        if entry.session.unfinished() < unfinished {
            entry.progress = now;
        }
        for _ in entry.session.waiting()..before {
            entry.room.notify_one();
        }
        Some(outcome)
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Who gets a message to `topic` for each shared subscription that matches (MQTT 5 §4.8.2): the
    /// members that are there take turns, and if there is none, those that keep a session.
    pub(super) fn chosen(&mut self, only: Option<&str>, topic: &str) -> Vec<(String, Terms)> {
        let mut groups: BTreeMap<&str, Vec<(&str, bool, Terms)>> = BTreeMap::new();
        for (client, entry) in &self.sessions {
            if only.is_some_and(|only| only != client) {
                continue;
            }
            let attached = entry.attached.is_some();
            for subscription in entry.session.shares(topic) {
                if attached || subscription.qos > QoS::AtMostOnce {
                    let group = groups.entry(&subscription.filter).or_default();
                    group.push((client, attached, Terms::of(subscription)));
                }
            }
        }
        let mut chosen = Vec::new();
        for (group, mut members) in groups {
            if members.iter().any(|(_, attached, _)| *attached) {
                members.retain(|(_, attached, _)| *attached);
            }
            let turn = self.turns.get(group).copied().unwrap_or_default();
            let (client, _, terms) = members.swap_remove(turn % members.len());
            chosen.push((client.to_owned(), terms));
            if self.turns.len() >= GROUPS {
                self.turns.clear();
            }
            self.turns.insert(group.to_owned(), turn.wrapping_add(1));
        }
        chosen
    }
}

impl Entry {
    fn is_attached_to(&self, connection: u64) -> bool {
        self.attached
            .as_ref()
            .is_some_and(|attached| attached.connection == connection)
    }

    /// The client is away.
    fn rest(&mut self, now: LabTime) {
        self.session.detach();
        self.ends = (self.expiry < FOR_EVER).then(|| now + seconds(self.expiry));
    }
}

/// s that the session of `connect` lasts beyond its connection.
pub(super) fn expiry(connect: &Connect) -> u32 {
    match connect.level {
        Level::V5 => {
            let asked = connect.properties.number(Property::SessionExpiry);
            asked.unwrap_or_default()
        }
        _ if connect.clean_session => 0,
        _ => FOR_EVER,
    }
}

/// Messages that the client takes unacknowledged.
fn window(connect: &Connect) -> usize {
    let asked = connect.properties.number(Property::ReceiveMaximum);
    asked.map_or(usize::MAX, |most| most as usize)
}

fn seconds(seconds: u32) -> std::time::Duration {
    std::time::Duration::from_secs(seconds.into())
}

/// A session could not be begun, because there are as many as may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are {SESSIONS} sessions already")]
pub(super) struct TooManySessions;

/// Publishes in the broker's own name. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Injector {
    pub(super) sender: mpsc::UnboundedSender<Injected>,
}

/// A message in the broker's own name.
#[derive(Debug)]
pub(super) struct Injected {
    /// Client id of the only session that may get it; any if left out.
    pub(super) only: Option<String>,
    pub(super) publish: Publish,
}

impl Injector {
    /// Publishes to the subscribers, in the order of these calls. Does not wait; once the
    /// broker is gone, nothing happens.
    pub fn publish(&self, publish: Publish) {
        let only = None;
        let _ = self.sender.send(Injected { only, publish });
    }

    /// The same for the session of one client alone, if it has subscribed.
    pub fn publish_to(&self, client: &str, publish: Publish) {
        let only = Some(client.to_owned());
        let _ = self.sender.send(Injected { only, publish });
    }
}
