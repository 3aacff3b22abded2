//! Handshakes, good and bad, and what both sides learn of them.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use cloud::{
    Broker, BrokerSettings, Cause, ClientCertificate, Devices, Faults, Handshake, HandshakeFaults,
    TlsSettings, Versions,
};
use pki::{Identity, Pki};
use rustls::crypto::ring;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::time_provider::TimeProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use support::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use trace::{Source, Trace};

const HOST: &str = "mqtt.example";
/// 2026-11-22.
const NOW: u64 = 1_795_305_600;
const BOTH: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

struct World {
    broker: Broker,
    trace: Trace,
    pki: Pki,
}

impl World {
    async fn new(change: impl FnOnce(&mut TlsSettings, &Pki)) -> Self {
        let pki = Pki::new(NOW).unwrap();
        let identity = pki.mint("server", &[HOST], HOST).unwrap();
        let mut tls = TlsSettings::mutual(identity, vec![pki.authority("ca").unwrap()]);
        change(&mut tls, &pki);
        let clock = clock::Clock::start(1000.0);
        clock.set_epoch(Duration::from_secs(NOW));
        let trace = Trace::in_memory(clock);
        let devices = Devices::default();
        devices.know("device-1", "lamp");
        let broker = Broker::start(BrokerSettings::tls(tls), trace.clone(), devices)
            .await
            .unwrap();
        Self { broker, trace, pki }
    }

    fn mint(&self, profile: &str) -> Identity {
        self.pki.mint(profile, &[], "device-1").unwrap()
    }

    async fn connect(
        &self,
        version: &'static SupportedProtocolVersion,
        identity: Option<&Identity>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.broker.address()).await.unwrap();
        self.shake(version, identity, stream).await
    }

    async fn shake(
        &self,
        version: &'static SupportedProtocolVersion,
        identity: Option<&Identity>,
        stream: TcpStream,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        // Waiting for an acknowledgement, as TCP otherwise does, takes ages in the lab.
        stream.set_nodelay(true).unwrap();
        let config = client_config(&self.pki, version, identity);
        TlsConnector::from(config)
            .connect(ServerName::try_from(HOST).unwrap(), stream)
            .await
    }

    /// The report of the only handshake.
    async fn report(&self) -> Handshake {
        let found = event(&self.trace, |e| e.is::<Handshake>()).await;
        found.payload().unwrap()
    }
}

#[derive(Debug)]
struct At(u64);

impl TimeProvider for At {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0)))
    }
}

fn client_config(
    pki: &Pki,
    version: &'static SupportedProtocolVersion,
    identity: Option<&Identity>,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(pki.authority("ca").unwrap().rustls()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_details(provider.clone(), Arc::new(At(NOW)))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots);
    let config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let key = provider
                .key_provider
                .load_private_key(identity.rustls_key())
                .unwrap();
            let shown = CertifiedKey::new(identity.rustls_chain(), key);
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(shown)))
        }
    };
    Arc::new(config)
}

/// The number of the alert by which a connection failed.
fn alert_in(error: &std::io::Error) -> Option<u8> {
    let inner = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    match inner {
        rustls::Error::AlertReceived(alert) => Some((*alert).into()),
        _ => None,
    }
}

#[test]
fn a_good_client_gets_a_session_and_is_known_by_its_certificate() {
    run(async {
        for version in BOTH {
            let world = World::new(|_, _| {}).await;
            let identity = world.mint("client");
            let stream = world.connect(version, Some(&identity)).await.unwrap();
            let mut wire = Wire::over(stream);
            wire.send(&connect("c")).await;
            wire.expect(&[0x20, 2, 0, 0], "connack").await;
            wire.quiet("ping").await;

            let report = world.report().await;
            assert!(report.ok);
            assert_eq!(report.cause, Cause::None);
            assert_eq!(report.server_name.as_deref(), Some(HOST));
            let name = report.version.unwrap();
            assert_eq!(name == "TLS 1.3", std::ptr::eq(version, &TLS13), "{name}");
            assert_eq!(report.offered, [name]);
            assert_eq!(report.shown, "server");
            let shown = report.client_certificate.unwrap();
            assert_eq!(shown.subject.common_name.as_deref(), Some("device-1"));
            assert_eq!(shown.issuer.common_name.as_deref(), Some("Proving CA"));
            assert_eq!(shown.chain_length, 1);

            let opened = event(&world.trace, |e| e.kind == "session_opened").await;
            assert_eq!(opened.device.as_deref(), Some("lamp"));
            assert_eq!(opened.data["common_name"], "device-1");
        }
    });
}

