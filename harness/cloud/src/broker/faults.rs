//! What the broker does wrong on purpose.

/// Faults of the broker; none by default. They can change while it runs and then hold for what
/// comes next.
///
/// Faults of the certificate are no faults of the broker: give it another identity
/// ([`Broker::set_identity`](super::Broker::set_identity)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// TCP is accepted and the TLS handshake never answered.
    pub stall_handshake: bool,
    /// CONNECT is never answered.
    pub ignore_connect: bool,
    /// CONNECT is answered by a reset of the TCP connection.
    pub reset_after_connect: bool,
    /// CONNECT is answered by a CONNACK with this code, 1 to 5 by the standard.
    pub connack: Option<u8>,
    /// Subscriptions to a filter that one of these matches, by the rules of topics, are refused by
    /// 0x80. A filter is matched by itself too, with its wildcards.
    pub refuse_subscriptions: Vec<String>,
    /// SUBSCRIBE is never answered, and subscribes nothing.
    pub ignore_subscribe: bool,
    /// Messages of QoS 1 and 2 are taken and not acknowledged.
    pub drop_puback: bool,
    /// PINGREQ is never answered.
    pub ignore_ping: bool,
    /// Nothing is delivered to clients; acknowledgements are.
    pub withhold_messages: bool,
}

impl Faults {
    /// Whether a subscription to `filter` is refused.
    pub(super) fn refuses(&self, filter: &str) -> bool {
        self.refuse_subscriptions
            .iter()
            .any(|refused| refused == filter || crate::packet::matches(refused, filter))
    }
}
