//! How a stand-in takes part in what happens at the broker.

use std::sync::Arc;

use crate::packet::{Connect, Level, Publish, QoS};
use crate::tls::PresentedCertificate;

/// A connected client.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// Number of the connection, as in the trace.
    pub connection: u64,
    /// Generation of the protocol that it speaks.
    pub level: Level,
    /// Client id as it was sent, or as the broker chose it.
    pub id: String,
    /// User name as it was sent.
    pub username: Option<String>,
    /// The certificate that it showed.
    pub certificate: Option<PresentedCertificate>,
    /// DER of the certificates that it showed, its own first.
    pub chain: Arc<[Vec<u8>]>,
    /// Whether the connection is encrypted.
    pub encrypted: bool,
    /// The device of the scenario, if it is known by now.
    pub device: Option<String>,
}

/// What a hook says of a CONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing; let others judge.
    Pass,
    /// Let it in, as this device if it is known.
    Accept {
        /// Name in the scenario.
        device: Option<String>,
    },
    /// CONNACK with this code.
    Refuse {
        /// 1 to 5 by the standard, which a client of MQTT 5 gets as the reason code that says the same;
        /// or a reason code of MQTT 5.
        code: u8,
        /// For the trace.
        reason: String,
    },
}

/// What becomes of a message that a client has published and may publish.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reception {
    /// It is passed on to subscribers, then acknowledged.
    #[default]
    Route,
    /// It is acknowledged and goes no further: this cloud is no broker between its clients.
    Keep,
    /// It is acknowledged by this reason code and goes no further; before MQTT 5, which has none, as
    /// if it were kept.
    Refuse {
        /// Reason code of MQTT 5, from 128 on.
        code: u8,
    },
    /// The connection ends without an acknowledgement.
    Close {
        /// Reason code of the DISCONNECT that a client of MQTT 5 gets.
        code: u8,
        /// For the trace.
        reason: String,
    },
}

/// A stand-in behind the broker. All of these are called in between two packets of a client and
/// must not wait.
pub trait Hook: Send + Sync {
    /// The TLS handshake of `connection` has succeeded, and the client has shown `chain` (DER, its own
    /// certificate first; empty for none).
    fn secured(&self, _connection: u64, _chain: &[Vec<u8>]) {}

    /// Judges a CONNECT. The first hook that does not pass decides.
    fn authenticate(&self, _connect: &Connect, _client: &Client) -> Decision {
        Decision::Pass
    }

    /// The flag "session present" of the CONNACK that answers `connect`, where that is not what the
    /// standard says. The first hook that gives one decides.
    fn session_present(&self, _connect: &Connect) -> Option<bool> {
        None
    }

    /// Whether it can cope with U+0000 in a client id or user name, as devices send that pad
    /// their names. Unless a hook can, the connection is closed.
    fn tolerates_nul(&self) -> bool {
        false
    }

    /// Called before a message goes into the trace, to name the secrets in it.
    fn spot_secrets(&self, _topic: &str, _payload: &[u8]) {}

    /// Whether `client` may publish to `topic`. If not, the message is acknowledged and dropped; in
    /// MQTT 5 the acknowledgement is the reason code "not authorized".
    fn may_publish(&self, _client: &Client, _topic: &str) -> bool {
        true
    }

    /// Whether `client` may subscribe to `filter`. If not, the answer is 0x80, and in MQTT 5
    /// [`denial`](Self::denial).
    fn may_subscribe(&self, _client: &Client, _filter: &str) -> bool {
        true
    }

    /// Reason code of MQTT 5 by which it denies a subscription; "not authorized" if left out.
    fn denial(&self) -> u8 {
        0x87
    }

    /// At which quality of service a subscription of `client` that asks for `wanted` is granted. The
    /// lowest counts.
    fn grants(&self, _client: &Client, _filter: &str, wanted: QoS) -> QoS {
        wanted
    }

    /// `client` has published something that it may; called before the message is passed on and
    /// acknowledged. The first hook that does not have it passed on decides.
    fn receive(&self, _client: &Client, _publish: &Publish) -> Reception {
        Reception::Route
    }

    /// Filters that the session of `client` has from its start, at QoS 0, without subscribing.
    fn subscribes(&self, _client: &Client) -> Vec<String> {
        Vec::new()
    }

    /// `client` has published, and subscribers have been served.
    fn published(&self, _client: &Client, _publish: &Publish) {}

    /// The session of `client` has begun.
    fn connected(&self, _client: &Client) {}

    /// The connection of `client` is gone.
    fn disconnected(&self, _client: &Client) {}
}
