//! The broker: a front of our own, with rumqttd's router behind it.
//!
//! The front owns everything that a device can see: connections, handshakes, sessions,
//! subscriptions, acknowledgements, retained messages, wills, faults. Every packet goes into the
//! trace. rumqttd carries copies of accepted messages from session to session ([`carrier`]).

mod carrier;
mod connection;
mod core;
mod delivery;
mod faults;
mod greeting;
mod hooks;
mod line;
mod listener;
mod probe;
mod service;
mod session;
mod settings;
mod transport;

pub use self::core::Injector;
pub use faults::Faults;
pub use hooks::{Client, Decision, Hook};
pub use probe::ProbeError;
pub use service::{Broker, StartError};
pub use settings::{BrokerSettings, Limits, ListenerSettings, PacketTrace, Strangers};
pub use trace::mqtt::{
    ConnectRefused, ConnectionClosed, ConnectionOpened, Denied, Dropped, End, SessionOpened,
    WillPublished,
};
