//! TLS of a client.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use clock::Clock;
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, HandshakeKind, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use trace::Trace;
use trace::web::WebHandshake;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::WebError;
use crate::Stream;

/// Sessions that are kept for later.
const SESSIONS: usize = 8;

/// How a client opens a TLS session.
#[derive(Clone, Debug)]
pub struct WebTls {
    /// The name that is asked for, and must be in the server's certificate.
    pub server_name: String,
    /// DER of the authority that is trusted.
    pub authority: Vec<u8>,
    /// The client's own certificates and its key (PKCS#8), if it has one.
    pub credentials: Option<(Vec<Vec<u8>>, Vec<u8>)>,
    /// Protocols that are offered.
    pub protocols: Vec<String>,
    /// Whether TLS 1.2 alone is spoken.
    pub is_old: bool,
    /// Where sessions are kept, if they are to be resumed; its first settings hold for all that use it.
    pub sessions: Option<WebTlsSessions>,
}

/// TLS sessions that can be resumed.
#[derive(Clone, Debug, Default)]
pub struct WebTlsSessions(Arc<OnceLock<Arc<ClientConfig>>>);

impl WebTls {
    /// Runs the handshake on `stream`.
    pub(super) async fn open(
        &self,
        stream: Box<dyn Stream>,
        phone: &str,
        trace: &Trace,
    ) -> Result<Box<dyn Stream>, WebError> {
        let name = ServerName::try_from(self.server_name.clone())
            .map_err(|error| WebError::SetUp(error.to_string()))?;
        // What a session was begun with is compared when it is resumed, by its place in memory.
        let known = self.sessions.as_ref().and_then(|sessions| sessions.0.get());
        let config = match known {
            Some(config) => config.clone(),
            None => Arc::new(self.config(trace.clock())?),
        };
        if let Some(sessions) = &self.sessions {
            sessions.0.get_or_init(|| config.clone());
        }
        let stream = Box::new(Gathering(stream)) as Box<dyn Stream>;
        let began = trace.clock().now();
        let connect = TlsConnector::from(config).connect(name, stream);
        let opened = match connect.into_fallible().await {
            Ok(stream) => Ok(stream),
            Err((error, mut stream)) => {
                // The alert that says why has to leave before the connection does.
                let _ = stream.shutdown().await;
                Err(error)
            }
        };
        trace.clock().touch();
        let took = trace.clock().now().since(began);
        let mut seen = WebHandshake {
            phone: phone.to_owned(),
            ok: opened.is_ok(),
            server_name: self.server_name.clone(),
            version: None,
            protocol: None,
            certificate: None,
            alert: None,
            resumed: false,
            reason: None,
            took_us: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        };
        let opened = match opened {
            Ok(stream) => {
                describe(&stream, &mut seen);
                Ok(Box::new(stream) as Box<dyn Stream>)
            }
            Err(error) => {
                let error = error_of(&error);
                seen.reason = Some(error.to_string());
                if let WebError::Refused { alert } = error {
                    seen.alert = Some(alert);
                }
                Err(error)
            }
        };
        trace.emit(None, &seen);
        opened
    }

    fn config(&self, clock: &Clock) -> Result<ClientConfig, WebError> {
        let set_up = |error: &dyn fmt::Display| WebError::SetUp(error.to_string());
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from(self.authority.clone());
        roots.add(authority).map_err(|error| set_up(&error))?;
        let versions: &[&rustls::SupportedProtocolVersion] = match self.is_old {
            true => &[&rustls::version::TLS12],
            false => rustls::DEFAULT_VERSIONS,
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let time = Arc::new(LabTime(clock.clone()));
        let builder = ClientConfig::builder_with_details(provider, time)
            .with_protocol_versions(versions)
            .map_err(|error| set_up(&error))?
            .with_root_certificates(roots);
        let mut config = match &self.credentials {
            Some((chain, key)) => {
                let chain = chain.iter().cloned().map(CertificateDer::from).collect();
                let key = PrivateKeyDer::Pkcs8(key.clone().into());
                let config = builder.with_client_auth_cert(chain, key);
                config.map_err(|error| set_up(&error))?
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = self
            .protocols
            .iter()
            .map(|name| name.clone().into_bytes())
            .collect();
        config.resumption = match self.sessions {
            Some(_) => Resumption::in_memory_sessions(SESSIONS),
            None => Resumption::disabled(),
        };
        Ok(config)
    }
}

/// A stream that takes all that is written to it at once, where others take the first part alone: an
/// alert that is due behind something else would never leave.
struct Gathering(Box<dyn Stream>);

impl AsyncRead for Gathering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Gathering {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let all: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        Pin::new(&mut self.0).poll_write(context, &all)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// Certificates are judged by the time of the lab.
struct LabTime(Clock);

impl fmt::Debug for LabTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LabTime")
    }
}

impl TimeProvider for LabTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(self.0.unix_now()))
    }
}

fn describe(stream: &TlsStream<Box<dyn Stream>>, seen: &mut WebHandshake) {
    let (_, session) = stream.get_ref();
    seen.version = session
        .protocol_version()
        .and_then(|version| version.as_str())
        .map(str::to_owned);
    seen.protocol = session
        .alpn_protocol()
        .map(|name| String::from_utf8_lossy(name).into_owned());
    seen.resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
    let shown = session.peer_certificates().and_then(|chain| chain.first());
    seen.certificate = shown.and_then(|der| common_name(der));
}

fn common_name(der: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let mut names = certificate.subject().iter_common_name();
    Some(names.next()?.as_str().ok()?.to_owned())
}

/// What an error of a stream means, which TLS may have wrapped up.
pub(super) fn error_of(error: &io::Error) -> WebError {
    let inner = error.get_ref();
    match inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(alert)) => WebError::Refused {
            alert: (*alert).into(),
        },
        Some(rustls::Error::InvalidCertificate(reason)) => WebError::Distrusted {
            reason: reason.to_string(),
        },
        Some(other) => WebError::Tls {
            reason: other.to_string(),
        },
        None => WebError::Closed,
    }
}
