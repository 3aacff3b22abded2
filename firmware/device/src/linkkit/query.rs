//! A phone's question, held until it can be answered.

use core::net::SocketAddrV4;

use embassy_time::{Duration, Instant};
use proto::linkkit::Id;
use serde::Deserialize;

use super::notify::next_poll;
use crate::coap::Source;

/// Longest id that is echoed, in bytes.
const MAX_ID_LEN: usize = 32;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    /// Who asks.
    pub(super) from: SocketAddrV4,
    /// What the answer repeats.
    pub(super) source: Source,
    /// Id to echo.
    pub(super) id: Id,
}

impl Query {
    /// The id in a question's body; 0 if there is no body. None is for a body that is no question.
    pub(super) fn read_id(body: &[u8]) -> Option<Id> {
        #[derive(Deserialize)]
        struct Body {
            id: Id,
        }
        if body.is_empty() {
            return Some(Id::Number(0));
        }
        let Body { id } = serde_json::from_slice(body).ok()?;
        match &id {
            Id::Text(text) if text.len() > MAX_ID_LEN => None,
            _ => Some(id),
        }
    }
}

/// A question that waits for the cloud's reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// The question.
    pub(super) query: Query,
    since: Instant,
    until: Instant,
    due: Instant,
}

impl Held {
    /// From `now` on, no longer than `limit`.
    pub(super) fn new(query: Query, now: Instant, limit: Duration) -> Self {
        Self {
            query,
            since: now,
            until: now.checked_add(limit).unwrap_or(Instant::MAX),
            due: next_poll(now, now),
        }
    }

    /// When to look again.
    pub(super) fn deadline(&self) -> Instant {
        self.due
    }

    /// Whether it has waited too long.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        now >= self.until
    }

    /// Whether a look is due; if so, the next one is set.
    pub(super) fn poll(&mut self, now: Instant) -> bool {
        let due = now >= self.due;
        if due {
            self.due = next_poll(self.since, now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_may_be_a_number_or_a_text() {
        assert_eq!(Query::read_id(br#"{"id":7}"#), Some(Id::Number(7)));
        assert_eq!(
            Query::read_id(br#"{"id":"123","params":{}}"#),
            Some(Id::Text("123".into()))
        );
        assert_eq!(Query::read_id(b""), Some(Id::Number(0)));
    }

    #[test]
    fn what_is_no_question_has_no_id() {
        for body in [&b"{"[..], b"{}", b"7", br#"{"id":-1}"#, b"\xff"] {
            assert_eq!(Query::read_id(body), None);
        }
        let long = alloc::format!(r#"{{"id":"{}"}}"#, "1".repeat(MAX_ID_LEN + 1));
        assert_eq!(Query::read_id(long.as_bytes()), None);
    }
}
