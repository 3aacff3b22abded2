//! Who gets a message, and who waits until there is room for it.

use std::sync::Arc;

use tokio::sync::Notify;

use super::core::{Core, Entry};
use super::session::Terms;
use super::{Client, Dropped, End};
use crate::packet::{Publish, QoS, Subscription, matches};

/// A message on its way to its subscribers.
pub(super) struct Routing {
    publish: Publish,
    /// The last of them is next.
    recipients: Vec<Recipient>,
}

struct Recipient {
    client: String,
    instance: u64,
    terms: Terms,
}

/// What became of a message that was to be passed on without waiting.
pub(super) enum Routed {
    /// It is in line at every subscriber.
    Done,
    /// There is no subscriber.
    Unwanted,
    /// Subscribers are left for whom there is no room.
    Waits(Routing),
}

/// What became of a message that was offered to one session.
enum Offered {
    /// It is in line, or there is no such session any more.
    Done,
    /// There is no room, and the client is there.
    Full(Arc<Notify>),
    /// There is no room, and no client that could make any.
    Dropped {
        device: Option<String>,
        reason: String,
    },
}

impl Core {
    /// Passes `publish`, which was accepted, on to every subscriber, and keeps it if it is to be
    /// retained (§3.3.1.3). Waits for room.
    pub(super) async fn publish(self: &Arc<Self>, publish: Publish) {
        self.publish_to(None, publish).await;
    }

    /// The same for the session of one client alone, if `only` names one.
    pub(super) async fn publish_to(self: &Arc<Self>, only: Option<&str>, publish: Publish) {
        if let Routed::Waits(routing) = self.route_to(only, None, &publish) {
            self.finish(routing).await;
        }
    }

    /// The same for a message of `client`, without waiting; [`finish`](Self::finish) does.
    pub(super) fn route(&self, client: &Client, publish: &Publish) -> Routed {
        self.route_to(None, Some(&client.id), publish)
    }

    fn route_to(&self, only: Option<&str>, from: Option<&str>, publish: &Publish) -> Routed {
        if publish.retain {
            self.retain(publish);
        }
        let mut routing = Routing {
            publish: Publish {
                duplicate: false,
                id: None,
                payload: unshared(publish),
                ..publish.clone()
            },
            recipients: Vec::new(),
        };
        let mut wanted = false;
        {
            let mut state = self.state();
            let chosen = state.chosen(only, &publish.topic);
            // Backwards, since they are waited for from the end on.
            for (client, entry) in state.sessions.iter_mut().rev() {
                if only.is_some_and(|only| only != client) {
                    continue;
                }
                let own = from == Some(client);
                let plain = entry.session.wants(&publish.topic, own);
                let shared = chosen.iter().filter(|(member, _)| member == client);
                let shared = shared.map(|(_, terms)| terms.clone());
                for terms in shared.chain(plain) {
                    wanted = true;
                    if !entry.take(&routing.publish, &terms, self.limits.queue) {
                        routing.recipients.push(Recipient {
                            client: client.clone(),
                            instance: entry.instance,
                            terms,
                        });
                    }
                }
            }
        }
        match (self.advance(&mut routing), wanted) {
            (Some(_), _) => Routed::Waits(routing),
            (None, true) => Routed::Done,
            (None, false) => Routed::Unwanted,
        }
    }

    /// Puts the message in line for every subscriber, waiting for room.
    ///
    /// A subscriber that takes nothing for [`Limits::stall`](super::Limits::stall) while there is
    /// no room loses its connection, so that this comes to an end.
    pub(super) async fn finish(self: &Arc<Self>, mut routing: Routing) {
        // Publishers wait on the host's processes, which lab time must not outrun.
        let _busy = self.clock.busy();
        let mut since = self.clock.now();
        let mut left = routing.recipients.len();
        while let Some(room) = self.advance(&mut routing) {
            let notified = room.notified();
            tokio::pin!(notified);
            // Room that is made from here on is not missed.
            notified.as_mut().enable();
            let Some(room_again) = self.advance(&mut routing) else {
                return;
            };
            if left != routing.recipients.len() {
                left = routing.recipients.len();
                since = self.clock.now();
            }
            if !Arc::ptr_eq(&room, &room_again) {
                continue;
            }
            let Some(deadline) = self.stalls_at(&routing, since) else {
                continue;
            };
            tokio::select! {
                () = notified => {}
                () = self.clock.sleep_until(deadline) => {
                    self.end_stalled(&routing, since);
                    // Its connection has as long to end.
                    since = self.clock.now();
                }
            }
        }
    }

    /// Puts the message in line as far as there is room; where there is none, gives what to wait
    /// for.
    fn advance(&self, routing: &mut Routing) -> Option<Arc<Notify>> {
        while let Some(recipient) = routing.recipients.last() {
            match self.offer(recipient, &routing.publish) {
                Offered::Done => {}
                Offered::Full(room) => return Some(room),
                Offered::Dropped { device, reason } => {
                    let event = Dropped {
                        client: Some(recipient.client.clone()),
                        topic: routing.publish.topic.clone(),
                        reason,
                    };
                    self.trace.emit(device.as_deref(), &event);
                }
            }
            routing.recipients.pop();
        }
        None
    }

