//! TLS against a rustls server in memory.

mod server;

use std::collections::VecDeque;

use device::board::{
    CertificateProblems, Tls as _, TlsClient, TlsEngine, TlsFailure, TlsSession, TlsSessionError,
};
use embassy_futures::block_on;
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use factory::Credentials;
use native::Tls;
use rcgen::ExtendedKeyUsagePurpose;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use server::{Authority, GOODBYE, NAME, NOW, Profile, Server, self_signed};

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

fn connect(
    server: &mut Server,
    options: &TlsClient<'_>,
    now: Option<u64>,
) -> Result<(), TlsFailure> {
    block_on(Tls::default().connect(server, options, now)).map(drop)
}

/// A byte to the server and back.
fn echo<E: TlsEngine>(session: &mut TlsSession<E>) -> Result<u8, TlsSessionError> {
    block_on(async {
        session.write_all(b"x").await?;
        session.flush().await?;
        let mut byte = [0];
        let length = session.read(&mut byte).await?;
        assert_eq!(length, 1, "the server went away");
        Ok(byte[0])
    })
}

fn client_profile() -> Profile {
    Profile {
        usage: ExtendedKeyUsagePurpose::ClientAuth,
        ..Profile::default()
    }
}

#[test]
fn every_problem_of_a_certificate_is_told() {
    use CertificateProblems as P;
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let with = |names: &[&str], years, usage| Profile {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        years,
        usage,
    };
    let (life, past, future) = ((2020, 2040), (2020, 2025), (2030, 2040));
    let serve = ExtendedKeyUsagePurpose::ServerAuth;
    let visit = ExtendedKeyUsagePurpose::ClientAuth;
    let below = |authority: &Authority, years, leaf: &Profile, sent: bool| {
        let intermediate = authority.intermediate("below", &with(&[], years, serve.clone()));
        let mut credentials = intermediate.issue(leaf);
        if sent {
            credentials.chain.push(intermediate.der);
        }
        credentials
    };
    let good = Profile::default();
    let cases: Vec<(&str, Credentials, P)> = vec![
        ("good", ours.issue(&good), P::empty()),
        (
            "expired",
            ours.issue(&with(&[NAME], past, serve.clone())),
            P::EXPIRED,
        ),
        (
            "not yet valid",
            ours.issue(&with(&[NAME], future, serve.clone())),
            P::NOT_YET_VALID,
        ),
        (
            "wrong name",
            ours.issue(&with(&["other.test"], life, serve.clone())),
            P::NAME_MISMATCH,
        ),
        (
            "no name but CN",
            ours.issue(&with(&[], life, serve.clone())),
            P::NAME_MISMATCH,
        ),
        ("other authority", other.issue(&good), P::NOT_TRUSTED),
        ("self-signed", self_signed(), P::NOT_TRUSTED),
        (
            "for clients",
            ours.issue(&with(&[NAME], life, visit.clone())),
            P::WRONG_USE,
        ),
        ("below", below(&ours, life, &good, true), P::empty()),
        (
            "missing intermediate",
            below(&ours, life, &good, false),
            P::NOT_TRUSTED,
        ),
        (
            "expired intermediate",
            below(&ours, past, &good, true),
            P::EXPIRED,
        ),
        (
            "expired intermediate, future leaf",
            below(&ours, past, &with(&[NAME], future, serve.clone()), true),
            P::EXPIRED | P::NOT_YET_VALID,
        ),
        (
            "expired, wrong name, other authority",
            other.issue(&with(&["other.test"], past, serve)),
            P::EXPIRED | P::NAME_MISMATCH | P::NOT_TRUSTED,
        ),
        (
            "everything",
            other.issue(&with(&["other.test"], future, visit)),
            P::NOT_YET_VALID | P::NAME_MISMATCH | P::NOT_TRUSTED | P::WRONG_USE,
        ),
    ];
    for version in VERSIONS {
        for (name, credentials, problems) in &cases {
            let mut server = Server::new(version, credentials, None);
            let outcome = connect(&mut server, &ours.options(), Some(NOW));
            if problems.is_empty() {
                assert_eq!(outcome, Ok(()), "{name}, {version:?}");
                continue;
            }
            assert_eq!(
                outcome,
                Err(TlsFailure::Certificate(*problems)),
                "{name}, {version:?}"
            );
            assert!(
                matches!(server.error, Some(rustls::Error::AlertReceived(_))),
                "{name}, {version:?}: the server must hear of it: {:?}",
                server.error
            );
        }
    }
}

