//! CoAP on the LAN: a phone hears devices announce themselves, answers, and asks.

mod listener;
mod message;
mod query;

pub use listener::{Listener, ListenerSettings};
pub use query::{Answer, Query, QueryError, QueryTarget};
pub use trace::coap::{CoapGarbage, CoapSeen, CoapSent};
