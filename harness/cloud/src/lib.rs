//! The cloud that devices meet: a broker, and stand-ins behind it.
//!
//! Everything here lives on the runtime and the clock of one attempt, listens on loopback, and
//! writes what it sees into the trace.

#![cfg_attr(
    test,
    expect(clippy::unwrap_used, reason = "in tests a panic is the message")
)]

mod account_http;
mod broker;
mod clouds;
mod devices;
pub mod linkkit;
mod packet;
pub mod sntp;
pub mod thingsboard;
mod tls;

pub use broker::{
    BadPacket, Broker, BrokerSettings, Client, ConnectRefused, ConnectionClosed, ConnectionOpened,
    Decision, Denied, Down, Dropped, End, EndedBy, Faults, Hook, Injector, Limits,
    ListenerSettings, PacketTrace, ProbeError, Reception, Reply, SessionOpened, StartError,
    Strangers, WillPublished,
};
pub use clouds::{CloudFault, Fake, Newcomer};
pub use devices::Devices;
pub use linkkit::{
    BindOutcome, BindReply, Linkkit, LinkkitDevice, LinkkitSettings, MatchReply, Rules,
};
pub use packet::read_anything as read_any_packets;
pub use packet::{Connect, Level, Publish, QoS, Will, is_filter, is_name, matches};
pub use sntp::{Sntp, SntpFaults, Unusable};
pub use thingsboard::{ThingsBoard, ThingsBoardSettings};
pub use tls::read_anything as read_any_hello;
pub use tls::{
    Alert, Cause, ClientCertificate, Handshake, HandshakeFaults, KeyExchange, Legacy, OldVersion,
    PresentedCertificate, Subject, TlsConfigError, TlsSettings, Versions,
};