#[test]
fn what_is_not_asked_for_is_not_checked() {
    let ours = Authority::new("ours");
    let expired = ours.issue(&Profile {
        years: (2020, 2025),
        ..Profile::default()
    });
    let misnamed = ours.issue(&Profile {
        names: vec!["other.test".into()],
        ..Profile::default()
    });
    let foreign = Authority::new("other").issue(&Profile::default());
    for version in VERSIONS {
        let any_authority = TlsClient {
            check_authority: false,
            ..ours.options()
        };
        let any_date = TlsClient {
            check_dates: false,
            ..ours.options()
        };
        let any_name = TlsClient {
            check_name: false,
            ..ours.options()
        };
        assert_eq!(
            connect(
                &mut Server::new(version, &expired, None),
                &any_date,
                Some(NOW)
            ),
            Ok(())
        );
        assert_eq!(
            connect(&mut Server::new(version, &expired, None), &any_date, None),
            Ok(())
        );
        assert_eq!(
            connect(
                &mut Server::new(version, &foreign, None),
                &any_authority,
                Some(NOW)
            ),
            Ok(())
        );
        assert_eq!(
            connect(
                &mut Server::new(version, &misnamed, None),
                &any_name,
                Some(NOW)
            ),
            Ok(())
        );
        assert_eq!(
            connect(
                &mut Server::new(version, &expired, None),
                &any_name,
                Some(NOW)
            ),
            Err(TlsFailure::Certificate(CertificateProblems::EXPIRED))
        );
    }
}

#[test]
fn a_clock_that_was_never_set_shows_1970() {
    let ours = Authority::new("ours");
    let mut server = Server::new(&TLS13, &ours.issue(&Profile::default()), None);
    assert_eq!(
        connect(&mut server, &ours.options(), None),
        Err(TlsFailure::Certificate(CertificateProblems::NOT_YET_VALID))
    );
}

#[test]
fn an_address_is_a_name_too() {
    let ours = Authority::new("ours");
    let credentials = ours.issue(&Profile {
        names: vec!["192.168.43.7".into()],
        ..Profile::default()
    });
    let at = |server_name| TlsClient {
        server_name,
        ..ours.options()
    };
    let mut server = Server::new(&TLS13, &credentials, None);
    assert_eq!(connect(&mut server, &at("192.168.43.7"), Some(NOW)), Ok(()));
    let mut server = Server::new(&TLS13, &credentials, None);
    assert_eq!(
        connect(&mut server, &at("192.168.43.8"), Some(NOW)),
        Err(TlsFailure::Certificate(CertificateProblems::NAME_MISMATCH))
    );
}

#[test]
fn a_client_certificate_is_sent_when_there_is_one() {
    let ours = Authority::new("ours");
    let own = ours.issue(&client_profile());
    for version in VERSIONS {
        let mut server = Server::new(version, &ours.issue(&Profile::default()), Some(&ours.der));
        let options = TlsClient {
            credentials: Some(&own),
            ..ours.options()
        };
        let mut session =
            block_on(Tls::default().connect(&mut server, &options, Some(NOW))).expect("a session");
        assert_eq!(echo(&mut session), Ok(b'x'));
        drop(session);
        assert!(server.client_certificate);
    }
}

#[test]
fn a_refused_client_learns_the_alert_in_the_handshake_of_tls_1_2_and_by_reading_in_1_3() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let foreign = other.issue(&client_profile());
    // RFC 8446 §6.2: 116 certificate_required (which rustls sends in TLS 1.2 too), 48 unknown_ca.
    for (credentials, alert) in [(None, 116), (Some(&foreign), 48)] {
        let options = TlsClient {
            credentials,
            ..ours.options()
        };
        let serves = ours.issue(&Profile::default());
        let mut server = Server::new(&TLS12, &serves, Some(&ours.der));
        assert_eq!(
            connect(&mut server, &options, Some(NOW)),
            Err(TlsFailure::AlertReceived(alert))
        );
        let mut server = Server::new(&TLS13, &serves, Some(&ours.der));
        let mut session = block_on(Tls::default().connect(&mut server, &options, Some(NOW)))
            .expect("in TLS 1.3 the client's part is over");
        let error = echo(&mut session).expect_err("refused");
        assert_eq!(
            Tls::failure_of::<&mut Server>(&error),
            Some(TlsFailure::AlertReceived(alert))
        );
        assert_eq!(echo(&mut session), Err(error), "it stays refused");
    }
}

