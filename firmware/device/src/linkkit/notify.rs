//! When and where the device tells phones about itself.

use core::net::Ipv4Addr;

use embassy_time::{Duration, Instant};
use proto::linkkit::NOTIFY_ACK_ID;

/// How often the SDK looks whether the cloud has replied.
pub(super) const POLL: Duration = Duration::from_millis(300);
/// First message token (SDK 3.0.1 `CoAPMessage.c`).
const FIRST_TOKEN: u32 = 0x0102_0304;

/// The first poll after `now` of those that began at `start`.
pub(super) fn next_poll(start: Instant, now: Instant) -> Instant {
    let polls = now.saturating_duration_since(start).as_ticks() / POLL.as_ticks() + 1;
    start + Duration::from_ticks(polls * POLL.as_ticks())
}

/// The notifications of one binding.
#[derive(Clone, Debug)]
pub(super) struct Notifying {
    count: u32,
    step: Duration,
    active: bool,
    sent: u32,
    due: Option<Instant>,
    next_id: u8,
    next_message_id: u16,
    next_token: u32,
    first_token: u32,
}

/// One notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Notification {
    /// Its number.
    pub(super) id: u8,
    /// CoAP message id.
    pub(super) message_id: u16,
    /// CoAP token.
    pub(super) token: [u8; 4],
    /// Where it goes.
    pub(super) destination: Ipv4Addr,
}

impl Notifying {
    /// At most `count` notifications, the first two `step` apart and each two `step` further apart
    /// than the two before.
    pub(super) fn new(count: u32, step: Duration) -> Self {
        Self {
            count,
            step,
            active: false,
            sent: 0,
            due: None,
            next_id: 0,
            next_message_id: 1,
            next_token: FIRST_TOKEN,
            first_token: FIRST_TOKEN,
        }
    }

    /// Begins anew; the first notification waits for [`Notifying::resume`].
    pub(super) fn start(&mut self) {
        self.active = true;
        self.sent = 0;
        self.due = None;
        self.first_token = self.next_token;
    }

    /// The token can be told from `at` on.
    pub(super) fn resume(&mut self, at: Instant) {
        if self.active {
            self.due = Some(at);
        }
    }

    /// Waits for the next [`Notifying::resume`].
    pub(super) fn pause(&mut self) {
        self.due = None;
    }

    /// No more notifications.
    pub(super) fn stop(&mut self) {
        self.active = false;
        self.due = None;
    }

    /// Whether notifications are going out or wait for a reply.
    pub(super) fn is_active(&self) -> bool {
        self.active
    }

    /// When a notification is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// The notification that is due at `now`, from a device with address `own`.
    pub(super) fn poll(&mut self, own: Ipv4Addr, now: Instant) -> Option<Notification> {
        self.due.filter(|due| now >= *due)?;
        let notification = Notification {
            id: self.next_id,
            message_id: self.next_message_id,
            token: self.next_token.to_le_bytes(),
            destination: destination(own, self.sent),
        };
        self.next_id = self.next_id.wrapping_add(1);
        self.next_message_id = self.next_message_id.wrapping_add(1);
        self.next_token = self.next_token.wrapping_add(1);
        self.sent += 1;
        if self.sent < self.count {
            self.due = Some(now + self.step * self.sent);
        } else {
            self.stop();
        }
        Some(notification)
    }

    /// Whether `token` is that of a notification since the last start.
    pub(super) fn is_ours(&self, token: &[u8]) -> bool {
        let Ok(token) = token.try_into().map(u32::from_le_bytes) else {
            return false;
        };
        token.wrapping_sub(self.first_token) < self.next_token.wrapping_sub(self.first_token)
    }

    /// Whether a phone's answer may carry this id: the last notification's, an earlier one's, or
    /// the one that every device takes.
    pub(super) fn takes_answer(&self, id: u64) -> bool {
        let last = u64::from(self.next_id.wrapping_sub(1));
        id == NOTIFY_ACK_ID || id <= last
    }
}

