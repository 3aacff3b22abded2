//! TLS by OpenSSL, for devices that speak what rustls refuses by design: TLS 1.0 and 1.1, key exchange by RSA
//! alone, SHA-1, RSA keys of 1024 bits.
//!
//! What a handshake came to is told in the same words as rustls's. Up to TLS 1.2 a client shows its
//! certificates in the clear, so that they are read where they go by.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use clock::Clock;
use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{
    Error, Ssl, SslContext, SslMethod, SslOptions, SslSessionCacheMode, SslVerifyMode, SslVersion,
};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{X509, X509VerifyResult};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_openssl::SslStream;

use super::certificate::names;
use super::handshake::{Accepted, begin_report, by_alert, stopped};
use super::hello::certificates;
use super::{
    Cause, ClientCertificate, Handshake, KeyExchange, Legacy, OldVersion, Peer,
    PresentedCertificate, Secured, Tap, TlsSettings,
};

/// What OpenSSL said of the certificate of one handshake.
type Verdict = Arc<Mutex<Option<X509VerifyResult>>>;

/// OpenSSL's side of TLS settings. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Context {
    context: SslContext,
    asks: ClientCertificate,
}

impl Context {
    pub(super) fn new(settings: &TlsSettings, legacy: Legacy) -> Result<Self, ErrorStack> {
        let mut builder = SslContext::builder(SslMethod::tls_server())?;
        // Below 1, OpenSSL takes SHA-1 and keys of 1024 bits.
        builder.set_security_level(0);
        builder.set_min_proto_version(Some(version(legacy.oldest)))?;
        builder.set_max_proto_version(Some(version(legacy.newest)))?;
        builder.set_cipher_list(match legacy.key_exchange {
            KeyExchange::Any => "ALL:!aNULL:!eNULL:!kPSK:!kSRP",
            KeyExchange::Rsa => "kRSA:!aNULL:!eNULL",
        })?;
        // A resumed session would skip the check of the client's certificate.
        builder.set_session_cache_mode(SslSessionCacheMode::OFF);
        builder.set_options(SslOptions::NO_TICKET | SslOptions::CIPHER_SERVER_PREFERENCE);
        let mut chain = settings.identity.chain_der().iter();
        if let Some(own) = chain.next() {
            let own = X509::from_der(own)?;
            builder.set_certificate(&own)?;
        }
        for above in chain {
            builder.add_extra_chain_cert(X509::from_der(above)?)?;
        }
        let key = PKey::private_key_from_pkcs8(settings.identity.key_der())?;
        builder.set_private_key(&key)?;
        let mut store = X509StoreBuilder::new()?;
        for authority in &settings.client_authorities {
            let authority = X509::from_der(authority.der())?;
            builder.add_client_ca(&authority)?;
            store.add_cert(authority)?;
        }
        builder.set_verify_cert_store(store.build())?;
        Ok(Self {
            context: builder.build(),
            asks: settings.client_certificate,
        })
    }

    /// One connection, of which the certificate is judged by the lab's date.
    fn connection(&self, clock: &Clock, verdict: &Verdict) -> Result<Ssl, ErrorStack> {
        let mut ssl = Ssl::new(&self.context)?;
        let now = i64::try_from(clock.unix_now().as_secs()).unwrap_or(i64::MAX);
        ssl.param_mut().set_time(now);
        let mode = match self.asks {
            ClientCertificate::Required => {
                SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT
            }
            ClientCertificate::Optional | ClientCertificate::Any => SslVerifyMode::PEER,
            ClientCertificate::NotAsked => {
                ssl.set_verify(SslVerifyMode::NONE);
                return Ok(ssl);
            }
        };
        // The cloud behind the broker judges it.
        let takes_any = self.asks == ClientCertificate::Any;
        let verdict = verdict.clone();
        ssl.set_verify_callback(mode, move |is_good, context| {
            if !is_good {
                let mut verdict = verdict.lock().unwrap_or_else(PoisonError::into_inner);
                verdict.get_or_insert(context.error());
            }
            is_good || takes_any
        });
        Ok(ssl)
    }
}

fn version(version: OldVersion) -> SslVersion {
    match version {
        OldVersion::Tls10 => SslVersion::TLS1,
        OldVersion::Tls11 => SslVersion::TLS1_1,
        OldVersion::Tls12 => SslVersion::TLS1_2,
    }
}

