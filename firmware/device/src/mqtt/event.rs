//! What goes into a session at its beginning, and what comes out of it.

use alloc::string::String;
use alloc::vec::Vec;

use embassy_time::Duration;
use factory::Will;

/// Who connects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Credentials {
    /// Client id.
    pub(crate) client_id: String,
    /// User name; empty for none.
    pub(crate) username: String,
    /// Password; empty for none.
    pub(crate) password: String,
}

/// How a session is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings<'w> {
    /// Keep-alive in s; 0 for none.
    pub(crate) keep_alive_s: u16,
    /// Whether the broker is to forget the session with its connection.
    pub(crate) clean_session: bool,
    /// What the broker is to publish when the device vanishes.
    pub(crate) will: Option<&'w Will>,
    /// How long the broker may take for an answer.
    pub(crate) limit: Duration,
}

/// What has happened in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The broker has accepted us.
    Connected,
    /// A message on a topic.
    Message {
        /// Its topic.
        topic: String,
        /// Its bytes.
        payload: Vec<u8>,
    },
    /// The broker has our message.
    Published(u16),
    /// The broker has decided about a subscription.
    Subscribed {
        /// Its filter.
        filter: String,
        /// Whether it was granted.
        granted: bool,
        /// Packet identifier of the request.
        identifier: u16,
    },
    /// The broker has ended a subscription.
    Unsubscribed(u16),
    /// The broker has not acknowledged a message in time; it is sent again.
    Unacknowledged(u16),
}
