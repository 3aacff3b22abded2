//! Messages that the broker has not acknowledged, and the packet identifiers of one client.
//!
//! Both outlive connections: what was sent on one and not acknowledged is sent again on the next, by its
//! identifier and with DUP set, before anything else. esp-mqtt does so in clean sessions too, and again
//! whenever an acknowledgement stays away.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use embassy_time::Instant;
use heapless::Deque;
use mqttrs::Pid;

use super::error::RequestError;
use super::packet::MAX_LEN;
use crate::bugs::{self, Bug};

/// Messages that may wait for their acknowledgement.
pub(crate) const MAX_MESSAGES: usize = 16;
/// Bytes of their topics and payloads.
const MAX_BYTES: usize = 4 * MAX_LEN;

/// The unacknowledged messages of a client, oldest first.
#[derive(Debug)]
pub(crate) struct Outbox {
    next: Pid,
    messages: Deque<Message, MAX_MESSAGES>,
    bytes: usize,
}

/// A message of quality of service 1.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) pid: Pid,
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It was never sent.
    New,
    /// It was sent, and has to be sent again.
    Again,
    /// It is sent, and its acknowledgement awaited until then.
    Sent(Instant),
}

impl Outbox {
    /// Nothing waits.
    pub(crate) fn new() -> Self {
        Self {
            next: Pid::new(),
            messages: Deque::new(),
            bytes: 0,
        }
    }

    /// Keeps a message until it is acknowledged. The answer is its identifier.
    pub(crate) fn keep(&mut self, topic: &str, payload: &[u8]) -> Result<u16, RequestError> {
        self.keep_beside(topic, payload, |_| false).map(Pid::get)
    }

    /// The same beside requests of which the identifiers `are_taken`.
    pub(super) fn keep_beside(
        &mut self,
        topic: &str,
        payload: &[u8],
        are_taken: impl Fn(Pid) -> bool,
    ) -> Result<Pid, RequestError> {
        let len = topic.len() + payload.len();
        // A fixed header of three bytes at most, a length of two, and the identifier.
        if len + 7 > MAX_LEN {
            return Err(RequestError::TooLong);
        }
        if self.bytes + len > MAX_BYTES || self.messages.is_full() {
            return Err(RequestError::Busy);
        }
        let pid = self.take_pid(are_taken);
        let message = Message {
            pid,
            topic: topic.to_string(),
            payload: payload.to_vec(),
            stage: Stage::New,
        };
        self.bytes += len;
        // Room was checked above.
        let _ = self.messages.push_back(message);
        Ok(pid)
    }

    /// A packet identifier that nothing in flight has; the next one is another.
    pub(super) fn take_pid(&mut self, are_taken: impl Fn(Pid) -> bool) -> Pid {
        // Ends, because far fewer are in flight than there are identifiers.
        let is_careless = bugs::is(Bug::PacketIdsStartAnew);
        while !is_careless && (self.holds(self.next) || are_taken(self.next)) {
            self.next = self.next + 1;
        }
        let pid = self.next;
        self.next = pid + 1;
        pid
    }

    /// The next packet identifier is `number`, unless that is 0; what is in flight is skipped.
    pub(super) fn number_next(&mut self, number: u16) {
        if let Ok(pid) = Pid::try_from(number) {
            self.next = pid;
        }
    }

    /// A connection begins: what was sent on the last one has to be sent again.
    pub(super) fn begin_connection(&mut self) {
        if bugs::is(Bug::OutboxLostWithConnection) {
            self.clear();
        }
        if bugs::is(Bug::PacketIdsStartAnew) {
            self.next = Pid::new();
        }
        for message in self.messages.iter_mut() {
            if let Stage::Sent(_) = message.stage {
                message.stage = Stage::Again;
            }
        }
    }

    /// The client is destroyed, and its messages with it. Identifiers move on.
    pub(crate) fn clear(&mut self) {
        self.messages.clear();
        self.bytes = 0;
    }

    /// The oldest message that is to be sent, and whether it was sent before.
    pub(super) fn next_to_send(&self) -> Option<(&Message, bool)> {
        let mut messages = self.messages.iter();
        messages.find_map(|message| match message.stage {
            Stage::New => Some((message, false)),
            Stage::Again => Some((message, true)),
            Stage::Sent(_) => None,
        })
    }

    /// It was sent; its acknowledgement is awaited until then.
    pub(super) fn sent(&mut self, pid: Pid, until: Instant) {
        if let Some(message) = self.messages.iter_mut().find(|message| message.pid == pid) {
            message.stage = Stage::Sent(until);
        }
    }

