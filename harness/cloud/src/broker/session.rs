//! What the broker keeps for one client: subscriptions, and messages on their way to it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use clock::LabTime;

use crate::packet::{Properties, Property, Publish, QoS, Subscription, Value, matches, shared};

/// Messages of QoS above 0 that a client may hold unacknowledged.
const IN_FLIGHT: usize = 100;
/// Bytes of topics and payloads that may wait for one client, whatever their number. One message
/// more is taken, so that the largest fits too.
const WAITING_BYTES: usize = 16 << 20;

/// One client's state (MQTT 3.1.1 §3.1.2.4). Knows nothing of connections.
#[derive(Debug)]
pub(super) struct BrokerSession {
    subscriptions: BTreeMap<String, Subscription>,
    /// Those of MQTT 5 that are shared with other clients, by `$share/GROUP/FILTER`.
    shared: BTreeMap<String, Subscription>,
    /// Messages of QoS above 0 that the client takes unacknowledged.
    window: usize,
    waiting: VecDeque<Publish>,
    /// Bytes of what is in `waiting`.
    waiting_bytes: usize,
    in_flight: VecDeque<InFlight>,
    /// Identifiers of messages of QoS 2 that came and were not released yet.
    unreleased: BTreeSet<u16>,
    last_id: u16,
}

#[derive(Debug)]
struct InFlight {
    id: u16,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Sent; waits for PUBACK, or for PUBREC if its QoS is 2.
    Sent(Publish),
    /// PUBREL sent; waits for PUBCOMP.
    Released,
}

/// What has to be sent again to a client that is back.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Again {
    Publish(Publish),
    PubRel(u16),
}

/// How a client gets a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) qos: QoS,
    /// Whether the message keeps the flag RETAIN that it was published with.
    pub(super) retain_as_published: bool,
    /// Identifiers of the subscriptions that it is for.
    pub(super) ids: Vec<u32>,
}

impl Terms {
    pub(super) fn of(subscription: &Subscription) -> Self {
        Self {
            qos: subscription.qos,
            retain_as_published: subscription.retain_as_published,
            ids: subscription.id.into_iter().collect(),
        }
    }

    /// A copy of `publish` on these terms.
    pub(super) fn apply(&self, publish: &Publish) -> Publish {
        let mut copy = publish.clone().with_qos(publish.qos.min(self.qos));
        copy.retain &= self.retain_as_published;
        mark(&mut copy.properties, &self.ids);
        copy
    }
}

/// Puts the identifiers of subscriptions into a message's properties.
fn mark(properties: &mut Properties, ids: &[u32]) {
    for id in ids {
        properties.push(Property::SubscriptionId, Value::Number(*id));
    }
}

impl Default for BrokerSession {
    fn default() -> Self {
        Self {
            subscriptions: BTreeMap::new(),
            shared: BTreeMap::new(),
            window: IN_FLIGHT,
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            in_flight: VecDeque::new(),
            unreleased: BTreeSet::new(),
            last_id: 0,
        }
    }
}

impl BrokerSession {
    /// Sends no more than `most` messages that are unacknowledged.
    pub(super) fn set_window(&mut self, most: usize) {
        self.window = most.min(IN_FLIGHT);
    }

    /// Subscribes or changes a subscription. Whether there was none to this filter. `may_share` says
    /// whether the client's generation of the protocol has shared subscriptions.
    pub(super) fn subscribe(&mut self, subscription: Subscription, may_share: bool) -> bool {
        let all = match may_share && shared(&subscription.filter).is_some() {
            true => &mut self.shared,
            false => &mut self.subscriptions,
        };
        all.insert(subscription.filter.clone(), subscription)
            .is_none()
    }

    /// Subscribes to `filter` at QoS 0, unless the client itself has done so before.
    pub(super) fn begin_with(&mut self, filter: String) {
        let subscription = Subscription {
            filter: filter.clone(),
            ..Subscription::default()
        };
        self.subscriptions.entry(filter).or_insert(subscription);
    }

