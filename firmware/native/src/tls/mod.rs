//! TLS by rustls, with ring.

mod client_verifier;
mod engine;
mod path;
mod server;
mod verifier;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use device::board::{
    CertificateProblems, TlsClient, TlsFailure, TlsServer, TlsSession, TlsSessionError,
};
use embedded_io_async::{Read, Write};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::Ticketer;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ProducesTickets;
use rustls::{ClientConfig, ClientConnection};

pub use engine::Rustls;
use verifier::Verifier;

/// TLS 1.2 and 1.3, as client and as server. A client's sessions are never resumed, as devices of this kind never
/// do; a server's are by tickets, where that is set.
#[derive(Clone, Debug)]
pub struct Tls {
    provider: Arc<CryptoProvider>,
    /// Made with the first session that gives tickets; their keys live as long as the process, as ESP-TLS's
    /// live as long as the server.
    tickets: Arc<OnceLock<Arc<dyn ProducesTickets>>>,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            provider: Arc::new(rustls::crypto::ring::default_provider()),
            tickets: Arc::default(),
        }
    }
}

impl device::board::Tls for Tls {
    type Session<S: Read + Write> = TlsSession<Rustls<S>>;

    async fn connect<S: Read + Write>(
        &self,
        socket: S,
        options: &TlsClient<'_>,
        now: Option<u64>,
    ) -> Result<TlsSession<Rustls<S>>, TlsFailure> {
        let found = Found::default();
        let connection = self.connection(options, now, &found)?;
        TlsSession::open(Rustls::new(socket, connection.into(), found)).await
    }

    async fn accept<S: Read + Write>(
        &self,
        socket: S,
        options: &TlsServer<'_>,
        now: Option<u64>,
    ) -> Result<TlsSession<Rustls<S>>, TlsFailure> {
        let found = Found::default();
        let connection = server::connection(&self.provider, self.tickets()?, options, now, &found)?;
        TlsSession::open(Rustls::new(socket, connection.into(), found)).await
    }

    fn failure_of<S: Read + Write>(error: &TlsSessionError) -> Option<TlsFailure> {
        error.failure()
    }
}

impl Tls {
    fn tickets(&self) -> Result<&Arc<dyn ProducesTickets>, TlsFailure> {
        if self.tickets.get().is_none() {
            let made = Ticketer::new().map_err(|_| TlsFailure::Configuration)?;
            // Another session may have been first, which is as good.
            let _ = self.tickets.set(made);
        }
        self.tickets.get().ok_or(TlsFailure::Configuration)
    }

    fn connection(
        &self,
        options: &TlsClient<'_>,
        now: Option<u64>,
        found: &Found,
    ) -> Result<ClientConnection, TlsFailure> {
        let name = ServerName::try_from(options.server_name.to_owned())
            .map_err(|_| TlsFailure::Configuration)?;
        if options.max_fragment.is_some() {
            // rustls 0.23 has no such extension: `max_fragment_size` bounds what it sends itself.
            log::debug!(target: "rustls", "a server cannot be asked for short records");
            return Err(TlsFailure::Configuration);
        }
        let verifier = Verifier::new(options, now, &self.provider, found.clone())?;
        let builder = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|_| TlsFailure::Configuration)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match options.credentials {
            Some(credentials) => {
                let chain = credentials
                    .chain
                    .iter()
                    .map(|der| CertificateDer::from(der.clone()))
                    .collect();
                let key = PrivateKeyDer::Pkcs8(credentials.key.clone().into());
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|_| TlsFailure::Configuration)?
            }
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::disabled();
        let mut connection =
            ClientConnection::new(Arc::new(config), name).map_err(|_| TlsFailure::Configuration)?;
        connection.set_buffer_limit(Some(engine::MAX_UNSENT));
        Ok(connection)
    }
}

/// What the verifier found; a handshake that fails for it becomes a [`TlsFailure`] with it.
#[derive(Clone, Debug, Default)]
struct Found(Arc<Mutex<Option<CertificateProblems>>>);

impl Found {
    fn set(&self, problems: CertificateProblems) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(problems);
    }

    fn problems(&self) -> CertificateProblems {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .unwrap_or(CertificateProblems::OTHER)
    }
}
