//! Who gets a message.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use super::carrier::Mailbox;
use super::core::Core;
use super::{Client, Dropped};
use crate::packet::{Publish, QoS, matches};

impl Core {
    /// Passes `publish`, which was accepted, on to every subscriber, and keeps it if it is to be
    /// retained (§3.3.1.3).
    pub(super) async fn route(&self, from: &Mailbox, publish: Publish) {
        if publish.retain {
            self.retain(&publish);
        }
        let recipients: Vec<_> = self
            .state()
            .sessions
            .values()
            .filter_map(|entry| {
                let qos = entry.session.wants(&publish.topic)?.min(publish.qos);
                let wanted = entry.attached.is_some() || qos != QoS::AtMostOnce;
                wanted.then(|| (entry.mailbox.clone(), qos))
            })
            .collect();
        for (to, qos) in recipients {
            let copy = seal_copy(&publish, qos);
            self.carrier.send(from, &to, copy).await;
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

    /// Puts retained messages that `filter` matches in line for `client`, also when it has
    /// subscribed before (§3.8.4).
    pub(super) fn send_retained(&self, client: &Client, filter: &str, qos: QoS) {
        let due: Vec<Publish> = self
            .state()
            .retained
            .values()
            .filter(|publish| matches(filter, &publish.topic))
            .map(|publish| Publish {
                qos: publish.qos.min(qos),
                ..publish.clone()
            })
            .collect();
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

/// A message as it travels between mailboxes: QoS, length of the topic, topic, payload.
fn seal_copy(publish: &Publish, qos: QoS) -> Bytes {
    let topic = publish.topic.as_bytes();
    let mut copy = BytesMut::with_capacity(3 + topic.len() + publish.payload.len());
    copy.put_u8(qos.number());
    // Topics come from packets, where their length has two bytes too.
    copy.put_u16(u16::try_from(topic.len()).unwrap_or(u16::MAX));
    copy.put_slice(topic);
    copy.put_slice(&publish.payload);
    copy.freeze()
}

/// The message in a copy.
pub(super) fn open_copy(mut copy: Bytes) -> Option<Publish> {
    let qos = QoS::new(copy.try_get_u8().ok()?)?;
    let length = usize::from(copy.try_get_u16().ok()?);
    if copy.len() < length {
        return None;
    }
    let topic = String::from_utf8(copy.split_to(length).to_vec()).ok()?;
    Some(Publish::new(topic, copy).with_qos(qos))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_copy_holds_the_message(
            topic in ".{1,60}",
            payload in prop::collection::vec(any::<u8>(), 0..200),
            qos in 0_u8..3,
        ) {
            let qos = QoS::new(qos).unwrap();
            let publish = Publish::new(topic, payload).with_qos(qos);
            prop_assert_eq!(open_copy(seal_copy(&publish, qos)), Some(publish));
        }
    }
}
