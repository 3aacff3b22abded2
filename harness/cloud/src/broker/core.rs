//! What all connections of a broker share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

use bytes::Bytes;
use clock::Clock;
use tokio::sync::{Notify, mpsc};
use trace::Trace;

use super::carrier::{Carrier, Mailbox, OpenError};
use super::line::Line;
use super::session::{Again, Session};
use super::{Client, Decision, Dropped, End, Faults, Hook, Limits, Strangers, delivery};
use crate::Devices;
use crate::packet::{Connect, Publish, Will};

pub(super) struct Core {
    pub(super) trace: Trace,
    pub(super) clock: Clock,
    pub(super) limits: Limits,
    pub(super) devices: Devices,
    pub(super) carrier: Carrier,
    /// From here the broker itself publishes.
    pub(super) own: Arc<Mailbox>,
    /// Whether packets go into the trace.
    pub(super) packets: bool,
    strangers: Strangers,
    hooks: RwLock<Vec<Arc<dyn Hook>>>,
    faults: RwLock<Faults>,
    pub(super) state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    /// By client id: they are woken, and so served, in this order.
    pub(super) sessions: BTreeMap<String, Entry>,
    pub(super) retained: BTreeMap<String, Publish>,
    connections: u64,
    instances: u64,
}

/// A session and the connection to it, if there is one.
pub(super) struct Entry {
    pub(super) session: Session,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) attached: Option<Attached>,
    instance: u64,
    clean: bool,
    device: Option<String>,
    wake: Arc<Notify>,
}

pub(super) struct Attached {
    connection: u64,
    will: Option<Will>,
    kick: Arc<Kick>,
}

/// Tells a connection from outside that it has to end.
#[derive(Default)]
pub(super) struct Kick {
    end: Mutex<Option<End>>,
    notify: Notify,
}

impl Kick {
    pub(super) fn kick(&self, end: End) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(end);
        self.notify.notify_one();
    }

    /// Waits until the connection has to end.
    pub(super) async fn kicked(&self) -> End {
        loop {
            let end = *self.end.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(end) = end {
                return end;
            }
            self.notify.notified().await;
        }
    }
}

/// What a connection holds of its session.
pub(super) struct Attachment {
    pub(super) mailbox: Arc<Mailbox>,
    /// Notified when there is something to deliver.
    pub(super) wake: Arc<Notify>,
    pub(super) kick: Arc<Kick>,
    pub(super) session_present: bool,
    pub(super) again: Vec<Again>,
}

impl Core {
    pub(super) async fn start(
        trace: Trace,
        devices: Devices,
        settings: &super::BrokerSettings,
    ) -> Result<Arc<Self>, OpenError> {
        let carrier = Carrier::start(&trace);
        let own = carrier.open(Box::new(|_| {})).await?;
        Ok(Arc::new(Self {
            clock: trace.clock().clone(),
            trace,
            limits: settings.limits,
            devices,
            carrier,
            own,
            packets: settings.packets == super::PacketTrace::Every,
            strangers: settings.strangers,
            hooks: RwLock::default(),
            faults: RwLock::new(settings.faults.clone()),
            state: Mutex::default(),
        }))
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
        *self.faults.write().unwrap_or_else(PoisonError::into_inner) = faults;
        // What was withheld may be due now.
        for entry in self.state().sessions.values() {
            entry.wake.notify_one();
        }
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
    ) -> Result<Attachment, OpenError> {
        let kick = Arc::new(Kick::default());
        let attached = || Attached {
            connection: client.connection,
            will: connect.will.clone(),
            kick: kick.clone(),
        };
        loop {
            if let Some(will) = self.evict(&client.id) {
                self.publish_will(&client.id, will).await;
            }
            if let Some(resumed) = self.resume(connect, client, attached()) {
                return Ok(resumed);
            }
            let instance = {
                let mut state = self.state();
                state.instances += 1;
                state.instances
            };
            let sink = arrivals(Arc::downgrade(self), client.id.clone(), instance);
            let mailbox = self.carrier.open(sink).await?;
            let mut state = self.state();
            // Somebody else may have come while the mailbox was opened.
            if state.sessions.contains_key(&client.id) {
                drop(state);
                self.carrier.close(&mailbox);
                continue;
            }
            let wake = Arc::new(Notify::new());
            let entry = Entry {
                session: Session::default(),
                mailbox: mailbox.clone(),
                attached: Some(attached()),
                instance,
                clean: connect.clean_session,
                device: client.device.clone(),
                wake: wake.clone(),
            };
            state.sessions.insert(client.id.clone(), entry);
            return Ok(Attachment {
                mailbox,
                wake,
                kick,
                session_present: false,
                again: Vec::new(),
            });
        }
    }

