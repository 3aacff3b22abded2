//! The check of a client's certificate.

use std::sync::Arc;

use device::board::{CertificateProblems, TlsFailure};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use webpki::{EndEntityCert, KeyUsage};

use super::Found;
use super::path::{Path, for_the_wire};

/// Asks clients for a certificate of one authority.
#[derive(Debug)]
pub(super) struct ClientVerifier {
    path: Path,
    /// Whether a client gets in only with a good one.
    is_required: bool,
    hints: Vec<DistinguishedName>,
    found: Found,
}

impl ClientVerifier {
    pub(super) fn new(
        authority: &[u8],
        now: Option<u64>,
        is_required: bool,
        provider: &Arc<CryptoProvider>,
        found: Found,
    ) -> Result<Self, TlsFailure> {
        Ok(Self {
            path: Path::new(authority, now, KeyUsage::client_auth(), provider)?,
            is_required,
            hints: Vec::new(),
            found,
        })
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.is_required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let problems = match EndEntityCert::try_from(end_entity) {
            Ok(certificate) => self.path.problems(&certificate, intermediates),
            Err(_) => CertificateProblems::OTHER,
        };
        if problems.is_empty() || !self.is_required {
            return Ok(ClientCertVerified::assertion());
        }
        self.found.set(problems);
        Err(Error::InvalidCertificate(for_the_wire(problems)))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.path.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.path.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.path.algorithms.supported_schemes()
    }
}
