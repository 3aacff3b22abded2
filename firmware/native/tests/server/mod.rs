//! A TLS server in memory, and the certificates for it.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use device::board::TlsClient;
use embedded_io_async::{ErrorType, Read, Write};
use factory::Credentials;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion};

/// 2026-06-15T12:00:00Z, in the middle of the life of what [`Authority`] issues.
pub const NOW: u64 = 1_781_524_800;
pub const NAME: &str = "broker.test";
/// A server that gets this closes.
pub const GOODBYE: &[u8] = b"goodbye";

/// Who signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub der: Vec<u8>,
}

/// What is special about a certificate.
#[derive(Clone)]
pub struct Profile {
    pub names: Vec<String>,
    /// First and last year.
    pub years: (i32, i32),
    pub usage: ExtendedKeyUsagePurpose,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            names: vec![NAME.into()],
            years: (2020, 2040),
            usage: ExtendedKeyUsagePurpose::ServerAuth,
        }
    }
}

impl Profile {
    fn params(&self, common_name: &str) -> CertificateParams {
        let mut params = CertificateParams::new(self.names.clone()).expect("names");
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        params.not_before = date_time_ymd(self.years.0, 1, 1);
        params.not_after = date_time_ymd(self.years.1, 1, 1);
        params
    }
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let params = authority_params(name, &Profile::default());
        let der = params.self_signed(&key).expect("signed").der().to_vec();
        Self {
            issuer: Issuer::new(params, key),
            der,
        }
    }

    /// An authority below this one.
    pub fn intermediate(&self, name: &str, profile: &Profile) -> Self {
        let key = KeyPair::generate().expect("a key");
        let params = authority_params(name, profile);
        let signed = params.signed_by(&key, &self.issuer).expect("signed");
        Self {
            issuer: Issuer::new(params, key),
            der: signed.der().to_vec(),
        }
    }

    pub fn issue(&self, profile: &Profile) -> Credentials {
        let key = KeyPair::generate().expect("a key");
        let mut params = profile.params(NAME);
        params.extended_key_usages = vec![profile.usage.clone()];
        let signed = params.signed_by(&key, &self.issuer).expect("signed");
        Credentials {
            chain: vec![signed.der().to_vec()],
            key: key.serialize_der(),
        }
    }

    pub fn options(&self) -> TlsClient<'_> {
        TlsClient {
            server_name: NAME,
            authority: &self.der,
            credentials: None,
            check_authority: true,
            check_dates: true,
            check_name: true,
            max_fragment: None,
        }
    }
}

fn authority_params(name: &str, profile: &Profile) -> CertificateParams {
    let mut params = Profile {
        names: Vec::new(),
        ..profile.clone()
    }
    .params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

/// A certificate that no authority signed.
pub fn self_signed() -> Credentials {
    let key = KeyPair::generate().expect("a key");
    let signed = Profile::default()
        .params(NAME)
        .self_signed(&key)
        .expect("signed");
    Credentials {
        chain: vec![signed.der().to_vec()],
        key: key.serialize_der(),
    }
}

/// A server that a client's socket leads to. It echoes what it gets, but [`GOODBYE`].
pub struct Server {
    tls: ServerConnection,
    to_client: VecDeque<u8>,
    /// Bytes that the socket carries at once, and whether it makes the client wait in between.
    step: usize,
    waits: bool,
    rested: [bool; 2],
    /// What the server found wrong with the client.
    pub error: Option<rustls::Error>,
    /// Whether the client came with a certificate.
    pub client_certificate: bool,
}

impl Server {
    pub fn new(
        version: &'static SupportedProtocolVersion,
        credentials: &Credentials,
        client_authority: Option<&[u8]>,
    ) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[version])
            .expect("a version");
        let builder = match client_authority {
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.to_vec().into()).expect("an authority");
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .expect("a verifier");
                builder.with_client_cert_verifier(verifier)
            }
            None => builder.with_no_client_auth(),
        };
        let chain = credentials.chain.iter().cloned().map(CertificateDer::from);
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(credentials.key.clone()));
        let config = builder
            .with_single_cert(chain.collect(), key)
            .expect("a key");
        Self {
            tls: ServerConnection::new(Arc::new(config)).expect("a server"),
            to_client: VecDeque::new(),
            step: usize::MAX,
            waits: false,
            rested: [false; 2],
            error: None,
            client_certificate: false,
        }
    }

    /// The socket carries one byte at a time and makes the client wait for each.
    pub fn dribbling(mut self) -> Self {
        self.step = 1;
        self.waits = true;
        self
    }

    fn serve(&mut self) {
        if self.error.is_some() {
            return;
        }
        match self.tls.process_new_packets() {
            Ok(state) => {
                self.client_certificate = self.tls.peer_certificates().is_some();
                let mut plain = vec![0; state.plaintext_bytes_to_read()];
                if !plain.is_empty() {
                    std::io::Read::read_exact(&mut self.tls.reader(), &mut plain).expect("there");
                    if plain == GOODBYE {
                        self.tls.send_close_notify();
                        return;
                    }
                    std::io::Write::write_all(&mut self.tls.writer(), &plain).expect("room");
                }
            }
            Err(error) => self.error = Some(error),
        }
    }

    /// Every second time, if the socket makes the client wait.
    async fn rest(&mut self, direction: usize) {
        if !self.waits {
            return;
        }
        poll_fn(|context| {
            let rested = &mut self.rested[direction];
            *rested = !*rested;
            if *rested {
                context.waker().wake_by_ref();
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }
}

impl ErrorType for Server {
    type Error = Infallible;
}

impl Read for Server {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Infallible> {
        self.rest(0).await;
        while self.tls.wants_write() {
            let mut out = Vec::new();
            self.tls.write_tls(&mut out).expect("memory");
            self.to_client.extend(out);
        }
        if self.to_client.is_empty() {
            if self.error.is_some() {
                return Ok(0);
            }
            return pending().await;
        }
        let length = bytes.len().min(self.step).min(self.to_client.len());
        for (place, byte) in bytes.iter_mut().zip(self.to_client.drain(..length)) {
            *place = byte;
        }
        Ok(length)
    }
}

impl Write for Server {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.rest(1).await;
        let length = bytes.len().min(self.step);
        let mut rest = &bytes[..length];
        while !rest.is_empty() {
            self.tls.read_tls(&mut rest).expect("room");
            self.serve();
        }
        Ok(length)
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