#[test]
fn every_bad_client_is_told_why_and_the_trace_says_exactly_why() {
    let rows = [
        (None, Cause::NoClientCertificate, 116, "no certificates"),
        (
            Some("client-expired"),
            Cause::ClientCertificateExpired,
            45,
            "expired",
        ),
        (
            Some("client-not-yet-valid"),
            Cause::ClientCertificateNotYetValid,
            45,
            "not valid yet",
        ),
        (
            Some("client-other-ca"),
            Cause::ClientCertificateUnknownIssuer,
            48,
            "UnknownIssuer",
        ),
        (
            Some("client-self-signed"),
            Cause::ClientCertificateUnknownIssuer,
            48,
            "UnknownIssuer",
        ),
        (
            Some("client-missing-intermediate"),
            Cause::ClientCertificateUnknownIssuer,
            48,
            "UnknownIssuer",
        ),
        (
            Some("client-server-usage"),
            Cause::ClientCertificateWrongUsage,
            43,
            "does not allow extended key usage for client",
        ),
        (
            Some("client-key-mismatch"),
            Cause::ClientKeyMismatch,
            51,
            "BadSignature",
        ),
    ];
    run(async move {
        for (profile, cause, alert, words) in rows {
            for version in BOTH {
                let name = format!("{profile:?} over {:?}", version.version);
                let world = World::new(|_, _| {}).await;
                let identity = profile.map(|profile| world.mint(profile));
                let result = match world.connect(version, identity.as_ref()).await {
                    // TLS 1.3: the client is done before it is judged.
                    Ok(mut stream) => stream.read_u8().await.unwrap_err(),
                    Err(error) => error,
                };
                assert_eq!(alert_in(&result), Some(alert), "{name}: {result}");
                let report = world.report().await;
                assert!(!report.ok, "{name}");
                assert_eq!(report.cause, cause, "{name}");
                let sent = report
                    .alert_sent
                    .unwrap_or_else(|| panic!("{name}: no alert"));
                assert_eq!(sent.number, alert, "{name}");
                let reason = report.reason.unwrap();
                assert!(reason.contains(words), "{name}: {reason}");
                assert_eq!(
                    report.client_certificate.is_some(),
                    profile.is_some(),
                    "{name}"
                );
                let closed = event(&world.trace, |e| e.kind == "connection_closed").await;
                assert_eq!(closed.data["end"], "handshake", "{name}");
            }
        }
    });
}

#[test]
fn a_client_that_refuses_the_broker_is_heard() {
    let rows = [
        ("server-expired", 45, "certificate_expired"),
        ("server-not-yet-valid", 45, "certificate_expired"),
        ("server-wrong-name", 42, "bad_certificate"),
        ("server-other-ca", 48, "unknown_ca"),
        ("server-self-signed", 48, "unknown_ca"),
    ];
    run(async move {
        for (profile, alert, alert_name) in rows {
            for version in BOTH {
                let name = format!("{profile} over {:?}", version.version);
                let world = World::new(|tls, pki| {
                    tls.identity = pki.mint(profile, &[HOST], HOST).unwrap();
                })
                .await;
                let identity = world.mint("client");
                assert!(
                    world.connect(version, Some(&identity)).await.is_err(),
                    "{name}"
                );
                let report = world.report().await;
                assert_eq!(report.cause, Cause::ServerCertificateRefused, "{name}");
                assert_eq!(report.shown, profile);
                let received = report.alert_received.unwrap();
                assert_eq!(
                    (received.number, &*received.name),
                    (alert, alert_name),
                    "{name}"
                );
            }
        }
    });
}

#[test]
fn an_identity_can_be_changed_while_the_broker_runs() {
    run(async {
        let world = World::new(|_, _| {}).await;
        let expired = world.pki.mint("server-expired", &[HOST], HOST).unwrap();
        world.broker.set_identity(&expired).unwrap();
        let identity = world.mint("client");
        assert!(world.connect(&TLS13, Some(&identity)).await.is_err());
        assert_eq!(world.report().await.shown, "server-expired");
    });
}

#[test]
fn a_certificate_is_asked_for_as_the_settings_say() {
    run(async {
        for (wanted, with, without) in [
            (ClientCertificate::Required, true, false),
            (ClientCertificate::Optional, true, true),
            (ClientCertificate::NotAsked, true, true),
        ] {
            for (identity, expected) in [(true, with), (false, without)] {
                let world = World::new(|tls, _| tls.client_certificate = wanted).await;
                let identity = identity.then(|| world.mint("client"));
                let _stream = world.connect(&TLS12, identity.as_ref()).await;
                let report = world.report().await;
                assert_eq!(report.ok, expected, "{wanted:?}");
                let seen = identity.is_some() && wanted != ClientCertificate::NotAsked;
                assert_eq!(report.client_certificate.is_some(), seen, "{wanted:?}");
            }
        }
    });
}

