//! What ESP-IDF prints when there is no connection (5.5, `esp-tls`, `tcp_transport`, `esp-mqtt`).

use alloc::string::String;

use crate::board::{CertificateProblems, TlsFailure};

use super::{OpenError, ReadFailure};

/// Prints why there is no connection to `host`, as ESP-IDF does; `tag` is that of esp-mqtt.
pub(crate) fn log_failure(host: &str, tag: &str, error: &OpenError) {
    log_cause(host, error);
    log::error!(target: "esp-tls", "Failed to open new connection");
    log::error!(target: "transport_base", "Failed to open a new connection");
    log::error!(target: tag, "Error transport connect");
}

/// Prints an `MQTT_EVENT_ERROR`, as ESP-IDF's MQTT example does.
pub(crate) fn log_error_event(numbers: Numbers) {
    log::info!(target: "app", "MQTT_EVENT_ERROR");
    log_number("Last error reported from esp-tls", numbers.esp);
    log_number("Last tls stack error number", numbers.stack);
    log_number("Last certificate verification flags", numbers.flags);
    log_number(
        "Last error captured as transport's socket errno",
        numbers.errno,
    );
}

/// Prints why an established TLS session could not be read.
pub(crate) fn log_read_failure(failure: &ReadFailure) {
    let code = match failure {
        ReadFailure::Tls(failure) => {
            log_alert(failure);
            stack_code(failure)
        }
        ReadFailure::Reset => NET_CONN_RESET,
        ReadFailure::Closed | ReadFailure::Other => return,
    };
    log::error!(target: "esp-tls-mbedtls", "read error :-0x{code:04X}:");
}

fn log_cause(host: &str, error: &OpenError) {
    match error {
        OpenError::Name(error) => log::error!(
            target: "esp-tls",
            "couldn't get hostname for :{host}: getaddrinfo() returns {}, addrinfo=0x0 ({error})",
            error.getaddrinfo_code(),
        ),
        OpenError::Refused => {
            log::error!(target: "esp-tls", "[sock=54] delayed connect error: Connection reset by peer");
        }
        OpenError::NoRoute => {
            log::error!(target: "esp-tls", "[sock=54] connect() error: Host is unreachable");
        }
        OpenError::ConnectTimedOut => log::error!(target: "esp-tls", "[sock=54] select() timeout"),
        OpenError::HandshakeTimedOut => {
            log::error!(target: "esp-tls", "Failed to open new connection in specified timeout");
        }
        OpenError::Tls(TlsFailure::Configuration) => log::error!(
            target: "esp-tls-mbedtls",
            "Failed to set client configurations, returned [0x{OWN_CERTIFICATE:04X}]",
        ),
        OpenError::Tls(failure) => {
            log_alert(failure);
            log::error!(
                target: "esp-tls-mbedtls",
                "mbedtls_ssl_handshake returned -0x{:04X}",
                stack_code(failure),
            );
            if let TlsFailure::Certificate(problems) = failure {
                log::info!(target: "esp-tls-mbedtls", "Failed to verify peer certificate!");
                log::debug!(
                    target: "esp-tls-mbedtls",
                    "verification info: 0x{:x}{}",
                    problems.bits(),
                    verification_info(*problems),
                );
            }
        }
    }
}

/// As mbedTLS does at its debug level (`ssl_msg.c`); the number is nowhere else in the log.
pub(crate) fn log_alert(failure: &TlsFailure) {
    if let TlsFailure::AlertReceived(alert) = failure {
        log::debug!(target: "mbedtls", "is a fatal alert message (msg {alert})");
    }
}

fn log_number(what: &str, number: u32) {
    if number != 0 {
        log::error!(target: "app", "{what}: 0x{number:x}");
    }
}

// `esp_tls_errors.h`
const CANNOT_RESOLVE: u32 = 0x8001;
const FAILED_CONNECT: u32 = 0x8004;
const CONNECTION_TIMEOUT: u32 = 0x8006;
const OWN_CERTIFICATE: u32 = 0x8016;
const HANDSHAKE_FAILED: u32 = 0x801a;

// mbedTLS, `ssl.h`, `x509.h`, `net_sockets.h`; as positive numbers.
const NET_CONN_RESET: u32 = 0x0050;
const X509_CERT_VERIFY_FAILED: u32 = 0x2700;
const SSL_INVALID_RECORD: u32 = 0x7200;
const SSL_CONN_EOF: u32 = 0x7280;
const SSL_ALLOC_FAILED: u32 = 0x7f00;
const SSL_NO_CLIENT_CERTIFICATE: u32 = 0x7480;
const SSL_FATAL_ALERT_MESSAGE: u32 = 0x7780;

