//! The events of both families, as the device's application prints them.
//!
//! ESP-IDF posts them to the default event loop; its examples print only the errors. The application
//! here prints each at its debug level, with its data, in the order in which they are posted.

use alloc::format;

use crate::board::{CertificateProblems, TlsFailure};
use crate::transport::stack_code;

const APP: &str = "app";
/// `ESP_ERR_MBEDTLS_SSL_HANDSHAKE_FAILED`, by name.
const HANDSHAKE_FAILED: &str = "ESP_ERR_MBEDTLS_SSL_HANDSHAKE_FAILED";
/// `ESP_ERR_ESP_TLS_SERVER_HANDSHAKE_TIMEOUT` (0x8009), by name.
const HANDSHAKE_TIMEOUT: &str = "ESP_ERR_ESP_TLS_SERVER_HANDSHAKE_TIMEOUT";

/// An event of the base `ESP_HTTP_SERVER_EVENT`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    Error(&'static str),
    Start,
    Connected(u32),
    Header(u32),
    HeadersSent(u32),
    Data { fd: u32, length: usize },
    SentData { fd: u32, length: usize },
    Disconnected(u32),
    Stop,
}

impl Event {
    pub(super) fn tell(self) {
        let (name, data) = match self {
            Self::Error(status) => ("ERROR", format!(", error={status}")),
            Self::Start => ("START", Default::default()),
            Self::Connected(fd) => ("ON_CONNECTED", format!(", fd={fd}")),
            Self::Header(fd) => ("ON_HEADER", format!(", fd={fd}")),
            Self::HeadersSent(fd) => ("HEADERS_SENT", format!(", fd={fd}")),
            Self::Data { fd, length } => ("ON_DATA", format!(", fd={fd}, data_len={length}")),
            Self::SentData { fd, length } => ("SENT_DATA", format!(", fd={fd}, data_len={length}")),
            Self::Disconnected(fd) => ("DISCONNECTED", format!(", fd={fd}")),
            Self::Stop => ("STOP", Default::default()),
        };
        log::debug!(target: APP, "HTTP_SERVER_EVENT_{name}{data}");
    }
}

/// An event of the base `ESP_HTTPS_SERVER_EVENT`; `length` is that of what was received.
pub(super) fn https(name: &str, length: Option<usize>) {
    match length {
        Some(length) => log::debug!(target: APP, "HTTPS_SERVER_EVENT_{name}, data_len={length}"),
        None => log::debug!(target: APP, "HTTPS_SERVER_EVENT_{name}"),
    }
}

/// The error event of a TLS session, which the examples print; without a failure, time has run out.
pub(super) fn https_error(tag: &str, failure: Option<&TlsFailure>) {
    https("ERROR", None);
    let (name, code, flags) = match failure {
        Some(failure) => {
            let problems = match failure {
                TlsFailure::Certificate(problems) => *problems,
                _ => CertificateProblems::empty(),
            };
            (HANDSHAKE_FAILED, stack_code(failure), problems.bits())
        }
        None => (HANDSHAKE_TIMEOUT, 0, 0),
    };
    log::error!(
        target: tag,
        "Error event triggered: last_error = {name}, last_tls_err = {code}, tls_flag = {flags}"
    );
}
