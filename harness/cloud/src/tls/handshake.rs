//! Shaking hands.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use clock::Clock;
use rustls::{CertificateError, Error, PeerIncompatible, ServerConfig};
use tokio_rustls::TlsAcceptor;
use trace::Trace;

use super::hello::{client, server, version_name};
use super::tap::Watched;
use super::verifier::{SHOWN, Shown};
use super::{Acceptor, Alert, Cause, Handshake, PresentedCertificate, Secured, Tap, alert};

/// Who is at the other end.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) connection: u64,
    pub(crate) address: SocketAddr,
}

/// How a handshake ended for the socket.
pub(crate) enum Accepted {
    /// With an encrypted stream, and the client's certificate if it showed one.
    Stream(Secured, Option<PresentedCertificate>),
    /// With nothing but the socket, on which the alert has been sent.
    Refused(Secured),
    /// With nothing at all.
    Gone,
}

/// Shakes hands on `tap` for at most `limit` of the peer's time. What it came to is returned and goes into the trace
/// by `report`.
pub(crate) async fn accept(
    tap: Tap,
    acceptor: Acceptor,
    limit: Duration,
    clock: &Clock,
    peer: &Peer,
    shown_profile: &str,
) -> (Accepted, Handshake) {
    match acceptor {
        Acceptor::Rustls(config) => by_rustls(tap, config, limit, clock, peer, shown_profile).await,
        #[cfg(feature = "legacy")]
        Acceptor::Legacy(context) => {
            super::legacy::accept(tap, &context, limit, clock, peer, shown_profile).await
        }
    }
}

async fn by_rustls(
    mut tap: Tap,
    config: Arc<ServerConfig>,
    limit: Duration,
    clock: &Clock,
    peer: &Peer,
    shown_profile: &str,
) -> (Accepted, Handshake) {
    let watched = tap.watch();
    let shown = Shown::default();
    let accept = TlsAcceptor::from(config).accept(tap).into_fallible();
    let result = clock
        .timeout_for(peer.address, limit, SHOWN.scope(shown.clone(), accept))
        .await;
    let judged = shown.lock().unwrap_or_else(PoisonError::into_inner).take();
    let chain_good = judged.as_ref().is_some_and(|(_, good)| *good);
    let presented = judged.map(|(presented, _)| presented);
    let (mut report, is_stopped) = {
        let watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
        let report = begin_report(peer, shown_profile, &watched, presented.clone());
        (report, watched.is_stopped)
    };
    match result {
        Ok(Ok(mut stream)) => {
            let (tap, session) = stream.get_mut();
            tap.stop_watching();
            report.ok = true;
            report.cause = Cause::None;
            report.version = session.protocol_version().map(|v| version_name(v.into()));
            report.cipher = session
                .negotiated_cipher_suite()
                .map(|suite| format!("{:?}", suite.suite()));
            let stream = Secured::Rustls(Box::new(stream));
            (Accepted::Stream(stream, presented), report)
        }
        Ok(Err((error, mut tap))) => {
            tap.stop_watching();
            fail(&mut report, &error, chain_good);
            stopped(&mut report, is_stopped);
            (Accepted::Refused(Secured::Refused(tap)), report)
        }
        Err(elapsed) => {
            report.cause = Cause::TimedOut;
            report.reason = Some(elapsed.to_string());
            stopped(&mut report, is_stopped);
            (Accepted::Gone, report)
        }
    }
}

/// A handshake that the scenario has the broker leave half done fails by that alone.
pub(super) fn stopped(report: &mut Handshake, is_stopped: bool) {
    if is_stopped {
        report.cause = Cause::Stalled;
        report.reason = Some("the scenario has the broker stop in the middle".to_owned());
    }
}

/// Says that the handshake of `peer` will never be answered, by order of the scenario.
pub(crate) fn report_stalled(trace: &Trace, peer: &Peer, shown_profile: &str) {
    let mut report = begin_report(peer, shown_profile, &Watched::default(), None);
    report.cause = Cause::Stalled;
    report.reason = Some("the scenario has the broker keep silent".to_owned());
    trace.emit(None, &report);
}