/// Shakes hands on `tap` as [`super::accept`] does.
pub(super) async fn accept(
    mut tap: Tap,
    context: &Context,
    limit: Duration,
    clock: &Clock,
    peer: &Peer,
    shown_profile: &str,
) -> (Accepted, Handshake) {
    let watched = tap.watch();
    let verdict = Verdict::default();
    let stream = context
        .connection(clock, &verdict)
        .and_then(|ssl| SslStream::new(ssl, tap));
    let mut stream = match stream {
        Ok(stream) => Box::pin(stream),
        Err(error) => {
            let watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
            let mut report = begin_report(peer, shown_profile, &watched, None);
            report.reason = Some(format!("failed to set up OpenSSL: {error}"));
            return (Accepted::Gone, report);
        }
    };
    let result = clock
        .timeout_for(peer.address, limit, stream.as_mut().accept())
        .await;
    let (mut report, chain, is_stopped) = {
        let watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
        let chain = certificates(&watched.received.handshake);
        let report = begin_report(peer, shown_profile, &watched, presented(&chain));
        (report, chain, watched.is_stopped)
    };
    stream.get_mut().stop_watching();
    match result {
        Ok(Ok(())) => {
            report.ok = true;
            report.cause = Cause::None;
            let cipher = stream.ssl().current_cipher();
            let name = cipher.map(|it| it.standard_name().unwrap_or(it.name()).to_owned());
            report.cipher = name;
            let presented = report.client_certificate.clone();
            let stream = LegacyStream {
                stream,
                chain,
                is_broken: false,
            };
            (Accepted::Stream(Secured::Legacy(stream), presented), report)
        }
        Ok(Err(error)) => {
            let verdict = *verdict.lock().unwrap_or_else(PoisonError::into_inner);
            fail(&mut report, &error, verdict);
            stopped(&mut report, is_stopped);
            let stream = LegacyStream {
                stream,
                chain,
                is_broken: true,
            };
            (Accepted::Refused(Secured::Legacy(stream)), report)
        }
        Err(elapsed) => {
            report.cause = Cause::TimedOut;
            report.reason = Some(elapsed.to_string());
            stopped(&mut report, is_stopped);
            (Accepted::Gone, report)
        }
    }
}

fn presented(chain: &[Vec<u8>]) -> Option<PresentedCertificate> {
    let (issuer, subject) = names(chain.first()?).unwrap_or_default();
    Some(PresentedCertificate {
        subject,
        issuer,
        chain_length: chain.len(),
    })
}

fn fail(report: &mut Handshake, error: &Error, verdict: Option<X509VerifyResult>) {
    let stack = error.ssl_error();
    let reasons = stack
        .iter()
        .flat_map(|stack| stack.errors())
        .filter_map(|error| error.reason());
    let reasons: Vec<&str> = reasons.collect();
    report.reason = Some(match (verdict, &reasons[..]) {
        (Some(verdict), _) => verdict.error_string().to_owned(),
        (None, []) => error.to_string(),
        (None, reasons) => reasons.join(", "),
    });
    if report.cause == Cause::NotTls {
        return;
    }
    report.cause = match &report.alert_received {
        Some(alert) => by_alert(alert.number),
        None => cause(&reasons, verdict),
    };
}

/// Texts of OpenSSL 3.0 (`ssl_err.c`, `rsa_err.c`), of which a part is enough.
fn cause(reasons: &[&str], verdict: Option<X509VerifyResult>) -> Cause {
    const TEXTS: [(&str, Cause); 14] = [
        (
            "peer did not return a certificate",
            Cause::NoClientCertificate,
        ),
        ("unsupported protocol", Cause::NoCommonVersion),
        ("version too low", Cause::NoCommonVersion),
        ("wrong version number", Cause::NoCommonVersion),
        ("no protocols available", Cause::NoCommonVersion),
        ("inappropriate fallback", Cause::NoCommonVersion),
        ("no shared cipher", Cause::NoCommonCipher),
        ("no suitable", Cause::NoCommonCipher),
        ("no shared signature", Cause::NoCommonCipher),
        ("bad signature", Cause::ClientKeyMismatch),
        ("padding check failed", Cause::ClientKeyMismatch),
        ("wrong signature", Cause::ClientKeyMismatch),
        ("http request", Cause::NotTls),
        ("unexpected eof", Cause::Closed),
    ];
    if let Some(verdict) = verdict {
        return of_verdict(verdict);
    }
    let mut texts = TEXTS.into_iter();
    let known = texts.find(|(text, _)| reasons.iter().any(|reason| reason.contains(text)));
    match known {
        Some((_, cause)) => cause,
        // Nothing from OpenSSL: the socket ended.
        None if reasons.is_empty() => Cause::Closed,
        None => Cause::Other,
    }
}

/// Numbers of OpenSSL's `x509_vfy.h`.
fn of_verdict(verdict: X509VerifyResult) -> Cause {
    match verdict.as_raw() {
        9 => Cause::ClientCertificateNotYetValid,
        10 => Cause::ClientCertificateExpired,
        2 | 7 | 18..=21 => Cause::ClientCertificateUnknownIssuer,
        26 => Cause::ClientCertificateWrongUsage,
        _ => Cause::ClientCertificateBad,
    }
}

/// A session by OpenSSL, or what a handshake that failed has left of one.
pub(crate) struct LegacyStream {
    stream: Pin<Box<SslStream<Tap>>>,
    chain: Vec<Vec<u8>>,
    /// Whether only the socket below can be used.
    is_broken: bool,
}

impl LegacyStream {
    /// DER of the certificates that the client has shown, its own first.
    pub(super) fn peer_chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    pub(super) fn peer(&self) -> SocketAddr {
        self.stream.get_ref().peer()
    }

    /// Ends the connection by a reset.
    pub(super) fn reset(self) {
        self.stream.get_ref().end_by_reset();
    }
}

impl AsyncRead for LegacyStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.is_broken {
            true => Pin::new(this.stream.get_mut()).poll_read(cx, buf),
            false => this.stream.as_mut().poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for LegacyStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_mut().stream.as_mut().poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.is_broken {
            true => Pin::new(this.stream.get_mut()).poll_flush(cx),
            false => this.stream.as_mut().poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this.is_broken {
            true => Pin::new(this.stream.get_mut()).poll_shutdown(cx),
            false => this.stream.as_mut().poll_shutdown(cx),
        }
    }
}
