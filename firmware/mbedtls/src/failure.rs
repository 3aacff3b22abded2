//! What MbedTLS's numbers mean to the device.

use core::ffi::c_int;

use device::board::{CertificateProblems, TlsFailure};
use mbedtls_rs_sys::{
    MBEDTLS_ERR_SSL_ALLOC_FAILED, MBEDTLS_ERR_SSL_BAD_CERTIFICATE, MBEDTLS_ERR_SSL_CONN_EOF,
    MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE, MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE,
    MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY, MBEDTLS_ERR_X509_ALLOC_FAILED,
    MBEDTLS_ERR_X509_CERT_VERIFY_FAILED,
};

use crate::context::Context;

/// What an error of MbedTLS, got from `context`, says.
pub(crate) fn failure(code: c_int, context: &Context) -> TlsFailure {
    match code {
        MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE => TlsFailure::AlertReceived(context.alert()),
        MBEDTLS_ERR_SSL_CONN_EOF | MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY => TlsFailure::Closed,
        MBEDTLS_ERR_X509_CERT_VERIFY_FAILED | MBEDTLS_ERR_SSL_BAD_CERTIFICATE => {
            TlsFailure::Certificate(problems(context.verify_flags()))
        }
        MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE => {
            TlsFailure::Certificate(CertificateProblems::MISSING)
        }
        MBEDTLS_ERR_SSL_ALLOC_FAILED | MBEDTLS_ERR_X509_ALLOC_FAILED => TlsFailure::OutOfMemory,
        code if is_of_x509(code) => TlsFailure::Certificate(CertificateProblems::OTHER),
        code => {
            log::debug!(target: "mbedtls", "-0x{:04x}", code.unsigned_abs());
            TlsFailure::Protocol
        }
    }
}

/// A certificate that cannot be read: `x509.h` has 0x2080 to 0x2980, in steps of 0x80; below each
/// may stand what ASN.1 says.
fn is_of_x509(code: c_int) -> bool {
    (0x2080..0x2a00).contains(&code.unsigned_abs())
}

/// Flags that the device does not know (weak keys and digests, revocation lists) are one problem.
fn problems(flags: u32) -> CertificateProblems {
    let known = CertificateProblems::from_bits_truncate(flags);
    if known.bits() == flags && flags != 0 {
        known
    } else {
        known | CertificateProblems::OTHER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_flags_are_a_problem_too() {
        assert_eq!(problems(0x1), CertificateProblems::EXPIRED);
        assert_eq!(
            problems(0x8 | 0x1_0000),
            CertificateProblems::NOT_TRUSTED | CertificateProblems::OTHER
        );
        assert_eq!(problems(0), CertificateProblems::OTHER);
    }
}
