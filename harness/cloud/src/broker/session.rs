//! What the broker keeps for one client: subscriptions, and messages on their way to it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::packet::{Publish, QoS, matches};

/// Messages of QoS above 0 that a client may hold unacknowledged.
const IN_FLIGHT: usize = 100;
/// Bytes of topics and payloads that may wait for one client, whatever their number. One message
/// more is taken, so that the largest fits too.
const WAITING_BYTES: usize = 16 << 20;

/// One client's state (MQTT 3.1.1 §3.1.2.4). Knows nothing of connections.
#[derive(Debug, Default)]
pub(super) struct BrokerSession {
    subscriptions: BTreeMap<String, QoS>,
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

impl BrokerSession {
    /// Subscribes to `filter` or changes the QoS of that subscription.
    pub(super) fn subscribe(&mut self, filter: String, qos: QoS) {
        self.subscriptions.insert(filter, qos);
    }

    /// Subscribes to `filter` at QoS 0, unless the client itself has done so before.
    pub(super) fn begin_with(&mut self, filter: String) {
        self.subscriptions.entry(filter).or_insert(QoS::AtMostOnce);
    }

    pub(super) fn unsubscribe(&mut self, filter: &str) {
        self.subscriptions.remove(filter);
    }

    /// The best QoS at which the client wants messages to `topic`, if it wants them at all.
    pub(super) fn wants(&self, topic: &str) -> Option<QoS> {
        self.subscriptions
            .iter()
            .filter(|(filter, _)| matches(filter, topic))
            .map(|(_, qos)| *qos)
            .max()
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

    /// The next message to send, if there is one and the client can take it.
    pub(super) fn next(&mut self) -> Option<Publish> {
        let first = self.waiting.front()?;
        if first.qos == QoS::AtMostOnce {
            return self.take_first();
        }
        if self.in_flight.len() >= IN_FLIGHT {
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

    /// PUBREC came; PUBREL is the answer in any case.
    pub(super) fn received(&mut self, id: u16) {
        for message in &mut self.in_flight {
            if message.id == id
                && matches!(&message.stage, Stage::Sent(p) if p.qos == QoS::ExactlyOnce)
            {
                message.stage = Stage::Released;
            }
        }
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

    /// PUBREL came; PUBCOMP is the answer in any case.
    pub(super) fn released(&mut self, id: u16) {
        self.unreleased.remove(&id);
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
    publish.topic.len() + publish.payload.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str, qos: QoS) -> Publish {
        Publish::new("t", text.to_owned()).with_qos(qos)
    }

    #[test]
    fn overlapping_subscriptions_give_the_best_qos() {
        let mut session = BrokerSession::default();
        session.subscribe("a/#".into(), QoS::AtMostOnce);
        session.subscribe("a/+".into(), QoS::ExactlyOnce);
        assert_eq!(session.wants("a/b"), Some(QoS::ExactlyOnce));
        assert_eq!(session.wants("a/b/c"), Some(QoS::AtMostOnce));
        assert_eq!(session.wants("b"), None);
        session.unsubscribe("a/+");
        assert_eq!(session.wants("a/b"), Some(QoS::AtMostOnce));
    }

    #[test]
    fn a_full_window_holds_back_what_needs_an_acknowledgement() {
        let mut session = BrokerSession::default();
        for number in 0..IN_FLIGHT + 1 {
            assert!(session.queue(message(&number.to_string(), QoS::AtLeastOnce), 1000));
        }
        let sent: Vec<_> = std::iter::from_fn(|| session.next()).collect();
        assert_eq!(sent.len(), IN_FLIGHT);
        session.acknowledged(sent[0].id.unwrap());
        assert!(session.next().is_some());
        assert!(session.next().is_none());
    }

    #[test]
    fn identifiers_go_round_without_zero_and_without_one_in_flight() {
        let mut session = BrokerSession::default();
        assert!(session.queue(message("kept", QoS::AtLeastOnce), 10));
        let kept = session.next().unwrap().id.unwrap();
        for _ in 0..70_000 {
            assert!(session.queue(message("x", QoS::AtLeastOnce), 10));
            let id = session.next().unwrap().id.unwrap();
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
        let sent: Vec<_> = std::iter::from_fn(|| session.next()).collect();
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
        let id = session.next().unwrap().id.unwrap();
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
        assert_eq!(session.next().unwrap().payload, "b");
    }

    #[test]
    fn a_queue_is_bounded_in_bytes_too() {
        let mut session = BrokerSession::default();
        let megabyte = Publish::new("t", vec![0; 1 << 20]).with_qos(QoS::AtLeastOnce);
        let taken = (0..1000)
            .take_while(|_| session.queue(megabyte.clone(), 1000))
            .count();
        assert_eq!(taken, 16);
        assert!(session.next().is_some());
        assert!(session.has_room(1000));
    }
}
