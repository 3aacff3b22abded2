//! Events of TLS handshakes at the broker.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

payloads! {
    Tls:
    Handshake => "handshake",
}

/// How one TLS handshake went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Handshake {
    /// Number of the connection at this broker; the MQTT events of the connection carry it too.
    pub connection: u64,
    /// Address of the peer.
    pub peer: String,
    /// Whether there is a connection now.
    pub ok: bool,
    /// Cause of the failure, in one word.
    pub cause: Cause,
    /// Cause of the failure, as exactly as it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The version agreed on, such as `TLS 1.3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The versions that the peer offered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offered: Vec<String>,
    /// The cipher suite agreed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cipher: Option<String>,
    /// The server name that the peer asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// The longest records that the peer asked for (RFC 6066 §4), in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_fragment_asked: Option<u16>,
    /// The longest records that the broker agreed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_fragment_granted: Option<u16>,
    /// The profile of the certificate that the broker showed.
    pub shown: String,
    /// The certificate that the peer showed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<PresentedCertificate>,
    /// The alert that the broker sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_sent: Option<Alert>,
    /// The alert that the peer sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_received: Option<Alert>,
}

/// A certificate that a client showed, good or bad.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PresentedCertificate {
    /// Whose it is.
    pub subject: Subject,
    /// Who signed it.
    pub issuer: Subject,
    /// Number of certificates shown, this one included.
    pub chain_length: usize,
}

/// An alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Alert {
    /// As on the wire.
    pub number: u8,
    /// Its name in the RFCs, such as `unknown_ca`.
    pub name: String,
}

/// What a handshake came to, without regard to the TLS library at either end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// It succeeded.
    None,
    /// A certificate was demanded and none shown.
    NoClientCertificate,
    /// The client's certificate has ended.
    ClientCertificateExpired,
    /// The client's certificate has not begun.
    ClientCertificateNotYetValid,
    /// No known authority signed the client's certificate.
    ClientCertificateUnknownIssuer,
    /// The client's certificate is not for clients.
    ClientCertificateWrongUsage,
    /// The client signed with a key that does not belong to its certificate.
    ClientKeyMismatch,
    /// Anything else about the client's certificate.
    ClientCertificateBad,
    /// The client refused the broker's certificate.
    ServerCertificateRefused,
    /// The client gave up by another alert.
    AlertReceived,
    /// No protocol version in common.
    NoCommonVersion,
    /// No cipher suite, key exchange or signature in common.
    NoCommonCipher,
    /// What came is no TLS.
    NotTls,
    /// The client went away in the middle.
    Closed,
    /// The client took too long.
    TimedOut,
    /// The broker keeps silent on purpose.
    Stalled,
    /// Anything else.
    Other,
}

/// A distinguished name, as far as it is of use here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Subject {
    /// Common name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub common_name: Option<String>,
    /// Organisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.common_name, &self.organization) {
            (Some(name), Some(organization)) => write!(f, "CN={name}, O={organization}"),
            (Some(name), None) => write!(f, "CN={name}"),
            (None, Some(organization)) => write!(f, "O={organization}"),
            (None, None) => f.write_str("nameless"),
        }
    }
}