#[test]
fn dates_are_judged_by_the_clock_of_the_lab() {
    run(async {
        let world = World::new(|_, _| {}).await;
        let two_years = Duration::from_secs(2 * 365 * 86_400);
        let later = Duration::from_secs(NOW) + two_years;
        world.trace.clock().set_epoch(later);
        let identity = world.mint("client");
        assert!(world.connect(&TLS12, Some(&identity)).await.is_err());
        assert_eq!(world.report().await.cause, Cause::ClientCertificateExpired);
    });
}

#[test]
fn two_sides_without_a_common_version_part() {
    run(async {
        let world = World::new(|tls, _| tls.versions = Versions::Tls13).await;
        let identity = world.mint("client");
        let error = world.connect(&TLS12, Some(&identity)).await.unwrap_err();
        assert_eq!(alert_in(&error), Some(70));
        let report = world.report().await;
        assert_eq!(report.cause, Cause::NoCommonVersion);
        assert_eq!(report.offered, ["TLS 1.2"]);
        assert_eq!(report.alert_sent.unwrap().name, "protocol_version");
    });
}

#[test]
fn what_is_no_handshake_is_told_apart() {
    run(async {
        let world = World::new(|_, _| {}).await;
        let mut plain = Wire::to(&world.broker).await;
        plain.send(&connect("c")).await;
        let report = world.report().await;
        assert_eq!(report.cause, Cause::NotTls);

        let world = World::new(|_, _| {}).await;
        Wire::to(&world.broker).await.hang_up().await;
        assert_eq!(world.report().await.cause, Cause::Closed);

        let world = World::new(|_, _| {}).await;
        let began = world.trace.clock().now();
        let _silent = Wire::from_lab(&world.broker, &world.trace).await;
        assert_eq!(world.report().await.cause, Cause::TimedOut);
        let lasted = world.trace.clock().now().since(began).as_secs();
        assert!((10..12).contains(&lasted), "{lasted}");
    });
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "programs of the host live in the host's time"
)]
fn a_program_of_the_host_has_the_hosts_time_for_its_handshake() {
    run(async {
        let world = World::new(|_, _| {}).await;
        let clock = world.trace.clock().clone();
        let identity = world.mint("client");
        let stream = TcpStream::connect(world.broker.address()).await.unwrap();
        // As long as a busy host lets it compute; in the lab, minutes pass.
        let began = clock.now();
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(300)) => {}
            () = async { loop { clock.sleep(Duration::from_secs(1)).await } } => {}
        }
        assert!(clock.now().since(began) > Duration::from_secs(30));
        assert!(world.shake(&TLS13, Some(&identity), stream).await.is_ok());
        assert!(world.report().await.ok);
    });
}

#[test]
fn a_silent_socket_holds_nobody_up() {
    run(async {
        let world = World::new(|_, _| {}).await;
        let _silent: Vec<_> = [Wire::to(&world.broker).await, Wire::to(&world.broker).await].into();
        let began = world.trace.clock().now();
        let identity = world.mint("client");
        let stream = world.connect(&TLS13, Some(&identity)).await.unwrap();
        let mut wire = Wire::over(stream);
        wire.send(&connect("c")).await;
        wire.expect(&[0x20, 2, 0, 0], "connack").await;
        assert!(world.trace.clock().now().since(began) < Duration::from_secs(5));
        world.broker.probe().await.unwrap();
    });
}

#[test]
fn a_stalled_handshake_is_never_answered_and_the_trace_says_whose_will_that_was() {
    run(async {
        let world = World::new(|_, _| {}).await;
        world.broker.set_faults(Faults {
            stall_handshake: true,
            ..Faults::default()
        });
        let identity = world.mint("client");
        let clock = world.trace.clock().clone();
        let tried = clock
            .timeout(
                Duration::from_secs(120),
                world.connect(&TLS13, Some(&identity)),
            )
            .await;
        assert!(tried.is_err());
        assert_eq!(world.report().await.cause, Cause::Stalled);
        drop(tried);
        let closed = event(&world.trace, |e| e.kind == "connection_closed").await;
        assert_eq!(closed.data["end"], "fault");
        world.broker.probe().await.unwrap();
    });
}

