//! Alerts by number and name.

use rustls::{AlertDescription, Error};

/// The name of alert `number` in the RFCs (8446 §6, 5246 §7.2).
pub(super) fn name(number: u8) -> &'static str {
    match number {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        21 => "decryption_failed",
        22 => "record_overflow",
        30 => "decompression_failure",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation",
        109 => "missing_extension",
        110 => "unsupported_extension",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        _ => "unknown",
    }
}

/// Whether a peer that sends alert `number` thereby refuses our certificate.
pub(super) fn refuses_certificate(number: u8) -> bool {
    // 51 too: the signature that goes with the certificate was wrong.
    matches!(number, 42..=46 | 48 | 51 | 113)
}

/// The alert that rustls sends for `error`, where the wire does not show it because it is encrypted.
pub(super) fn sent_for(error: &Error) -> Option<u8> {
    let alert = match error {
        Error::InvalidCertificate(error) => AlertDescription::from(error.clone()),
        Error::InvalidMessage(error) => AlertDescription::from(*error),
        Error::NoCertificatesPresented => AlertDescription::CertificateRequired,
        Error::DecryptError => AlertDescription::BadRecordMac,
        Error::PeerMisbehaved(_) => AlertDescription::IllegalParameter,
        _ => return None,
    };
    Some(alert.into())
}