/// mbedTLS's number for a failure, without its sign; 0 where it has none.
pub(crate) fn stack_code(failure: &TlsFailure) -> u32 {
    match failure {
        TlsFailure::Certificate(CertificateProblems::MISSING) => SSL_NO_CLIENT_CERTIFICATE,
        TlsFailure::Certificate(_) => X509_CERT_VERIFY_FAILED,
        TlsFailure::AlertReceived(_) => SSL_FATAL_ALERT_MESSAGE,
        TlsFailure::Reset => NET_CONN_RESET,
        TlsFailure::Closed => SSL_CONN_EOF,
        TlsFailure::Protocol => SSL_INVALID_RECORD,
        TlsFailure::Configuration => 0,
        TlsFailure::OutOfMemory => SSL_ALLOC_FAILED,
    }
}

/// The numbers of an `MQTT_EVENT_ERROR`; 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    /// Of esp-tls.
    pub(crate) esp: u32,
    /// Of mbedTLS.
    pub(crate) stack: u32,
    /// What is wrong with the broker's certificate.
    pub(crate) flags: u32,
    /// Of the socket.
    pub(crate) errno: u32,
}

impl Numbers {
    /// Those of a connection that could not be opened.
    pub(crate) fn of(error: &OpenError) -> Self {
        const ECONNRESET: u32 = 104;
        const EHOSTUNREACH: u32 = 118;
        let none = Self::default();
        match error {
            OpenError::Name(_) => Self {
                esp: CANNOT_RESOLVE,
                ..none
            },
            OpenError::Refused => Self {
                esp: FAILED_CONNECT,
                errno: ECONNRESET,
                ..none
            },
            OpenError::NoRoute => Self {
                esp: FAILED_CONNECT,
                errno: EHOSTUNREACH,
                ..none
            },
            OpenError::ConnectTimedOut | OpenError::HandshakeTimedOut => Self {
                esp: CONNECTION_TIMEOUT,
                ..none
            },
            OpenError::Tls(TlsFailure::Configuration) => Self {
                esp: OWN_CERTIFICATE,
                ..none
            },
            OpenError::Tls(failure) => Self {
                esp: HANDSHAKE_FAILED,
                stack: stack_code(failure),
                flags: match failure {
                    TlsFailure::Certificate(problems) => problems.bits(),
                    _ => 0,
                },
                errno: 0,
            },
        }
    }
}

/// The text that `mbedtls_x509_crt_verify_info` makes, on one line.
fn verification_info(problems: CertificateProblems) -> String {
    const TEXTS: [(CertificateProblems, &str); 8] = [
        (
            CertificateProblems::EXPIRED,
            "The certificate validity has expired",
        ),
        (
            CertificateProblems::REVOKED,
            "The certificate has been revoked (is on a CRL)",
        ),
        (
            CertificateProblems::NAME_MISMATCH,
            "The certificate Common Name (CN) does not match with the expected CN",
        ),
        (
            CertificateProblems::NOT_TRUSTED,
            "The certificate is not correctly signed by the trusted CA",
        ),
        (CertificateProblems::MISSING, "Certificate was missing"),
        (
            CertificateProblems::OTHER,
            "Other reason (can be used by verify callback)",
        ),
        (
            CertificateProblems::NOT_YET_VALID,
            "The certificate validity starts in the future",
        ),
        (
            CertificateProblems::WRONG_USE,
            "Usage does not match the extendedKeyUsage extension",
        ),
    ];
    let mut info = String::new();
    for (problem, text) in TEXTS {
        if problems.contains(problem) {
            info.push_str("  ! ");
            info.push_str(text);
        }
    }
    info
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_told_in_the_order_of_the_flags() {
        let problems = CertificateProblems::NOT_TRUSTED | CertificateProblems::EXPIRED;
        assert_eq!(
            verification_info(problems),
            "  ! The certificate validity has expired  ! \
             The certificate is not correctly signed by the trusted CA"
        );
        for problem in CertificateProblems::all().iter() {
            assert!(!verification_info(problem).is_empty(), "{problem:?}");
        }
    }

    #[test]
    fn a_refused_certificate_has_all_numbers_of_esp_tls() {
        let error = OpenError::Tls(TlsFailure::Certificate(CertificateProblems::NAME_MISMATCH));
        let expected = Numbers {
            esp: 0x801a,
            stack: 0x2700,
            flags: 4,
            errno: 0,
        };
        assert_eq!(Numbers::of(&error), expected);
    }

    #[test]
    fn an_alert_and_a_reset_keep_their_numbers() {
        assert_eq!(stack_code(&TlsFailure::AlertReceived(40)), 0x7780);
        assert_eq!(stack_code(&TlsFailure::Reset), 0x50);
    }
}