#[test]
fn the_alert_of_a_refusal_can_be_lost_and_the_trace_still_says_why() {
    run(async {
        for version in BOTH {
            let world = World::new(|tls, _| {
                tls.faults = HandshakeFaults {
                    alert_lost: true,
                    ..HandshakeFaults::default()
                };
            })
            .await;
            let error = match world.connect(version, None).await {
                Ok(mut stream) => stream.read_u8().await.unwrap_err(),
                Err(error) => error,
            };
            assert_eq!(alert_in(&error), None, "{error}");
            let report = world.report().await;
            assert_eq!(report.cause, Cause::NoClientCertificate);
            // A good client notices nothing.
            let identity = world.mint("client");
            let stream = world.connect(version, Some(&identity)).await.unwrap();
            let mut wire = Wire::over(stream);
            wire.send(&connect("c")).await;
            wire.expect(&[0x20, 2, 0, 0], "connack").await;
        }
    });
}

#[test]
fn a_handshake_can_stop_after_so_many_bytes_until_the_client_leaves() {
    run(async {
        for stops_after in [0, 1, 5, 60, 200] {
            let world = World::new(|tls, _| {
                tls.faults = HandshakeFaults {
                    stops_after: Some(stops_after),
                    ..HandshakeFaults::default()
                };
            })
            .await;
            let clock = world.trace.clock().clone();
            let identity = world.mint("client");
            let mut stream = TcpStream::connect(world.broker.address()).await.unwrap();
            let _inhabitant = clock.inhabitant(stream.local_addr().unwrap());
            stream
                .write_all(&client_hello(&world, &identity))
                .await
                .unwrap();
            let mut got = vec![0; 4096];
            let mut length = 0;
            while length < stops_after as usize {
                length += stream.read(&mut got[length..]).await.unwrap();
            }
            let more = clock
                .timeout(Duration::from_secs(60), stream.read_u8())
                .await;
            assert!(more.is_err(), "{stops_after}: {more:?}");
            assert_eq!(length, stops_after as usize);
            drop(stream);
            let report = world.report().await;
            assert_eq!(report.cause, Cause::Stalled, "{report:?}");
            assert!(report.reason.is_some());
        }
    });
}

#[test]
fn messages_come_in_records_of_the_size_that_is_wanted() {
    run(async {
        for version in BOTH {
            let world = World::new(|tls, _| {
                tls.faults.record_size = Some(64);
            })
            .await;
            let identity = world.mint("client");
            let stream = world.connect(version, Some(&identity)).await.unwrap();
            let mut wire = Wire::over(stream);
            wire.send(&connect("c")).await;
            wire.expect(&[0x20, 2, 0, 0], "connack").await;
            let mut stream = TcpStream::connect(world.broker.address()).await.unwrap();
            stream
                .write_all(&client_hello(&world, &identity))
                .await
                .unwrap();
            for _ in 0..8 {
                let mut head = [0; 5];
                stream.read_exact(&mut head).await.unwrap();
                let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
                assert!(length <= 64 - head.len(), "{length}");
                stream.read_exact(&mut vec![0; length]).await.unwrap();
            }
        }
    });
}

/// The first record of a client of TLS 1.2.
fn client_hello(world: &World, identity: &Identity) -> Vec<u8> {
    let config = client_config(&world.pki, &TLS12, Some(identity));
    let name = ServerName::try_from(HOST).unwrap();
    let mut client = rustls::ClientConnection::new(config, name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

#[test]
fn garbage_on_an_encrypted_port_never_hurts_the_broker() {
    run(async {
        let world = World::new(|_, _| {}).await;
        for round in 0_u32..120 {
            let mut stream = TcpStream::connect(world.broker.address()).await.unwrap();
            // A record header that fits, so that the content is read.
            let length = round % 60;
            let kind = 20 + (round % 5) as u8;
            let mut bytes = vec![kind, 3, 1, 0, length as u8];
            bytes.extend((0..length).map(|at| (round * 31 + at * 7) as u8));
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        let identity = world.mint("client");
        let stream = world.connect(&TLS13, Some(&identity)).await.unwrap();
        let mut wire = Wire::over(stream);
        wire.send(&connect("c")).await;
        wire.expect(&[0x20, 2, 0, 0], "connack").await;
    });
}

#[test]
fn a_will_leaves_when_an_encrypted_connection_is_cut() {
    run(async {
        let world = World::new(|_, _| {}).await;
        let identity = world.mint("client");
        let stream = world.connect(&TLS13, Some(&identity)).await.unwrap();
        let mut wire = Wire::over(stream);
        let will = connect_with(0x06, 0, &[&text("c"), &text("w"), &text("gone")]);
        wire.send(&will).await;
        wire.expect(&[0x20, 2, 0, 0], "connack").await;
        drop(wire);
        let will = event_of(&world.trace, Source::Mqtt, "will_published").await;
        assert_eq!(will["topic"], "w");
    });
}
