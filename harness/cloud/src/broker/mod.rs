//! The broker: connections, sessions, and the way of a message from one to another.
//!
//! Every packet goes into the trace, and the [`Faults`] of a scenario change what a client sees.
//!
//! # Versions
//!
//! Each client speaks the version that its CONNECT says: MQTT 3.1, 3.1.1 or 5. The broker decides as MQTT
//! 5 has it, and the [codec](crate::packet) leaves out what a client's version has not. Of MQTT 5:
//!
//! - sessions last for their expiry interval and wills wait for their delay, both in lab time (`expiry`);
//! - a message ends with its expiry interval, keeps its properties, and comes with the identifiers of the
//!   subscriptions that it is for; shared subscriptions take turns;
//! - the client's receive maximum and maximum packet size are kept, and aliases are given to topics if
//!   it takes them; what the broker takes is in CONNACK ([`Limits`]);
//! - what the broker ends or refuses has a reason code, and a reason in words;
//! - enhanced authentication is refused (0x8c).
//!
//! A message to nobody is acknowledged by 0x10 where no cloud is behind the broker.
//!
//! # How a message is delivered
//!
//! 1. A connection reads packets (`connection`). Acknowledgements and pings are dealt with at once;
//!    everything else in the order in which it came.
//! 2. A PUBLISH is put in line at every session that has subscribed (`delivery`), in the order of
//!    client ids, and only then acknowledged. A session has one line, whatever the quality of
//!    service, so the order of one publisher's messages is kept.
//! 3. The subscriber's connection is woken, takes messages off the line and sends them, with at
//!    most 100 of QoS 1 and 2 unacknowledged (`session`).
//!
//! # Back-pressure
//!
//! A line holds [`Limits::queue`] messages and 16 MiB. If one of the subscribers has no room, the
//! publisher is not acknowledged until there is, and its later messages are not looked at; after
//! 1000 packets or 1 MiB nothing more is read from it. So memory is bounded, nothing is dropped, and
//! publishers are as fast as the slowest subscriber. They still acknowledge what they receive
//! meanwhile, so that clients which subscribe to each other do not wait for each other.
//!
//! A subscriber that has no room and takes nothing for [`Limits::stall`] loses its connection
//! ([`End::TimedOut`], with the particulars), and publishers go on. What waits for a client that is
//! away is bounded by the same line; what does not fit is dropped, and [`Dropped`] says so. The same
//! holds while a fault withholds messages.
//!
//! Lab time runs at the host's pace while a publisher waits for room or a client does not take its
//! bytes, because that client may be a process of its own.

mod connection;
mod core;
mod delivery;
mod expiry;
mod faults;
mod greeting;
mod hooks;
mod late;
mod line;
mod listener;
mod probe;
mod service;
mod session;
mod settings;
mod subscribing;
mod transport;

pub use self::core::Injector;
pub use faults::{BadPacket, Down, Faults, Reply};
pub use hooks::{Client, Decision, Hook, Reception};
pub use probe::ProbeError;
pub use service::{Broker, EndedBy, StartError};
pub use settings::{BrokerSettings, Limits, ListenerSettings, PacketTrace, Strangers};
pub use trace::mqtt::{
    ConnectRefused, ConnectionClosed, ConnectionOpened, Denied, Dropped, End, SessionOpened,
    WillPublished,
};
