//! TLS as a server: against our own client, in memory.

#[expect(dead_code, reason = "the client's tests need more of it")]
mod server;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use device::board::{CertificateProblems, Tls as _, TlsClient, TlsFailure, TlsServer};
use embassy_futures::block_on;
use embassy_futures::join::join;
use embedded_io_async::{ErrorType, Read, Write};
use factory::{ClientAuth, ServerCertificate};
use native::Tls;
use rcgen::ExtendedKeyUsagePurpose;
use server::{Authority, NAME, NOW, Profile};

/// Bytes on their way.
type Queue = Rc<RefCell<VecDeque<u8>>>;

/// One end of a connection.
struct End {
    read: Queue,
    written: Queue,
}

fn pair() -> (End, End) {
    let (there, back) = (Queue::default(), Queue::default());
    let end = |read: &Queue, written: &Queue| End {
        read: read.clone(),
        written: written.clone(),
    };
    (end(&back, &there), end(&there, &back))
}

impl ErrorType for End {
    type Error = Infallible;
}

impl Read for End {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Infallible> {
        poll_fn(|context| {
            let mut queue = self.read.borrow_mut();
            // The other end is alone with its queue once this one has gone.
            if queue.is_empty() && Rc::strong_count(&self.read) > 1 {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            let length = bytes.len().min(queue.len());
            for (byte, there) in bytes.iter_mut().zip(queue.drain(..length)) {
                *byte = there;
            }
            Poll::Ready(Ok(length))
        })
        .await
    }
}

impl Write for End {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.written.borrow_mut().extend(bytes);
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// What client and server come to; a byte goes there and back.
fn meet(
    client: &TlsClient<'_>,
    server: &TlsServer<'_>,
) -> (Result<u8, TlsFailure>, Result<(), TlsFailure>) {
    let (ours, theirs) = pair();
    let tls = Tls::default();
    let browse = async {
        let mut session = tls.connect(ours, client, Some(NOW)).await?;
        let failed = |error| Tls::failure_of::<End>(&error).unwrap_or(TlsFailure::Closed);
        session.write_all(b"x").await.map_err(failed)?;
        session.flush().await.map_err(failed)?;
        let mut byte = [0];
        match session.read(&mut byte).await.map_err(failed)? {
            0 => Err(TlsFailure::Closed),
            _ => Ok(byte[0]),
        }
    };
    let serve = async {
        let mut session = tls.accept(theirs, server, Some(NOW)).await?;
        let mut byte = [0];
        if session.read(&mut byte).await == Ok(1) {
            session.write_all(&byte).await.expect("written");
            session.flush().await.expect("sent");
        }
        Ok(())
    };
    block_on(join(browse, serve))
}

fn shown(authority: &Authority, names: &[&str]) -> ServerCertificate {
    let profile = Profile {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Profile::default()
    };
    ServerCertificate {
        credentials: authority.issue(&profile),
        server_name: None,
        alpn: None,
    }
}

#[test]
fn a_client_is_served() {
    let authority = Authority::new("ours");
    let server = TlsServer {
        certificates: &[shown(&authority, &[NAME])],
        client: &ClientAuth::None,
        alpn: &[],
        tickets: false,
    };
    assert_eq!(meet(&authority.options(), &server), (Ok(b'x'), Ok(())));
}

#[test]
fn the_certificate_is_that_of_the_name() {
    let authority = Authority::new("ours");
    let for_name = |name: &str| ServerCertificate {
        server_name: Some(name.into()),
        ..shown(&authority, &[name])
    };
    let certificates = [for_name("one.test"), for_name("two.test")];
    let server = TlsServer {
        certificates: &certificates,
        client: &ClientAuth::None,
        alpn: &[],
        tickets: false,
    };
    for name in ["one.test", "two.test", "TWO.test"] {
        let client = TlsClient {
            server_name: name,
            ..authority.options()
        };
        assert_eq!(meet(&client, &server), (Ok(b'x'), Ok(())), "{name}");
    }
    let client = TlsClient {
        server_name: "three.test",
        ..authority.options()
    };
    assert!(matches!(meet(&client, &server), (Err(_), Err(_))));
}

#[test]
fn a_certificate_for_a_protocol_needs_that_protocol() {
    let authority = Authority::new("ours");
    let special = ServerCertificate {
        alpn: Some("special".into()),
        ..shown(&authority, &[NAME])
    };
    let options = TlsServer {
        certificates: &[special, shown(&authority, &[NAME])],
        client: &ClientAuth::None,
        alpn: &["http/1.1".into(), "special".into()],
        tickets: false,
    };
    let chosen = |offered: &[&str]| {
        let offered: Vec<&[u8]> = offered.iter().map(|name| name.as_bytes()).collect();
        let protocol = options.protocol(offered.iter().copied());
        let certificate = options.certificate(None, protocol);
        (
            protocol,
            certificate.and_then(|shown| shown.alpn.as_deref()),
        )
    };
    assert_eq!(chosen(&["special"]), (Some("special"), Some("special")));
    assert_eq!(chosen(&["special", "http/1.1"]), (Some("http/1.1"), None));
    assert_eq!(chosen(&["h2"]), (None, None));
    assert_eq!(chosen(&[]), (None, None));
}

#[test]
fn client_certificates_are_none_optional_or_required() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let profile = |years| Profile {
        usage: ExtendedKeyUsagePurpose::ClientAuth,
        years,
        ..Profile::default()
    };
    let good = ours.issue(&profile((2020, 2040)));
    let expired = ours.issue(&profile((2020, 2025)));
    let wrong_use = ours.issue(&Profile::default());
    let strange = other.issue(&profile((2020, 2040)));
    use CertificateProblems as P;
    let cases = [
        ("good", Some(&good), P::empty()),
        ("none", None, P::MISSING),
        ("expired", Some(&expired), P::EXPIRED),
        ("other authority", Some(&strange), P::NOT_TRUSTED),
        ("for servers", Some(&wrong_use), P::WRONG_USE),
    ];
    for (name, credentials, problems) in cases {
        let client = TlsClient {
            credentials,
            ..ours.options()
        };
        let with = |auth: &ClientAuth| {
            let server = TlsServer {
                certificates: &[shown(&ours, &[NAME])],
                client: auth,
                alpn: &[],
                tickets: false,
            };
            meet(&client, &server)
        };
        let optional = with(&ClientAuth::Optional(ours.der.clone()));
        assert_eq!(optional, (Ok(b'x'), Ok(())), "{name}");
        assert_eq!(with(&ClientAuth::None), (Ok(b'x'), Ok(())), "{name}");
        let (seen, required) = with(&ClientAuth::Required(ours.der.clone()));
        match problems.is_empty() {
            true => assert_eq!((seen, required), (Ok(b'x'), Ok(())), "{name}"),
            false => {
                assert!(
                    matches!(seen, Err(TlsFailure::AlertReceived(_))),
                    "{name}: {seen:?}"
                );
                assert_eq!(required, Err(TlsFailure::Certificate(problems)), "{name}");
            }
        }
    }
}
