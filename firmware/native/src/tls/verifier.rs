//! The check of a server's certificate.
//!
//! A device's log tells everything that is wrong with a certificate at once, as mbedTLS does, while
//! webpki stops at the first problem. So each question is asked on its own: dates, trust, use, name.

use std::sync::Arc;

use device::board::{CertificateProblems, TlsClient, TlsFailure};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, Error, SignatureScheme};
use webpki::{EndEntityCert, KeyUsage};

use super::Found;
use super::path::{Path, for_the_wire};

/// Checks what a [`TlsClient`] asks for.
#[derive(Debug)]
pub(super) struct Verifier {
    path: Path,
    dates: bool,
    name: bool,
    trust: bool,
    found: Found,
}

impl Verifier {
    pub(super) fn new(
        options: &TlsClient<'_>,
        now: Option<u64>,
        provider: &Arc<CryptoProvider>,
        found: Found,
    ) -> Result<Self, TlsFailure> {
        Ok(Self {
            path: Path::new(options.authority, now, KeyUsage::server_auth(), provider)?,
            dates: options.check_dates,
            name: options.check_name,
            trust: options.check_authority,
            found,
        })
    }

    fn problems(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
    ) -> CertificateProblems {
        let Ok(certificate) = EndEntityCert::try_from(certificate) else {
            return CertificateProblems::OTHER;
        };
        let mut problems = self.path.problems(&certificate, intermediates);
        if certificate.verify_is_valid_for_subject_name(name).is_err() {
            problems |= CertificateProblems::NAME_MISMATCH;
        }
        problems & self.asked_for()
    }

    fn asked_for(&self) -> CertificateProblems {
        let mut asked = CertificateProblems::all();
        if !self.dates {
            asked -= CertificateProblems::EXPIRED | CertificateProblems::NOT_YET_VALID;
        }
        if !self.name {
            asked -= CertificateProblems::NAME_MISMATCH;
        }
        if !self.trust {
            asked -= CertificateProblems::NOT_TRUSTED;
        }
        asked
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let problems = self.problems(end_entity, intermediates, server_name);
        if problems.is_empty() {
            return Ok(ServerCertVerified::assertion());
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