#[test]
fn what_cannot_be_used_is_our_own_fault() {
    let ours = Authority::new("ours");
    let mut crossed = ours.issue(&client_profile());
    crossed.key = ours.issue(&client_profile()).key;
    let options = [
        TlsClient {
            credentials: Some(&crossed),
            ..ours.options()
        },
        TlsClient {
            authority: b"no certificate",
            ..ours.options()
        },
        TlsClient {
            server_name: "no name",
            ..ours.options()
        },
    ];
    for options in options {
        let mut server = Server::new(&TLS13, &ours.issue(&Profile::default()), None);
        let outcome: Result<(), TlsFailure> = connect(&mut server, &options, Some(NOW));
        assert_eq!(outcome, Err(TlsFailure::Configuration));
    }
}

#[test]
fn long_data_comes_back_whole() {
    let ours = Authority::new("ours");
    let sent: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
    for version in VERSIONS {
        let server = Server::new(version, &ours.issue(&Profile::default()), None);
        let options = ours.options();
        let mut session =
            block_on(Tls::default().connect(server, &options, Some(NOW))).expect("a session");
        let back = block_on(async {
            let mut back = Vec::new();
            for part in sent.chunks(10_000) {
                session.write_all(part).await.expect("written");
                let mut bytes = vec![0; part.len()];
                session.read_exact(&mut bytes).await.expect("read");
                back.extend(bytes);
            }
            back
        });
        assert!(back == sent);
    }
}

#[test]
fn a_reader_that_is_dropped_loses_nothing() {
    let ours = Authority::new("ours");
    let server = Server::new(&TLS13, &ours.issue(&Profile::default()), None).dribbling();
    let options = ours.options();
    let mut session =
        block_on(Tls::default().connect(server, &options, Some(NOW))).expect("a session");
    block_on(session.write_all(b"every single byte")).expect("written");
    let (mut back, mut drops) = (Vec::new(), 0);
    while back.len() < 17 {
        let mut bytes = [0; 4];
        match embassy_futures::poll_once(session.read(&mut bytes)) {
            std::task::Poll::Ready(length) => {
                back.extend_from_slice(&bytes[..length.expect("read")]);
            }
            std::task::Poll::Pending => drops += 1,
        }
        assert!(drops < 10_000, "nothing comes");
    }
    assert_eq!(back, b"every single byte");
    assert!(drops > 17, "the socket made it wait: {drops}");
}

#[test]
fn a_server_that_says_goodbye_is_at_its_end() {
    let ours = Authority::new("ours");
    for version in VERSIONS {
        let server = Server::new(version, &ours.issue(&Profile::default()), None);
        let options = ours.options();
        let mut session =
            block_on(Tls::default().connect(server, &options, Some(NOW))).expect("a session");
        assert_eq!(echo(&mut session), Ok(b'x'));
        block_on(session.write_all(GOODBYE)).expect("written");
        assert_eq!(block_on(session.read(&mut [0; 8])), Ok(0));
    }
}

/// A peer that speaks no TLS: it says this, then ends.
struct Stranger(VecDeque<u8>, Option<ErrorKind>);

impl ErrorType for Stranger {
    type Error = ErrorKind;
}

impl Read for Stranger {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, ErrorKind> {
        let length = bytes.len().min(self.0.len());
        for (place, byte) in bytes.iter_mut().zip(self.0.drain(..length)) {
            *place = byte;
        }
        match (length, self.1) {
            (0, Some(error)) => Err(error),
            _ => Ok(length),
        }
    }
}

impl Write for Stranger {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

#[test]
fn a_peer_without_tls_is_told_from_one_that_goes() {
    let ours = Authority::new("ours");
    let cases = [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            None,
            TlsFailure::Protocol,
        ),
        (b"", None, TlsFailure::Closed),
        (b"\x16\x03\x03", None, TlsFailure::Closed),
        (b"", Some(ErrorKind::ConnectionReset), TlsFailure::Reset),
        // handshake_failure, then a reset: the alert is the reason.
        (
            b"\x15\x03\x03\x00\x02\x02\x28",
            Some(ErrorKind::ConnectionReset),
            TlsFailure::AlertReceived(40),
        ),
    ];
    for (says, error, failure) in cases {
        let stranger = Stranger(says.iter().copied().collect(), error);
        let outcome = block_on(Tls::default().connect(stranger, &ours.options(), Some(NOW)));
        assert_eq!(outcome.err(), Some(failure), "{says:?}");
    }
}