pub(super) fn begin_report(
    peer: &Peer,
    shown: &str,
    watched: &Watched,
    client_certificate: Option<PresentedCertificate>,
) -> Handshake {
    let hello = client(&watched.received.handshake).unwrap_or_default();
    let answer = server(&watched.sent.handshake);
    let numbered = |number: Option<u8>| {
        number.map(|number| Alert {
            number,
            name: alert::name(number).to_owned(),
        })
    };
    Handshake {
        connection: peer.connection,
        peer: peer.address.to_string(),
        ok: false,
        cause: if watched.received.foreign {
            Cause::NotTls
        } else {
            Cause::Other
        },
        reason: None,
        version: answer.as_ref().map(|answer| version_name(answer.version)),
        offered: hello.versions.into_iter().map(version_name).collect(),
        cipher: None,
        server_name: hello.server_name,
        max_fragment_asked: hello.max_fragment,
        max_fragment_granted: answer.and_then(|answer| answer.max_fragment),
        shown: shown.to_owned(),
        client_certificate,
        alert_sent: numbered(watched.sent.alert_number),
        alert_received: numbered(watched.received.alert_number),
    }
}

fn fail(report: &mut Handshake, error: &io::Error, chain_good: bool) {
    let inner = error.get_ref().and_then(|e| e.downcast_ref::<Error>());
    report.reason = Some(inner.map_or_else(|| error.to_string(), Error::to_string));
    let Some(inner) = inner else {
        if report.cause != Cause::NotTls {
            report.cause = Cause::Closed;
        }
        return;
    };
    let numbered = |number: u8| Alert {
        number,
        name: alert::name(number).to_owned(),
    };
    if let Error::AlertReceived(description) = inner {
        let number = u8::from(*description);
        report.alert_received.get_or_insert(numbered(number));
        report.cause = by_alert(number);
        return;
    }
    if report.alert_sent.is_none() {
        report.alert_sent = alert::sent_for(inner).map(numbered);
    }
    if report.cause != Cause::NotTls {
        report.cause = match cause(inner, chain_good) {
            // rustls reports first what no ClientHello of those versions has.
            Cause::NoCommonCipher if offers_only_old(report) => Cause::NoCommonVersion,
            cause => cause,
        };
    }
}

/// What it comes to that the peer has ended the handshake by this alert.
pub(super) fn by_alert(number: u8) -> Cause {
    if alert::refuses_certificate(number) {
        Cause::ServerCertificateRefused
    } else {
        Cause::AlertReceived
    }
}

/// Whether the peer knows no version that there is a listener for.
fn offers_only_old(report: &Handshake) -> bool {
    let known = |version: &String| matches!(version.as_str(), "TLS 1.2" | "TLS 1.3");
    !report.offered.is_empty() && !report.offered.iter().any(known)
}

fn cause(error: &Error, chain_good: bool) -> Cause {
    use CertificateError as Bad;
    match error {
        Error::NoCertificatesPresented => Cause::NoClientCertificate,
        Error::InvalidCertificate(bad) => match bad {
            Bad::Expired | Bad::ExpiredContext { .. } => Cause::ClientCertificateExpired,
            Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                Cause::ClientCertificateNotYetValid
            }
            Bad::UnknownIssuer => Cause::ClientCertificateUnknownIssuer,
            Bad::InvalidPurpose | Bad::InvalidPurposeContext { .. } => {
                Cause::ClientCertificateWrongUsage
            }
            // The signature of the handshake, not one in the chain.
            Bad::BadSignature if chain_good => Cause::ClientKeyMismatch,
            // An authority of the same name has another key.
            Bad::BadSignature => Cause::ClientCertificateUnknownIssuer,
            _ => Cause::ClientCertificateBad,
        },
        Error::PeerIncompatible(incompatible) => match incompatible {
            PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::Tls13RequiredForQuic
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig => Cause::NoCommonVersion,
            _ => Cause::NoCommonCipher,
        },
        Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType) => Cause::NotTls,
        _ => Cause::Other,
    }
}
