//! How a broker is set up.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::Faults;
use crate::tls::TlsSettings;

/// A whole broker.
#[derive(Clone, Debug, Default)]
pub struct BrokerSettings {
    /// Where it listens; at least one.
    pub listeners: Vec<ListenerSettings>,
    /// What becomes of clients that no [`Hook`](super::Hook) knows.
    pub strangers: Strangers,
    /// What it does wrong from the start.
    pub faults: Faults,
    /// Bounds of time and size.
    pub limits: Limits,
    /// Whether packets go into the trace.
    pub packets: PacketTrace,
}

impl BrokerSettings {
    /// One listener on loopback, without TLS.
    pub fn plain() -> Self {
        Self {
            listeners: vec![ListenerSettings::default()],
            ..Self::default()
        }
    }

    /// One listener on loopback, with TLS.
    pub fn tls(tls: TlsSettings) -> Self {
        Self {
            listeners: vec![ListenerSettings {
                tls: Some(tls),
                ..ListenerSettings::default()
            }],
            ..Self::default()
        }
    }
}

/// One port that is listened on.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// `127.0.0.1:0` unless it has to be another. Off loopback, TLS with client certificates is
    /// obligatory.
    pub address: SocketAddr,
    /// Without it, connections are in the clear.
    pub tls: Option<TlsSettings>,
}

impl Default for ListenerSettings {
    fn default() -> Self {
        Self {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            tls: None,
        }
    }
}

/// What becomes of clients that no hook knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strangers {
    /// They are let in.
    #[default]
    Welcome,
    /// CONNACK 5.
    Refused,
}

/// Whether packets go into the trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PacketTrace {
    /// Every packet, both ways.
    #[default]
    Every,
    /// None; handshakes, sessions and refusals still do. For measuring.
    None,
}

/// Bounds of size, and of time: in the lab for a client that lives there, in the host's for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From accept to the end of the TLS handshake.
    pub handshake: Duration,
    /// From there to a whole CONNECT.
    pub connect: Duration,
    /// For a client to take what it is sent.
    pub write: Duration,
    /// For a client to take notice of its refusal before the connection is torn down.
    pub drain: Duration,
    /// Largest packet in bytes; at most 1 MiB.
    pub packet: usize,
    /// Messages that wait for one client, at most 16 MiB of them. A publisher is acknowledged when
    /// there was room for its message with every subscriber.
    pub queue: usize,
    /// How long a subscriber may take nothing while it has no room and publishers wait for it; then
    /// its connection ends.
    pub stall: Duration,
    /// Retained messages.
    pub retained: usize,
    /// Messages of QoS 2 that a client of MQTT 5 may have sent and not released.
    pub receive: u16,
    /// The longest keep-alive that a client of MQTT 5 may have, in s; one that asks for more, or for
    /// none, is told this.
    pub keep_alive: Option<u16>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            connect: Duration::from_secs(10),
            write: Duration::from_secs(20),
            drain: Duration::from_secs(2),
            packet: 256 << 10,
            queue: 10_000,
            stall: Duration::from_secs(20),
            retained: 10_000,
            receive: 1000,
            keep_alive: None,
        }
    }
}