    /// Whether there was such a subscription.
    pub(super) fn unsubscribe(&mut self, filter: &str) -> bool {
        let plain = self.subscriptions.remove(filter).is_some();
        self.shared.remove(filter).is_some() || plain
    }

    /// How the client wants messages to `topic`, if it wants them at all: one copy, at the best QoS
    /// of its subscriptions. `own` says whether the message is the client's own.
    pub(super) fn wants(&self, topic: &str, own: bool) -> Option<Terms> {
        let mut terms: Option<Terms> = None;
        for (filter, subscription) in &self.subscriptions {
            if own && subscription.no_local || !matches(filter, topic) {
                continue;
            }
            let terms = terms.get_or_insert_default();
            terms.qos = terms.qos.max(subscription.qos);
            terms.retain_as_published |= subscription.retain_as_published;
            terms.ids.extend(subscription.id);
        }
        terms
    }

    /// Its shared subscriptions that match `topic`.
    pub(super) fn shares<'s>(&'s self, topic: &'s str) -> impl Iterator<Item = &'s Subscription> {
        self.shared.values().filter(move |subscription| {
            matches!(shared(&subscription.filter), Some(Ok((_, filter))) if matches(filter, topic))
        })
    }

    /// Whether another message may be put in line, of which `limit` may wait.
    pub(super) fn has_room(&self, limit: usize) -> bool {
        self.waiting.len() < limit && self.waiting_bytes < WAITING_BYTES
    }

    /// Number of messages in line.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Number of messages in line and unacknowledged.
    pub(super) fn unfinished(&self) -> usize {
        self.waiting.len() + self.in_flight.len()
    }

    /// Puts `publish` in line. False, and it is dropped, if there is no room.
    #[must_use]
    pub(super) fn queue(&mut self, publish: Publish, limit: usize) -> bool {
        if !self.has_room(limit) {
            return false;
        }
        self.waiting_bytes += size(&publish);
        self.waiting.push_back(publish);
        true
    }

    /// The next message to send, if there is one and the client can take it. What is good for nothing
    /// any more is left out.
    pub(super) fn next(&mut self, now: LabTime) -> Option<Publish> {
        while self
            .waiting
            .front()
            .is_some_and(|first| first.has_expired(now))
        {
            self.take_first();
        }
        let first = self.waiting.front()?;
        if first.qos == QoS::AtMostOnce {
            return self.take_first();
        }
        if self.in_flight.len() >= self.window {
            return None;
        }
        let id = self.unused_id();
        let mut publish = self.take_first()?;
        publish.id = Some(id);
        self.in_flight.push_back(InFlight {
            id,
            stage: Stage::Sent(publish.clone()),
        });
        Some(publish)
    }

    /// PUBACK came.
    pub(super) fn acknowledged(&mut self, id: u16) {
        self.in_flight.retain(|message| {
            message.id != id
                || !matches!(&message.stage, Stage::Sent(p) if p.qos == QoS::AtLeastOnce)
        });
    }

    /// PUBREC came. Whether there is such a message: PUBREL is the answer in any case.
    pub(super) fn received(&mut self, id: u16) -> bool {
        let mut known = false;
        for message in &mut self.in_flight {
            if message.id != id {
                continue;
            }
            match &message.stage {
                Stage::Sent(publish) if publish.qos != QoS::ExactlyOnce => {}
                _ => {
                    message.stage = Stage::Released;
                    known = true;
                }
            }
        }
        known
    }

    /// The client does not want a message, or cannot be sent it.
    pub(super) fn refused(&mut self, id: u16) {
        self.in_flight.retain(|message| message.id != id);
    }

    /// PUBCOMP came.
    pub(super) fn completed(&mut self, id: u16) {
        self.in_flight
            .retain(|message| message.id != id || !matches!(message.stage, Stage::Released));
    }