/// The wider broadcasts first, then the narrower ones.
fn destination(own: Ipv4Addr, sent: u32) -> Ipv4Addr {
    let [a, b, c, _] = own.octets();
    match sent % 4 {
        0 => Ipv4Addr::BROADCAST,
        1 => Ipv4Addr::new(a, 255, 255, 255),
        2 => Ipv4Addr::new(a, b, 255, 255),
        _ => Ipv4Addr::new(a, b, c, 255),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    const OWN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 59);

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn notifying(count: u32) -> Notifying {
        Notifying::new(count, Duration::from_millis(100))
    }

    #[test]
    fn intervals_grow_and_destinations_rotate() {
        let mut notifying = notifying(6);
        notifying.start();
        notifying.resume(at(300));
        let mut seen: Vec<(u64, u8, String)> = Vec::new();
        while let Some(due) = notifying.deadline() {
            let one = notifying.poll(OWN, due).expect("it is due");
            seen.push((due.as_millis(), one.id, one.destination.to_string()));
        }
        let expected = [
            (300, 0, "255.255.255.255"),
            (400, 1, "10.255.255.255"),
            (600, 2, "10.0.255.255"),
            (900, 3, "10.0.0.255"),
            (1_300, 4, "255.255.255.255"),
            (1_800, 5, "10.255.255.255"),
        ];
        assert_eq!(
            seen,
            expected.map(|(ms, id, to)| (ms, id, String::from(to)))
        );
    }

    #[test]
    fn nothing_is_told_before_the_start_or_after_the_stop() {
        let mut notifying = notifying(6);
        notifying.resume(at(0));
        assert_eq!(notifying.poll(OWN, at(1)), None);
        notifying.start();
        notifying.resume(at(0));
        notifying.stop();
        assert_eq!(notifying.poll(OWN, at(1)), None);
    }

    #[test]
    fn a_pause_keeps_the_place() {
        let mut notifying = notifying(6);
        notifying.start();
        notifying.resume(at(0));
        notifying.poll(OWN, at(0));
        notifying.pause();
        assert_eq!(notifying.deadline(), None);
        notifying.resume(at(900));
        let second = notifying.poll(OWN, at(900)).expect("it is due");
        assert_eq!(second.id, 1);
        assert_eq!(notifying.deadline(), Some(at(1_100)));
    }

    #[test]
    fn message_tokens_count_up_in_little_endian() {
        let mut notifying = notifying(6);
        notifying.start();
        notifying.resume(at(0));
        let first = notifying.poll(OWN, at(0)).expect("it is due");
        assert_eq!((first.message_id, first.token), (1, [4, 3, 2, 1]));
        let second = notifying.poll(OWN, at(100)).expect("it is due");
        assert_eq!((second.message_id, second.token), (2, [5, 3, 2, 1]));
    }

    #[test]
    fn only_tokens_since_the_last_start_are_ours() {
        let mut notifying = notifying(6);
        notifying.start();
        assert!(!notifying.is_ours(&[4, 3, 2, 1]));
        notifying.resume(at(0));
        notifying.poll(OWN, at(0));
        assert!(notifying.is_ours(&[4, 3, 2, 1]));
        assert!(!notifying.is_ours(&[5, 3, 2, 1]));
        assert!(!notifying.is_ours(&[4, 3, 2]));
        notifying.start();
        assert!(!notifying.is_ours(&[4, 3, 2, 1]));
    }

    #[test]
    fn an_answer_carries_the_id_of_a_notification_or_123() {
        let mut notifying = notifying(6);
        notifying.start();
        notifying.resume(at(0));
        notifying.poll(OWN, at(0));
        notifying.poll(OWN, at(100));
        for (id, taken) in [(0, true), (1, true), (2, false), (123, true)] {
            assert_eq!(notifying.takes_answer(id), taken, "{id}");
        }
    }

    #[test]
    fn polls_are_300_ms_apart_from_their_beginning() {
        let cases = [
            (1_000, 1_300),
            (1_001, 1_300),
            (1_300, 1_600),
            (1_599, 1_600),
        ];
        for (now, expected) in cases {
            assert_eq!(next_poll(at(1_000), at(now)), at(expected));
        }
    }
}
