//! The check of a server's certificate.
//!
//! A device's log tells everything that is wrong with a certificate at once, as mbedTLS does, while
//! webpki stops at the first problem. So each question is asked on its own: dates, trust, use, name.

use std::sync::Arc;
use std::time::Duration;

use device::board::{CertificateProblems, TlsClient, TlsFailure};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, KeyUsage};

use super::Found;

/// Certificates of one chain whose dates may be wrong, each in one direction.
const MAX_DATE_PROBLEMS: usize = 8;

/// Checks what a [`TlsClient`] asks for.
#[derive(Debug)]
pub(super) struct Verifier {
    authority: TrustAnchor<'static>,
    now: UnixTime,
    dates: bool,
    name: bool,
    trust: bool,
    algorithms: WebPkiSupportedAlgorithms,
    found: Found,
}

impl Verifier {
    /// An unset clock shows 1970, as an ESP32's does.
    pub(super) fn new(
        options: &TlsClient<'_>,
        now: Option<u64>,
        provider: &Arc<CryptoProvider>,
        found: Found,
    ) -> Result<Self, TlsFailure> {
        let authority = CertificateDer::from(options.authority);
        let authority = webpki::anchor_from_trusted_cert(&authority)
            .map_err(|_| TlsFailure::Configuration)?
            .to_owned();
        Ok(Self {
            authority,
            now: UnixTime::since_unix_epoch(Duration::from_secs(now.unwrap_or(0))),
            dates: options.check_dates,
            name: options.check_name,
            trust: options.check_authority,
            algorithms: provider.signature_verification_algorithms,
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
        let mut problems = self.path_problems(&certificate, intermediates);
        if certificate.verify_is_valid_for_subject_name(name).is_err() {
            problems |= CertificateProblems::NAME_MISMATCH;
        }
        problems & self.asked_for()
    }

    /// Dates, trust and use. A wrong date is noted, then the path is looked at again at a time at
    /// which that date is right, so that it hides nothing behind it.
    fn path_problems(
        &self,
        certificate: &EndEntityCert<'_>,
        intermediates: &[CertificateDer<'_>],
    ) -> CertificateProblems {
        let mut problems = CertificateProblems::empty();
        let mut time = self.now;
        for _ in 0..MAX_DATE_PROBLEMS {
            let answer = self.path(certificate, intermediates, time, AnyUse);
            match answer {
                Ok(()) => {
                    let use_it = KeyUsage::server_auth();
                    if let Err(error) = self.path(certificate, intermediates, time, use_it) {
                        problems |= flag(&error);
                    }
                    return problems;
                }
                Err(webpki::Error::CertExpired { not_after, .. }) => {
                    problems |= CertificateProblems::EXPIRED;
                    time = not_after;
                }
                Err(webpki::Error::CertNotValidYet { not_before, .. }) => {
                    problems |= CertificateProblems::NOT_YET_VALID;
                    time = not_before;
                }
                Err(error) => {
                    problems |= flag(&error);
                    // Whether the use is right is seen before trust is, at any fitting time.
                    let use_it = KeyUsage::server_auth();
                    if let Err(error) = self.path(certificate, intermediates, time, use_it) {
                        problems |= flag(&error);
                    }
                    return problems;
                }
            }
        }
        problems
    }

    fn path(
        &self,
        certificate: &EndEntityCert<'_>,
        intermediates: &[CertificateDer<'_>],
        time: UnixTime,
        usage: impl ExtendedKeyUsageValidator,
    ) -> Result<(), webpki::Error> {
        certificate
            .verify_for_usage(
                self.algorithms.all,
                std::slice::from_ref(&self.authority),
                intermediates,
                time,
                usage,
                None,
                None,
            )
            .map(drop)
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
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Which problem an error of webpki is.
fn flag(error: &webpki::Error) -> CertificateProblems {
    use webpki::Error as E;
    match error {
        E::UnknownIssuer
        | E::InvalidSignatureForPublicKey
        | E::CertDistrusted
        | E::EndEntityUsedAsCa
        // A self-signed server: its own authority, but not ours.
        | E::CaUsedAsEndEntity => CertificateProblems::NOT_TRUSTED,
        E::RequiredEkuNotFoundContext(_) => CertificateProblems::WRONG_USE,
        E::CertExpired { .. } | E::InvalidCertValidity => CertificateProblems::EXPIRED,
        E::CertNotValidYet { .. } => CertificateProblems::NOT_YET_VALID,
        E::CertRevoked => CertificateProblems::REVOKED,
        _ => CertificateProblems::OTHER,
    }
}

/// The one problem that the alert tells, in mbedTLS's order.
fn for_the_wire(problems: CertificateProblems) -> CertificateError {
    let order = [
        (CertificateProblems::OTHER, CertificateError::BadEncoding),
        (
            CertificateProblems::NAME_MISMATCH,
            CertificateError::NotValidForName,
        ),
        (
            CertificateProblems::WRONG_USE,
            CertificateError::InvalidPurpose,
        ),
        (CertificateProblems::EXPIRED, CertificateError::Expired),
        (CertificateProblems::REVOKED, CertificateError::Revoked),
        (
            CertificateProblems::NOT_TRUSTED,
            CertificateError::UnknownIssuer,
        ),
        (
            CertificateProblems::NOT_YET_VALID,
            CertificateError::NotValidYet,
        ),
    ];
    order
        .into_iter()
        .find(|(problem, _)| problems.contains(*problem))
        .map_or(CertificateError::BadEncoding, |(_, error)| error)
}

/// Leaves the use of a certificate open.
struct AnyUse;

impl ExtendedKeyUsageValidator for AnyUse {
    fn validate(&self, _: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}