    /// A message of QoS 2 came. False if it was here before and must not be passed on again.
    pub(super) fn first_of(&mut self, id: u16) -> bool {
        self.unreleased.insert(id)
    }

    /// Messages of QoS 2 that came and were not released yet.
    pub(super) fn unreleased(&self) -> usize {
        self.unreleased.len()
    }

    /// PUBREL came. Whether there is such a message: PUBCOMP is the answer in any case.
    pub(super) fn released(&mut self, id: u16) -> bool {
        self.unreleased.remove(&id)
    }

    /// The client is gone: what is only sent to those present is dropped.
    pub(super) fn detach(&mut self) {
        self.waiting
            .retain(|publish| publish.qos != QoS::AtMostOnce);
        self.waiting_bytes = self.waiting.iter().map(size).sum();
    }

    /// The client is back: everything that it did not acknowledge, in the order in which it was
    /// sent (§4.4, §4.6).
    pub(super) fn again(&self) -> Vec<Again> {
        self.in_flight
            .iter()
            .map(|message| match &message.stage {
                Stage::Released => Again::PubRel(message.id),
                Stage::Sent(publish) => Again::Publish(Publish {
                    duplicate: true,
                    ..publish.clone()
                }),
            })
            .collect()
    }

    fn take_first(&mut self) -> Option<Publish> {
        let first = self.waiting.pop_front()?;
        self.waiting_bytes = self.waiting_bytes.saturating_sub(size(&first));
        Some(first)
    }

    fn unused_id(&mut self) -> u16 {
        // Ends, because far fewer are in flight than there are identifiers.
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            let id = self.last_id;
            if self.in_flight.iter().all(|message| message.id != id) {
                return id;
            }
        }
    }
}