    /// The broker has acknowledged `pid`. Whether that was awaited.
    pub(super) fn acknowledged(&mut self, pid: Pid) -> bool {
        let is_awaited =
            |message: &Message| message.pid == pid && matches!(message.stage, Stage::Sent(_));
        if !self.messages.iter().any(is_awaited) {
            return false;
        }
        for _ in 0..self.messages.len() {
            let Some(message) = self.messages.pop_front() else {
                break;
            };
            if is_awaited(&message) {
                self.bytes -= message.topic.len() + message.payload.len();
            } else {
                // It was in the queue a moment ago, so there is room.
                let _ = self.messages.push_back(message);
            }
        }
        true
    }

    /// The first message of which the acknowledgement is late; it has to be sent again.
    pub(super) fn late(&mut self, now: Instant) -> Option<Pid> {
        let late = self
            .messages
            .iter_mut()
            .find(|message| match message.stage {
                Stage::Sent(until) => now >= until,
                Stage::New | Stage::Again => false,
            })?;
        late.stage = Stage::Again;
        Some(late.pid)
    }

    /// When the first acknowledgement is late.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let awaited = self
            .messages
            .iter()
            .filter_map(|message| match message.stage {
                Stage::Sent(until) => Some(until),
                Stage::New | Stage::Again => None,
            });
        awaited.min()
    }

    fn holds(&self, pid: Pid) -> bool {
        self.messages.iter().any(|message| message.pid == pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn at(s: u64) -> Instant {
        Instant::from_secs(s)
    }

    fn due(outbox: &Outbox) -> Option<(u16, bool)> {
        let next = outbox.next_to_send();
        next.map(|(message, again)| (message.pid.get(), again))
    }

    #[test]
    fn what_was_sent_and_not_acknowledged_is_sent_again_first() {
        let mut outbox = Outbox::new();
        for payload in [b"a", b"b", b"c"] {
            outbox.keep("t", payload).expect("room");
        }
        for pid in [1, 2] {
            assert_eq!(due(&outbox), Some((pid, false)));
            outbox.sent(Pid::try_from(pid).expect("not 0"), at(10));
        }
        assert!(outbox.acknowledged(Pid::try_from(1).expect("not 0")));
        outbox.begin_connection();
        assert_eq!(due(&outbox), Some((2, true)));
        assert_eq!(outbox.keep("t", b"d"), Ok(4));
    }

    #[test]
    fn only_what_is_sent_on_this_connection_is_acknowledged() {
        let mut outbox = Outbox::new();
        outbox.keep("t", b"a").expect("room");
        let pid = Pid::new();
        assert!(!outbox.acknowledged(pid));
        outbox.sent(pid, at(10));
        outbox.begin_connection();
        assert!(!outbox.acknowledged(pid));
        outbox.sent(pid, at(20));
        assert!(outbox.acknowledged(pid));
        assert!(!outbox.acknowledged(pid));
    }

    #[test]
    fn identifiers_go_round_without_zero_and_without_one_in_flight() {
        let mut outbox = Outbox::new();
        let kept = outbox.keep("t", b"kept").expect("room");
        for _ in 0..70_000 {
            let pid = outbox.keep("t", b"x").expect("room");
            assert!(pid != 0 && pid != kept);
            let pid = Pid::try_from(pid).expect("not 0");
            outbox.sent(pid, at(0));
            assert!(outbox.acknowledged(pid));
        }
    }

    #[test]
    fn identifiers_of_other_requests_are_left_out() {
        let mut outbox = Outbox::new();
        let pid = outbox.keep_beside("t", b"", |pid| pid.get() < 3);
        assert_eq!(pid.map(Pid::get), Ok(3));
    }

    #[test]
    fn messages_and_bytes_are_bounded() {
        let mut outbox = Outbox::new();
        for _ in 0..MAX_MESSAGES {
            outbox.keep("t", b"x").expect("room");
        }
        assert_eq!(outbox.keep("t", b"x"), Err(RequestError::Busy));
        outbox.clear();
        let large = vec![0; 4_000];
        let kept = (0..MAX_MESSAGES).take_while(|_| outbox.keep("t", &large).is_ok());
        assert_eq!(kept.count(), 4);
        assert_eq!(outbox.keep("t", &[0; MAX_LEN]), Err(RequestError::TooLong));
    }

    #[test]
    fn a_late_acknowledgement_has_the_message_sent_again() {
        let mut outbox = Outbox::new();
        outbox.keep("t", b"a").expect("room");
        outbox.sent(Pid::new(), at(10));
        assert_eq!(outbox.deadline(), Some(at(10)));
        assert_eq!(outbox.late(at(9)), None);
        assert_eq!(outbox.late(at(10)), Some(Pid::new()));
        assert_eq!(outbox.deadline(), None);
        assert_eq!(due(&outbox), Some((1, true)));
    }
}
