//! Whether a broker that runs without us answers, by TCP and by TLS with the authority of the rig.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use board::rig::{AuthorityPlace, ExternalBroker};
use clock::Clock;
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::authority::{self, AuthorityMistake};

/// For its name, its connection and its handshake together.
const PATIENCE: Duration = Duration::from_secs(10);

/// The broker does not answer as it should.
#[derive(Debug, thiserror::Error)]
#[error("the broker {broker} {kind}")]
pub struct ExternalError {
    broker: String,
    host: String,
    port: u16,
    kind: Unanswered,
    source: Option<io::Error>,
}

/// How far it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Unanswered {
    #[error("has a name that is not known here")]
    Unresolved,
    #[error("takes no connection")]
    Unreached,
    #[error("did not answer within {} s", PATIENCE.as_secs())]
    Silent,
    #[error("does not speak TLS there")]
    NoTls,
    #[error("shows a certificate that the authority of `[authority]` has not signed")]
    OtherAuthority,
    #[error("shows a certificate of another name")]
    OtherName,
    #[error("shows a certificate that is not valid now")]
    NotNow,
    #[error("shows a certificate that cannot be taken")]
    BadCertificate,
    #[error("ended the handshake with the alert {0:?}")]
    Alert(AlertDescription),
    #[error("ended the handshake")]
    Ended,
}

impl ExternalError {
    /// Whether a broker did answer, though it may want more than is known here, such as a certificate.
    pub fn is_answer(&self) -> bool {
        matches!(self.kind, Unanswered::Alert(_))
    }

    /// What mends it: a command between back quotes, or what to do by hand.
    pub fn mend(&self) -> String {
        let (host, port) = (&self.host, self.port);
        let shows = format!("`openssl s_client -connect {host}:{port} -showcerts </dev/null`");
        match self.kind {
            Unanswered::Unresolved => {
                format!(
                    "`getent hosts {host}` shows whether it is known: mend `broker.external`, or the resolver"
                )
            }
            Unanswered::Unreached | Unanswered::Silent => format!(
                "`nc -vz {host} {port}` shows whether a server is there: start it, or mend `broker.external`"
            ),
            Unanswered::NoTls | Unanswered::Ended => {
                format!(
                    "{shows} shows what it speaks: mend the port of `broker.external`, or write `mqtt://`"
                )
            }
            Unanswered::OtherAuthority | Unanswered::BadCertificate => {
                format!("{shows} shows who has signed it: name that authority in `[authority]`")
            }
            Unanswered::OtherName => format!(
                "{shows} shows its names: write one of them in `broker.external`, or give it a certificate for {host}"
            ),
            Unanswered::NotNow => {
                format!(
                    "{shows} shows its dates: renew it, or `sudo timedatectl set-ntp true` if this clock is wrong"
                )
            }
            Unanswered::Alert(_) => {
                format!(
                    "{shows} shows what it wants; a broker that asks for a certificate may refuse this look"
                )
            }
        }
    }
}

/// The certificate of the authority at `place`, in DER, which has signed the broker's.
pub fn trusted(place: &AuthorityPlace) -> Result<Vec<u8>, AuthorityMistake> {
    if matches!(place, AuthorityPlace::Kept(_)) {
        // The first run makes it.
        authority::open(place)?;
    }
    authority::trusted(&place.certificate())
}

/// Asks `broker`, of whose certificate `trusted` is the authority, in DER: what was found. Nothing is sent
/// but a handshake.
pub async fn ask(
    broker: &ExternalBroker,
    trusted: Option<&[u8]>,
    clock: &Clock,
) -> Result<String, ExternalError> {
    let fail = |kind, source| ExternalError {
        broker: broker.to_string(),
        host: broker.host.clone(),
        port: broker.port,
        kind,
        source,
    };
    match clock.timeout(PATIENCE, answer(broker, trusted)).await {
        Ok(Ok(said)) => Ok(said),
        Ok(Err((kind, source))) => Err(fail(kind, Some(source))),
        Err(_) => Err(fail(Unanswered::Silent, None)),
    }
}

async fn answer(
    broker: &ExternalBroker,
    trusted: Option<&[u8]>,
) -> Result<String, (Unanswered, io::Error)> {
    let addresses = tokio::net::lookup_host((&*broker.host, broker.port)).await;
    let addresses: Vec<_> = addresses
        .map_err(|error| (Unanswered::Unresolved, error))?
        .collect();
    let stream = TcpStream::connect(&addresses[..]).await;
    let stream = stream.map_err(|error| (Unanswered::Unreached, error))?;
    if !broker.tls {
        return Ok(format!("{broker} takes connections"));
    }
    let Some(trusted) = trusted else {
        return Ok(format!(
            "{broker} takes connections; without `[authority]`, its certificate is not looked at"
        ));
    };
    let unusable = |error: &dyn std::error::Error| {
        let error = io::Error::other(error.to_string());
        (Unanswered::BadCertificate, error)
    };
    let config = config(trusted).map_err(|error| unusable(&error))?;
    let name = ServerName::try_from(broker.host.clone()).map_err(|error| unusable(&error))?;
    let connector = TlsConnector::from(Arc::new(config));
    match connector.connect(name, stream).await {
        Ok(_) => Ok(format!(
            "{broker} answers, and its certificate is of that authority"
        )),
        Err(error) => Err((unanswered(&error), error)),
    }
}

fn config(trusted: &[u8]) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(trusted.to_vec()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

fn unanswered(error: &io::Error) -> Unanswered {
    let Some(error) = error.get_ref().and_then(|error| error.downcast_ref()) else {
        return Unanswered::Ended;
    };
    match error {
        rustls::Error::InvalidCertificate(why) => match why {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                Unanswered::OtherAuthority
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Unanswered::OtherName
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Unanswered::NotNow,
            _ => Unanswered::BadCertificate,
        },
        rustls::Error::AlertReceived(alert) => Unanswered::Alert(*alert),
        _ => Unanswered::NoTls,
    }
}
