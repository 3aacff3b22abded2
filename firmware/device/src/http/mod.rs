//! HTTP/1.1 over any byte stream, as ESP-IDF's `esp_http_server` speaks it.
//!
//! Both servers use it: that of provisioning on the SoftAP, and [`crate::httpd`] on the station's
//! network, with TLS or without. `docs/https.md` says why it is no crate of others.

mod connection;
mod goodbye;
mod message;

pub(crate) use connection::{Connection, Unacknowledged, Unread};
pub(crate) use goodbye::say_goodbye;
pub(crate) use message::{Head, MAX_BODY, Method, Refusal, Upgrade, success};
