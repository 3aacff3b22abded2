//! Judging client certificates, and remembering what was shown.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};
use x509_parser::parse_x509_certificate;

use super::PresentedCertificate;
use super::certificate::names;

/// What the peer of one handshake showed, and whether it was judged good.
pub(super) type Shown = Arc<Mutex<Option<(PresentedCertificate, bool)>>>;

tokio::task_local! {
    /// Set around the polling of each handshake: a verifier is shared by all of them and is not
    /// told for which it judges.
    pub(super) static SHOWN: Shown;
}

/// Delegates to another verifier and keeps what it was asked about.
#[derive(Debug)]
pub(super) struct Recording {
    inner: Arc<dyn ClientCertVerifier>,
}

impl Recording {
    pub(super) fn new(inner: Arc<dyn ClientCertVerifier>) -> Self {
        Self { inner }
    }
}

impl ClientCertVerifier for Recording {
    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let (issuer, subject) = names(end_entity).unwrap_or_default();
        let presented = PresentedCertificate {
            subject,
            issuer,
            chain_length: 1 + intermediates.len(),
        };
        let verdict = self
            .inner
            .verify_client_cert(end_entity, intermediates, now);
        // Outside a handshake there is no observer.
        let _ = SHOWN.try_with(|shown| {
            let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
            *shown = Some((presented, verdict.is_ok()));
        });
        verdict
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Lets in who shows nothing, or a chain of which each certificate is signed by the next: what the
/// certificate is worth is for the cloud behind the broker to say.
#[derive(Debug)]
pub(super) struct Linked {
    algorithms: WebPkiSupportedAlgorithms,
}

/// Most certificates of a chain that are looked at.
const LONGEST_CHAIN: usize = 16;

impl Linked {
    pub(super) fn new(provider: &CryptoProvider) -> Self {
        Self {
            algorithms: provider.signature_verification_algorithms,
        }
    }
}

/// A chain that does not hold together.
#[derive(Debug, thiserror::Error)]
enum BrokenChain {
    #[error("certificate {0} of the chain cannot be read")]
    Unreadable(usize),
    #[error("certificate {0} of the chain is not signed by the next one")]
    NotSigned(usize),
    #[error("a chain of more than {LONGEST_CHAIN} certificates")]
    TooLong,
}

fn linked(chain: &[&CertificateDer<'_>]) -> Result<(), BrokenChain> {
    if chain.len() > LONGEST_CHAIN {
        return Err(BrokenChain::TooLong);
    }
    let mut read = Vec::with_capacity(chain.len());
    for (at, der) in chain.iter().enumerate() {
        let (_, certificate) =
            parse_x509_certificate(der).map_err(|_| BrokenChain::Unreadable(at + 1))?;
        read.push(certificate);
    }
    for (at, pair) in read.windows(2).enumerate() {
        let signed = pair[0].verify_signature(Some(pair[1].public_key()));
        signed.map_err(|_| BrokenChain::NotSigned(at + 1))?;
    }
    Ok(())
}

impl ClientCertVerifier for Linked {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let chain: Vec<_> = std::iter::once(end_entity).chain(intermediates).collect();
        match linked(&chain) {
            Ok(()) => Ok(ClientCertVerified::assertion()),
            // Alert 46, as Java sends it.
            Err(broken) => Err(CertificateError::Other(OtherError(Arc::new(broken))).into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
