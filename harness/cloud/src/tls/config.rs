//! What the front shows and asks for.

use std::sync::Arc;

use capture::Capture;
use clock::Clock;
use rustls::crypto::ring;
use rustls::pki_types::UnixTime;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::time_provider::TimeProvider;
use rustls::{KeyLog, RootCertStore, ServerConfig, SupportedProtocolVersion};
use trace::Trace;

use super::verifier::{Linked, Recording};

/// TLS of one listener.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// What the broker shows.
    pub identity: pki::Identity,
    /// Who may have signed a client's certificate.
    pub client_authorities: Vec<pki::Authority>,
    /// Whether clients have to show one.
    pub client_certificate: ClientCertificate,
    /// Protocol versions spoken.
    pub versions: Versions,
    /// What goes wrong in every handshake.
    pub faults: HandshakeFaults,
    /// OpenSSL in the place of rustls, for old devices; `versions` then says nothing.
    pub legacy: Option<Legacy>,
}

impl TlsSettings {
    /// Mutual TLS of every version: shows `identity` and demands a certificate signed by one of
    /// `client_authorities`.
    pub fn mutual(identity: pki::Identity, client_authorities: Vec<pki::Authority>) -> Self {
        Self {
            identity,
            client_authorities,
            client_certificate: ClientCertificate::Required,
            versions: Versions::All,
            faults: HandshakeFaults::default(),
            legacy: None,
        }
    }
}

/// Whether clients have to show a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificate {
    /// No certificate, no connection.
    #[default]
    Required,
    /// Asked for; one that is shown must be good.
    Optional,
    /// Asked for; one that is shown is taken unjudged if the client has its key and every certificate
    /// of the chain is signed by the next. The cloud behind the broker judges it (ThingsBoard).
    Any,
    /// Not even asked for.
    NotAsked,
}

/// Protocol versions spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    /// 1.2 and 1.3.
    #[default]
    All,
    /// 1.2 alone.
    Tls12,
    /// 1.3 alone.
    Tls13,
}

/// What goes wrong in every handshake of a listener; nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HandshakeFaults {
    /// Records carry so many bytes at the most, with their head, so that messages come in pieces; 32 to
    /// 16389. Not by OpenSSL.
    pub record_size: Option<u16>,
    /// What the broker sends ends after so many bytes, and it says no more.
    pub stops_after: Option<u32>,
    /// The alert of a refusal is lost, because a reset overtakes it.
    pub alert_lost: bool,
}

/// TLS as old devices speak it, which rustls refuses by design; only in a build with the feature `legacy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Legacy {
    /// The oldest version that is spoken.
    pub oldest: OldVersion,
    /// The newest.
    pub newest: OldVersion,
    /// By which key exchange.
    pub key_exchange: KeyExchange,
}

/// A version of TLS before 1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OldVersion {
    /// TLS 1.0 (RFC 2246).
    Tls10,
    /// TLS 1.1 (RFC 4346).
    Tls11,
    /// TLS 1.2 (RFC 5246).
    Tls12,
}

/// How the keys of a session are agreed upon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyExchange {
    /// As client and server like.
    #[default]
    Any,
    /// By RSA alone, without forward secrecy (RFC 5246 §7.4.7.1).
    Rsa,
}

/// What accepts the connections of a listener. Cheap to clone.
#[derive(Clone)]
pub(crate) enum Acceptor {
    /// rustls.
    Rustls(Arc<ServerConfig>),
    /// OpenSSL.
    #[cfg(feature = "legacy")]
    Legacy(super::legacy::Context),
}

/// What `settings` ask for. Dates are checked at the lab's time.
pub(crate) fn acceptor(settings: &TlsSettings, trace: &Trace) -> Result<Acceptor, TlsConfigError> {
    match settings.legacy {
        None => Ok(Acceptor::Rustls(server_config(settings, trace)?)),
        #[cfg(feature = "legacy")]
        Some(legacy) => super::legacy::Context::new(settings, legacy)
            .map(Acceptor::Legacy)
            .map_err(|error| TlsConfigError {
                attempt: "OpenSSL does not take it",
                source: error.into(),
            }),
        #[cfg(not(feature = "legacy"))]
        Some(_) => Err(TlsConfigError {
            attempt: "this program was built without OpenSSL",
            source: "build it with `--features legacy`".into(),
        }),
    }
}

impl Versions {
    fn list(self) -> Vec<&'static SupportedProtocolVersion> {
        match self {
            Self::All => vec![&rustls::version::TLS13, &rustls::version::TLS12],
            Self::Tls12 => vec![&rustls::version::TLS12],
            Self::Tls13 => vec![&rustls::version::TLS13],
        }
    }
}

/// TLS settings cannot be put to use.
#[derive(Debug, thiserror::Error)]
#[error("failed to set up TLS: {attempt}")]
pub struct TlsConfigError {
    attempt: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// The rustls side of `settings`. Dates are checked at the lab's time.
fn server_config(
    settings: &TlsSettings,
    trace: &Trace,
) -> Result<Arc<ServerConfig>, TlsConfigError> {
    let wrap = |attempt| {
        move |source: Box<dyn std::error::Error + Send + Sync>| TlsConfigError { attempt, source }
    };
    // Said explicitly: two providers in one program make rustls panic when it has to guess.
    let provider = Arc::new(ring::default_provider());
    let calendar = Arc::new(LabCalendar(trace.clock().clone()));
    let builder = ServerConfig::builder_with_details(provider.clone(), calendar)
        .with_protocol_versions(&settings.versions.list())
        .map_err(|error| wrap("these protocol versions do not go together")(error.into()))?;
    let builder = match settings.client_certificate {
        ClientCertificate::NotAsked => builder.with_no_client_auth(),
        ClientCertificate::Any => {
            let verifier = Arc::new(Linked::new(&provider));
            builder.with_client_cert_verifier(Arc::new(Recording::new(verifier)))
        }
        asked => {
            let mut roots = RootCertStore::empty();
            for authority in &settings.client_authorities {
                roots.add(authority.rustls()).map_err(|error| {
                    wrap("an authority for clients is no certificate")(error.into())
                })?;
            }
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
            let verifier = match asked {
                ClientCertificate::Optional => verifier.allow_unauthenticated(),
                _ => verifier,
            };
            let verifier = verifier.build().map_err(|error| {
                wrap("client certificates need at least one authority to be judged by")(
                    error.into(),
                )
            })?;
            builder.with_client_cert_verifier(Arc::new(Recording::new(verifier)))
        }
    };
    let key = provider
        .key_provider
        .load_private_key(settings.identity.rustls_key())
        .map_err(|error| wrap("the server's private key cannot be read")(error.into()))?;
    // Not `with_single_cert`, which refuses a key that does not belong to the certificate: that is
    // a fault that a scenario may want.
    let shown = CertifiedKey::new(settings.identity.rustls_chain(), key);
    let mut config = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
    // A resumed session would skip the check of the client's certificate.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_fragment_size = settings.faults.record_size.map(usize::from);
    if let Some(capture) = trace.capture().filter(|capture| capture.wants_secrets()) {
        config.key_log = Arc::new(SessionSecrets(capture.clone()));
    }
    Ok(Arc::new(config))
}

/// The secrets of sessions go into the capture.
#[derive(Debug)]
struct SessionSecrets(Capture);

impl KeyLog for SessionSecrets {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        self.0.tls_secret(label, client_random, secret);
    }
}

/// Certificates are judged by the date in the lab.
#[derive(Debug)]
struct LabCalendar(Clock);

impl TimeProvider for LabCalendar {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(self.0.unix_now()))
    }
}
