//! Judging client certificates, and remembering what was shown.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

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
