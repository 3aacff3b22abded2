//! TLS as devices of ten years ago speak it, in a scenario.

use schemars::JsonSchema;
use serde::Deserialize;

use super::mistake::Mistake;
use super::span::Placed;
use super::world::Broker;

/// A broker that speaks the TLS of old devices, by OpenSSL.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OldTls {
    /// The oldest version that it speaks.
    #[serde(default = "tls_10")]
    pub oldest: Placed<OldVersion>,
    /// The newest.
    #[serde(default)]
    pub newest: OldVersion,
    /// How keys are agreed upon.
    #[serde(default)]
    pub key_exchange: KeyExchange,
    /// Of which strength its certificate and its authority are; as the broker's `certificate` says if left
    /// out.
    pub strength: Option<Strength>,
}

/// A version of TLS before 1.3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
pub enum OldVersion {
    /// TLS 1.0.
    #[serde(rename = "tls-1.0")]
    Tls10,
    /// TLS 1.1.
    #[serde(rename = "tls-1.1")]
    Tls11,
    /// TLS 1.2.
    #[default]
    #[serde(rename = "tls-1.2")]
    Tls12,
}

/// How keys are agreed upon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeyExchange {
    /// As client and broker like.
    #[default]
    Any,
    /// By RSA alone, without forward secrecy; the broker's certificate has to have an RSA key.
    Rsa,
}

/// Of which strength certificates are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Strength {
    /// RSA keys of 1024 bits and SHA-1, as the ESP8266's SDK makes them.
    #[serde(rename = "of-2017")]
    Of2017,
    /// RSA keys of 2048 bits and SHA-256.
    #[serde(rename = "of-today")]
    OfToday,
}

fn tls_10() -> Placed<OldVersion> {
    Placed::new(OldVersion::Tls10, super::span::Span::default())
}

/// What is wrong with how a broker speaks TLS.
pub(super) fn mistakes(broker: &Broker) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    let old = broker.old_tls.as_ref();
    if let Some(old) = old.filter(|old| old.oldest.value > old.newest) {
        let message = "`oldest` is newer than `newest`";
        mistakes.push(Mistake::at(old.oldest.span, message));
    }
    if let Some(size) = &broker.handshake.record_size
        && (!(32..=16_389).contains(&size.value) || old.is_some())
    {
        let message = "a record has 32 to 16389 bytes, and OpenSSL's size is its own";
        mistakes.push(Mistake::at(size.span, message));
    }
    mistakes
}