    fn offer(&self, recipient: &Recipient, publish: &Publish) -> Offered {
        let mut state = self.state();
        let Some(entry) = of(&mut state.sessions, recipient) else {
            return Offered::Done;
        };
        if entry.take(publish, &recipient.terms, self.limits.queue) {
            return Offered::Done;
        }
        if entry.attached.is_some() && !self.faults().withhold_messages {
            return Offered::Full(entry.room.clone());
        }
        Offered::Dropped {
            device: entry.device.clone(),
            reason: format!("{} messages wait for it already", entry.session.waiting()),
        }
    }

    /// When the subscriber that is waited for has taken nothing for too long.
    fn stalls_at(&self, routing: &Routing, since: clock::LabTime) -> Option<clock::LabTime> {
        let mut state = self.state();
        let entry = of(&mut state.sessions, routing.recipients.last()?)?;
        Some(entry.progress.max(since) + self.limits.stall)
    }

    /// Ends the connection of the subscriber that is waited for, if it still takes nothing.
    fn end_stalled(&self, routing: &Routing, since: clock::LabTime) {
        let stall = self.limits.stall;
        let now = self.clock.now();
        let mut state = self.state();
        let Some(recipient) = routing.recipients.last() else {
            return;
        };
        let Some(entry) = of(&mut state.sessions, recipient) else {
            return;
        };
        if entry.progress.max(since) + stall > now {
            return;
        }
        if let Some(attached) = &entry.attached {
            let detail = format!(
                "it took none of the {} messages that wait for it for {stall:?}, and publishers \
                 were waiting",
                entry.session.waiting()
            );
            attached.kick.kick(End::TimedOut, Some(detail));
        }
    }

    fn retain(&self, publish: &Publish) {
        let mut state = self.state();
        if publish.payload.is_empty() {
            state.retained.remove(&publish.topic);
            return;
        }
        let room = state.retained.len() < self.limits.retained
            || state.retained.contains_key(&publish.topic);
        if room {
            let kept = Publish {
                duplicate: false,
                id: None,
                payload: unshared(publish),
                ..publish.clone()
            };
            state.retained.insert(publish.topic.clone(), kept);
            return;
        }
        drop(state);
        self.trace.emit(
            None,
            &Dropped {
                client: None,
                topic: publish.topic.clone(),
                reason: format!("{} messages are retained already", self.limits.retained),
            },
        );
    }

    /// Puts retained messages that `subscription` matches in line for `client`.
    pub(super) fn send_retained(&self, client: &Client, subscription: &Subscription) {
        let now = self.clock.now();
        let terms = Terms {
            retain_as_published: true,
            ..Terms::of(subscription)
        };
        let due: Vec<Publish> = {
            let mut state = self.state();
            state
                .retained
                .retain(|_, publish| !publish.has_expired(now));
            let kept = state.retained.values();
            kept.filter(|publish| matches(&subscription.filter, &publish.topic))
                .map(|publish| terms.apply(publish))
                .collect()
        };
        let limit = self.limits.queue;
        let left = self.with_session(client, |session| {
            due.into_iter()
                .filter_map(|publish| {
                    let topic = publish.topic.clone();
                    (!session.queue(publish, limit)).then_some(topic)
                })
                .collect::<Vec<_>>()
        });
        for topic in left.into_iter().flatten() {
            let event = Dropped {
                client: Some(client.id.clone()),
                topic,
                reason: format!("{limit} messages wait for it already"),
            };
            self.trace.emit(client.device.as_deref(), &event);
        }
    }
}

impl Entry {
    /// Puts a copy of `publish` in line if there is room. What is only sent to those present needs
    /// none if the client is not.
    fn take(&mut self, publish: &Publish, terms: &Terms, limit: usize) -> bool {
        let qos = publish.qos.min(terms.qos);
        if self.attached.is_none() && qos == QoS::AtMostOnce {
            return true;
        }
        if !self.session.has_room(limit) || !self.session.queue(terms.apply(publish), limit) {
            return false;
        }
        self.wake.notify_one();
        if self.session.has_room(limit) {
            // For the next publisher that waits, if one does.
            self.room.notify_one();
        }
        true
    }
}

/// A copy of the payload. A slice of what was read would keep all of that in memory.
fn unshared(publish: &Publish) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(&publish.payload)
}

/// The session of `recipient`, if it is still the same.
fn of<'s>(
    sessions: &'s mut std::collections::BTreeMap<String, Entry>,
    recipient: &Recipient,
) -> Option<&'s mut Entry> {
    sessions
        .get_mut(&recipient.client)
        .filter(|entry| entry.instance == recipient.instance)
}