    /// Ends another connection with this client id; gives its will, which is due then (§3.1.4).
    fn evict(&self, id: &str) -> Option<Will> {
        let mut state = self.state();
        let entry = state.sessions.get_mut(id)?;
        let other = entry.attached.take()?;
        other.kick.kick(End::TakenOver);
        if entry.clean {
            self.remove(&mut state, id);
        } else {
            entry.session.detach();
        }
        other.will
    }

    fn resume(&self, connect: &Connect, client: &Client, attached: Attached) -> Option<Attachment> {
        let mut state = self.state();
        if connect.clean_session {
            self.remove(&mut state, &client.id);
            return None;
        }
        let entry = state.sessions.get_mut(&client.id)?;
        let kick = attached.kick.clone();
        entry.attached = Some(attached);
        entry.device = client.device.clone();
        Some(Attachment {
            mailbox: entry.mailbox.clone(),
            wake: entry.wake.clone(),
            kick,
            session_present: true,
            again: entry.session.again(),
        })
    }

    /// The connection is gone. If it was still the session's, its will is due unless it said
    /// goodbye.
    pub(super) async fn detach(&self, client: &Client, farewell: bool) {
        let will = {
            let mut state = self.state();
            let Some(entry) = state.sessions.get_mut(&client.id) else {
                return;
            };
            if !entry.is_attached_to(client.connection) {
                return;
            }
            let attached = entry.attached.take();
            if entry.clean {
                self.remove(&mut state, &client.id);
            } else {
                entry.session.detach();
            }
            attached.and_then(|attached| attached.will)
        };
        if let Some(will) = will
            && !farewell
        {
            self.publish_will(&client.id, will).await;
        }
    }

    async fn publish_will(&self, client: &str, will: Will) {
        let event = super::WillPublished {
            client: client.to_owned(),
            topic: will.topic.clone(),
        };
        let device = self.devices.find([client]);
        self.trace.emit(device.as_deref(), &event);
        self.route(&self.own, will.into()).await;
    }

    fn remove(&self, state: &mut State, id: &str) {
        if let Some(entry) = state.sessions.remove(id) {
            self.carrier.close(&entry.mailbox);
        }
    }

    /// Ends the connection of `client`, as if the network had broken.
    pub(super) fn disconnect(&self, client: &str) -> bool {
        let state = self.state();
        let attached = state
            .sessions
            .get(client)
            .and_then(|entry| entry.attached.as_ref());
        if let Some(attached) = attached {
            attached.kick.kick(End::Fault);
        }
        attached.is_some()
    }

    /// Does something with the session of a client, if that is still attached to its connection.
    pub(super) fn with_session<R>(
        &self,
        client: &Client,
        act: impl FnOnce(&mut Session) -> R,
    ) -> Option<R> {
        let mut state = self.state();
        let entry = state.sessions.get_mut(&client.id)?;
        entry
            .is_attached_to(client.connection)
            .then(|| act(&mut entry.session))
    }

    /// A copy has come for a session.
    fn arrived(&self, client: &str, instance: u64, copy: Bytes) {
        let Some(publish) = delivery::open_copy(copy) else {
            return;
        };
        let mut state = self.state();
        let entry = state.sessions.get_mut(client);
        let Some(entry) = entry.filter(|entry| entry.instance == instance) else {
            return;
        };
        if entry.attached.is_none() && publish.qos == crate::packet::QoS::AtMostOnce {
            return;
        }
        let topic = publish.topic.clone();
        let kept = entry.session.queue(publish, self.limits.queue);
        entry.wake.notify_one();
        if !kept {
            let event = Dropped {
                client: Some(client.to_owned()),
                topic,
                reason: format!("{} messages wait for it already", self.limits.queue),
            };
            let device = entry.device.clone();
            drop(state);
            self.trace.emit(device.as_deref(), &event);
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn is_attached_to(&self, connection: u64) -> bool {
        self.attached
            .as_ref()
            .is_some_and(|attached| attached.connection == connection)
    }
}

fn arrivals(core: Weak<Core>, client: String, instance: u64) -> Box<dyn Fn(Bytes) + Send + Sync> {
    Box::new(move |copy| {
        if let Some(core) = core.upgrade() {
            core.arrived(&client, instance, copy);
        }
    })
}

/// Publishes in the broker's own name. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Injector {
    pub(super) sender: mpsc::UnboundedSender<Publish>,
}

impl Injector {
    /// Publishes to whoever has subscribed, in the order of these calls. Does not wait; once the
    /// broker is gone, nothing happens.
    pub fn publish(&self, publish: Publish) {
        let _ = self.sender.send(publish);
    }
}
