//! CoAP on the LAN: a phone hears devices announce themselves, answers, and asks.

mod events;
mod listener;
mod message;
mod query;

pub use events::{CoapGarbage, CoapSeen, CoapSent};
pub use listener::{Listener, ListenerSettings};
pub use query::{Answer, Query, QueryError, QueryTarget};
