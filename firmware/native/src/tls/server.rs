//! The server's side: which certificate is shown, and what clients are asked for.

use std::fmt;
use std::sync::Arc;

use device::board::{TlsFailure, TlsServer};
use factory::ClientAuth;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ProducesTickets, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection};

use super::client_verifier::ClientVerifier;
use super::{Found, engine};

/// Tickets in one session of TLS 1.3, as MbedTLS has it (`MBEDTLS_SSL_TLS1_3_DEFAULT_NEW_SESSION_TICKETS`).
const TICKETS: usize = 1;

/// A server of one connection, before its handshake. `now` is Unix time in s, if the clock is set; `tickets` has
/// the keys of all sessions' tickets.
pub(super) fn connection(
    provider: &Arc<CryptoProvider>,
    tickets: &Arc<dyn ProducesTickets>,
    options: &TlsServer<'_>,
    now: Option<u64>,
    found: &Found,
) -> Result<ServerConnection, TlsFailure> {
    let unusable = |_| TlsFailure::Configuration;
    let builder = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(unusable)?;
    let verifier = |authority: &[u8], is_required| {
        let found = found.clone();
        let verifier = ClientVerifier::new(authority, now, is_required, provider, found)?;
        Ok(Arc::new(verifier))
    };
    let builder = match options.client {
        ClientAuth::None => builder.with_no_client_auth(),
        ClientAuth::Optional(authority) => {
            builder.with_client_cert_verifier(verifier(authority, false)?)
        }
        ClientAuth::Required(authority) => {
            builder.with_client_cert_verifier(verifier(authority, true)?)
        }
    };
    let mut config = builder.with_cert_resolver(Arc::new(Choice::new(provider, options)?));
    config.alpn_protocols = options
        .alpn
        .iter()
        .map(|name| name.clone().into_bytes())
        .collect();
    // Sessions are kept by no one but the client, as tickets, if at all.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    if options.tickets {
        config.ticketer = tickets.clone();
        config.send_tls13_tickets = TICKETS;
    }
    let mut connection = ServerConnection::new(Arc::new(config)).map_err(unusable)?;
    connection.set_buffer_limit(Some(engine::MAX_UNSENT));
    Ok(connection)
}

/// The certificates of a server, and to which clients each is shown.
struct Choice {
    certificates: Vec<factory::ServerCertificate>,
    alpn: Vec<String>,
    keys: Vec<Arc<CertifiedKey>>,
}

impl Choice {
    fn new(provider: &CryptoProvider, options: &TlsServer<'_>) -> Result<Self, TlsFailure> {
        let keys = options.certificates.iter().map(|certificate| {
            let credentials = &certificate.credentials;
            let chain = credentials.chain.iter();
            let chain = chain.map(|der| CertificateDer::from(der.clone())).collect();
            let key = PrivateKeyDer::Pkcs8(credentials.key.clone().into());
            let key = CertifiedKey::from_der(chain, key, provider);
            key.map(Arc::new).map_err(|_| TlsFailure::Configuration)
        });
        Ok(Self {
            keys: keys.collect::<Result<_, _>>()?,
            certificates: options.certificates.to_vec(),
            alpn: options.alpn.to_vec(),
        })
    }
}

impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.keys.len();
        f.debug_struct("Choice").field("keys", &count).finish()
    }
}

impl ResolvesServerCert for Choice {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let offered: Vec<&[u8]> = hello.alpn().into_iter().flatten().collect();
        let options = TlsServer {
            certificates: &self.certificates,
            client: &ClientAuth::None,
            alpn: &self.alpn,
            tickets: false,
        };
        let protocol = options.protocol(offered.iter().copied());
        let chosen = options.certificate(hello.server_name(), protocol)?;
        let mut certificates = self.certificates.iter();
        let position = certificates.position(|certificate| std::ptr::eq(certificate, chosen))?;
        self.keys.get(position).cloned()
    }
}
