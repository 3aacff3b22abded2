//! `espconn_secure_connect`: TLS with the certificates in the chip's flash, and what axTLS says of it.
//!
//! The TLS below is the board's own. What axTLS would print is taken from the texts in the SDK's `libssl.a`
//! and from axTLS's `ssl_display_error` and `ssl_display_alert`; no ESP8266 has run it.

use core::cell::Cell;

use embassy_time::{Duration, TimeoutError, with_timeout};
use embedded_io_async::{Read, Write};
use factory::{Cloud, Esp8266};

use super::TAG;
use super::flash::{self, LoadError};
use super::records::Bounded;
use crate::board::{CertificateProblems, MaxFragment, Tls, TlsClient, TlsFailure};
use crate::bugs::{self, Bug};

/// The SDK's limit for a handshake.
const HANDSHAKE: Duration = Duration::from_secs(60);
/// What `espconn_secure_set_size` takes.
const SIZES: core::ops::RangeInclusive<u16> = 2048..=8192;
/// Buffer of a firmware that sets no size, or one that is not taken.
const USUAL_SIZE: u16 = 2048;

/// A TLS session on a connection whose records have a bound.
pub(super) type Secured<'c, T, S> = <T as Tls>::Session<Bounded<'c, S>>;

/// There is no session; why has been printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoSession;

/// Shakes hands on `socket`. `now` is Unix time in s, if the clock is set; `too_long` is left with the
/// length of a record that did not fit.
pub(super) async fn secure_connect<'c, T: Tls, S: Read + Write>(
    tls: &T,
    socket: S,
    chip: &Esp8266,
    cloud: &Cloud,
    now: Option<u64>,
    too_long: &'c Cell<Option<usize>>,
) -> Result<Secured<'c, T, S>, NoSession> {
    let authority = chip.ca_sector.map(|sector| {
        flash::authority(chip, sector).map_err(|error| {
            not_loaded("Please load authenticate certificate", error);
        })
    });
    let own = chip.certificate_sector.map(|sector| {
        flash::own(chip, sector).map_err(|error| {
            not_loaded("Please load request certificate", error);
        })
    });
    log::info!(target: TAG, "client handshake start.");
    let (Ok(authority), Ok(own)) = (authority.transpose(), own.transpose()) else {
        log::info!(target: TAG, "client handshake failed");
        return Err(NoSession);
    };
    let verifies = authority.is_some();
    let options = TlsClient {
        server_name: &cloud.host,
        // The TLS below wants one, which it does not use where nothing is verified.
        authority: authority.as_deref().unwrap_or(&cloud.authority),
        credentials: own
            .as_ref()
            .filter(|_| !bugs::is(Bug::ClientCertificateNotSent)),
        check_authority: verifies && !bugs::is(Bug::AuthorityNotChecked),
        check_dates: verifies && !bugs::is(Bug::DatesNotChecked),
        // axTLS as the SDK calls it compares no name.
        check_name: false,
        max_fragment: MaxFragment::of(chip.max_fragment),
    };
    let size = Some(chip.buffer).filter(|size| SIZES.contains(size));
    let size = usize::from(size.unwrap_or(USUAL_SIZE));
    let socket = Bounded::new(socket, size, too_long);
    let shaken = with_timeout(HANDSHAKE, tls.connect(socket, &options, now)).await;
    let failure = match shaken {
        Ok(Ok(session)) => {
            log::info!(target: TAG, "client handshake ok!");
            return Ok(session);
        }
        Ok(Err(failure)) => Some(failure),
        Err(TimeoutError) => None,
    };
    match failure {
        _ if too_long.get().is_some() => {
            log::info!(target: TAG, "client's data invalid protocol");
            error("invalid protocol message");
        }
        Some(failure) => log_failure(&failure),
        // espconn's time-out, of which axTLS knows nothing.
        None => {}
    }
    log::info!(target: TAG, "client handshake failed");
    Err(NoSession)
}

fn not_loaded(says: &str, error: LoadError) {
    match error {
        LoadError::Missing | LoadError::Beyond => log::info!(target: TAG, "{says}"),
        LoadError::Unusable => self::error("Invalid private key"),
    }
}

/// As `ssl_display_error` and `ssl_display_alert` have it.
fn log_failure(failure: &TlsFailure) {
    match failure {
        TlsFailure::Certificate(problems) => error(certificate_text(*problems)),
        TlsFailure::AlertReceived(alert) => {
            log_alert(*alert);
            // Alerts are errors by their number, which is negative within.
            log::error!(target: TAG, "Error: SSL error {alert}");
        }
        TlsFailure::Reset | TlsFailure::Closed => error("connection lost"),
        TlsFailure::Protocol => {
            log::info!(target: TAG, "client's data invalid protocol");
            error("invalid protocol message");
        }
        TlsFailure::Configuration | TlsFailure::OutOfMemory => error("bad certificate"),
    }
}

/// What `ssl_display_alert` says of an alert.
pub(super) fn log_alert(alert: u8) {
    match alert_text(alert) {
        Some(text) => log::info!(target: TAG, "Alert: {text}"),
        None => log::info!(target: TAG, "Alert: alert - (unknown {alert})"),
    }
}

fn error(text: &str) {
    log::error!(target: TAG, "Error: {text}");
}

/// `x509_display_error`; axTLS stops at the first problem: it looks at the dates of the chain before it looks
/// for who signed it (`x509_verify`).
fn certificate_text(problems: CertificateProblems) -> &'static str {
    const TEXTS: [(CertificateProblems, &str); 3] = [
        (CertificateProblems::NOT_YET_VALID, "Cert is not yet valid"),
        (CertificateProblems::EXPIRED, "Cert has expired"),
        (
            CertificateProblems::NOT_TRUSTED,
            "No trusted cert is available",
        ),
    ];
    let mut known = TEXTS.into_iter();
    let known = known.find(|(problem, _)| problems.contains(*problem));
    known.map_or("bad certificate", |(_, text)| text)
}

fn alert_text(alert: u8) -> Option<&'static str> {
    Some(match alert {
        0 => "close notify",
        10 => "unexpected message",
        20 => "bad record mac",
        40 => "handshake failure",
        42 => "bad certificate",
        47 => "illegal parameter",
        50 => "decode error",
        51 => "decrypt error",
        70 => "invalid version",
        100 => "no renegotiation",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axtls_looks_at_the_dates_first() {
        let both = CertificateProblems::NOT_TRUSTED | CertificateProblems::EXPIRED;
        assert_eq!(certificate_text(both), "Cert has expired");
        let trust = CertificateProblems::NOT_TRUSTED;
        assert_eq!(certificate_text(trust), "No trusted cert is available");
        let other = CertificateProblems::WRONG_USE;
        assert_eq!(certificate_text(other), "bad certificate");
    }

    #[test]
    fn alerts_have_the_names_of_the_sdk() {
        assert_eq!(alert_text(70), Some("invalid version"));
        assert_eq!(alert_text(48), None);
    }
}
