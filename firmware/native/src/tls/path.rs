//! Whether a certificate is signed by an authority, in its time and for its use; each question on its own.

use std::sync::Arc;
use std::time::Duration;

use device::board::{CertificateProblems, TlsFailure};
use rustls::CertificateError;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter, KeyUsage};

/// Certificates of one chain whose dates may be wrong, each in one direction.
const MAX_DATE_PROBLEMS: usize = 8;

/// What peers on one side must show.
#[derive(Debug)]
pub(super) struct Path {
    authority: TrustAnchor<'static>,
    now: UnixTime,
    usage: KeyUsage,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl Path {
    /// A path to the authority with this DER. An unset clock shows 1970, as an ESP32's does.
    pub(super) fn new(
        authority: &[u8],
        now: Option<u64>,
        usage: KeyUsage,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, TlsFailure> {
        let authority = CertificateDer::from(authority);
        let authority = webpki::anchor_from_trusted_cert(&authority)
            .map_err(|_| TlsFailure::Configuration)?
            .to_owned();
        Ok(Self {
            authority,
            now: UnixTime::since_unix_epoch(Duration::from_secs(now.unwrap_or(0))),
            usage,
            algorithms: provider.signature_verification_algorithms,
        })
    }

    /// Dates, trust and use. A wrong date is noted, then the path is looked at again at a time at
    /// which that date is right, so that it hides nothing behind it.
    pub(super) fn problems(
        &self,
        certificate: &EndEntityCert<'_>,
        intermediates: &[CertificateDer<'_>],
    ) -> CertificateProblems {
        let mut problems = CertificateProblems::empty();
        let mut time = self.now;
        for _ in 0..MAX_DATE_PROBLEMS {
            let answer = self.walk(certificate, intermediates, time, AnyUse);
            match answer {
                Ok(()) => {
                    let use_it = self.usage;
                    if let Err(error) = self.walk(certificate, intermediates, time, use_it) {
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
                    let use_it = self.usage;
                    if let Err(error) = self.walk(certificate, intermediates, time, use_it) {
                        problems |= flag(&error);
                    }
                    return problems;
                }
            }
        }
        problems
    }

    fn walk(
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
pub(super) fn for_the_wire(problems: CertificateProblems) -> CertificateError {
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