fn size(publish: &Publish) -> usize {
    publish.topic.len() + publish.payload.len() + publish.properties.size()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str, qos: QoS) -> Publish {
        Publish::new("t", text.to_owned()).with_qos(qos)
    }

    fn subscribe(session: &mut BrokerSession, filter: &str, qos: QoS) {
        let subscription = Subscription {
            filter: filter.to_owned(),
            qos,
            ..Subscription::default()
        };
        session.subscribe(subscription, true);
    }

    #[test]
    fn what_has_expired_is_not_sent_and_makes_room() {
        let mut session = BrokerSession::default();
        let mut old = message("old", QoS::AtLeastOnce);
        old.expires = Some(LabTime::from_secs(1));
        assert!(session.queue(old, 2));
        assert!(session.queue(message("new", QoS::AtLeastOnce), 2));
        assert_eq!(session.next(LabTime::from_secs(1)).unwrap().payload, "new");
        assert_eq!((session.waiting(), session.waiting_bytes), (0, 0));
    }

    #[test]
    fn a_client_gets_no_more_at_once_than_it_asked_for() {
        let mut session = BrokerSession::default();
        session.set_window(1);
        for text in ["one", "two"] {
            assert!(session.queue(message(text, QoS::AtLeastOnce), 10));
        }
        let first = session.next(LabTime::START).unwrap();
        assert_eq!(session.next(LabTime::START), None);
        session.acknowledged(first.id.unwrap());
        assert_eq!(session.next(LabTime::START).unwrap().payload, "two");
    }

    #[test]
    fn overlapping_subscriptions_give_the_best_qos() {
        let mut session = BrokerSession::default();
        subscribe(&mut session, "a/#", QoS::AtMostOnce);
        subscribe(&mut session, "a/+", QoS::ExactlyOnce);
        let wants = |session: &BrokerSession, topic| {
            let terms = session.wants(topic, false);
            terms.map(|terms| terms.qos)
        };
        assert_eq!(wants(&session, "a/b"), Some(QoS::ExactlyOnce));
        assert_eq!(wants(&session, "a/b/c"), Some(QoS::AtMostOnce));
        assert_eq!(wants(&session, "b"), None);
        assert!(session.unsubscribe("a/+"));
        assert!(!session.unsubscribe("a/+"));
        assert_eq!(wants(&session, "a/b"), Some(QoS::AtMostOnce));
    }

    #[test]
    fn a_full_window_holds_back_what_needs_an_acknowledgement() {
        let mut session = BrokerSession::default();
        for number in 0..IN_FLIGHT + 1 {
            assert!(session.queue(message(&number.to_string(), QoS::AtLeastOnce), 1000));
        }
        let sent: Vec<_> = std::iter::from_fn(|| session.next(LabTime::START)).collect();
        assert_eq!(sent.len(), IN_FLIGHT);
        session.acknowledged(sent[0].id.unwrap());
        assert!(session.next(LabTime::START).is_some());
        assert!(session.next(LabTime::START).is_none());
    }

    #[test]
    fn identifiers_go_round_without_zero_and_without_one_in_flight() {
        let mut session = BrokerSession::default();
        assert!(session.queue(message("kept", QoS::AtLeastOnce), 10));
        let kept = session.next(LabTime::START).unwrap().id.unwrap();
        for _ in 0..70_000 {
            assert!(session.queue(message("x", QoS::AtLeastOnce), 10));
            let id = session.next(LabTime::START).unwrap().id.unwrap();
            assert!(id != 0 && id != kept);
            session.acknowledged(id);
        }
    }

    #[test]
    fn what_was_not_acknowledged_is_sent_again_and_marked() {
        let mut session = BrokerSession::default();
        for (text, qos) in [
            ("one", QoS::AtLeastOnce),
            ("two", QoS::ExactlyOnce),
            ("three", QoS::ExactlyOnce),
        ] {
            assert!(session.queue(message(text, qos), 10));
        }
        let sent: Vec<_> = std::iter::from_fn(|| session.next(LabTime::START)).collect();
        session.received(sent[1].id.unwrap());
        session.detach();
        let again = session.again();
        assert_eq!(again[1], Again::PubRel(sent[1].id.unwrap()));
        for (at, text) in [(0, "one"), (2, "three")] {
            let Again::Publish(publish) = &again[at] else {
                panic!("{text} was not sent again");
            };
            assert!(publish.duplicate && publish.payload == text);
        }
        session.completed(sent[1].id.unwrap());
        assert_eq!(session.again().len(), 2);
    }

    #[test]
    fn an_acknowledgement_of_the_wrong_kind_changes_nothing() {
        let mut session = BrokerSession::default();
        assert!(session.queue(message("two", QoS::ExactlyOnce), 10));
        let id = session.next(LabTime::START).unwrap().id.unwrap();
        session.acknowledged(id);
        session.completed(id);
        assert_eq!(session.again().len(), 1);
    }

    #[test]
    fn a_message_of_qos_2_is_taken_once_until_it_is_released() {
        let mut session = BrokerSession::default();
        assert!(session.first_of(7));
        assert!(!session.first_of(7));
        session.released(7);
        assert!(session.first_of(7));
    }

    #[test]
    fn a_queue_is_bounded_and_qos_0_is_not_kept_for_the_absent() {
        let mut session = BrokerSession::default();
        assert!(session.queue(message("a", QoS::AtMostOnce), 2));
        assert!(session.queue(message("b", QoS::AtLeastOnce), 2));
        assert!(!session.queue(message("c", QoS::AtLeastOnce), 2));
        session.detach();
        assert_eq!(session.next(LabTime::START).unwrap().payload, "b");
    }

    #[test]
    fn a_queue_is_bounded_in_bytes_too() {
        let mut session = BrokerSession::default();
        let megabyte = Publish::new("t", vec![0; 1 << 20]).with_qos(QoS::AtLeastOnce);
        let taken = (0..1000)
            .take_while(|_| session.queue(megabyte.clone(), 1000))
            .count();
        assert_eq!(taken, 16);
        assert!(session.next(LabTime::START).is_some());
        assert!(session.has_room(1000));
    }
}
