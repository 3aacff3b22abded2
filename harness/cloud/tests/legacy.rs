//! The listener by OpenSSL: who gets in that rustls refuses, and the same words in the trace.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod support;

use std::io::Read as _;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use cloud::{
    Broker, BrokerSettings, Cause, ClientCertificate, Devices, Handshake, KeyExchange, Legacy,
    OldVersion, TlsSettings,
};
use pki::Pki;
use pki::esp8266::{Age, Material, Subjects};
use support::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use trace::Trace;

/// What old devices speak.
const ALL: Legacy = Legacy {
    oldest: OldVersion::Tls10,
    newest: OldVersion::Tls12,
    key_exchange: KeyExchange::Any,
};
/// The same without forward secrecy.
const RSA_ALONE: Legacy = Legacy {
    key_exchange: KeyExchange::Rsa,
    ..ALL
};

struct World {
    broker: Broker,
    trace: Trace,
    folder: tempfile::TempDir,
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs()
}

impl World {
    /// A broker of today's authority, and a client's certificate of this profile.
    async fn new(client: Option<&str>, change: impl FnOnce(&mut TlsSettings)) -> Self {
        let pki = Pki::new(now()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let authority = pki.authority("ca").unwrap().pem();
        std::fs::write(folder.path().join("ca.pem"), authority).unwrap();
        if let Some(client) = client {
            let identity = pki.mint(client, &[], "device-1").unwrap();
            identity.export(folder.path(), client).unwrap();
        }
        let identity = pki.mint("server", &["localhost"], "localhost").unwrap();
        let tls = TlsSettings::mutual(identity, vec![pki.authority("ca").unwrap()]);
        Self::with(tls, folder, change).await
    }

    /// A broker and a client as `proving certs esp8266` makes them.
    async fn of(age: Age, legacy: Legacy) -> Self {
        let subjects = Subjects {
            server: "localhost",
            client: "device-1",
        };
        let material = Material::mint(age, subjects, now()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| {
            std::fs::write(folder.path().join(name), text).unwrap();
        };
        let client = material.device("client-rsa").unwrap();
        write("ca.pem", material.authority().pem());
        write("client.pem", client.chain_pem());
        write("client.key.pem", client.key_pem());
        let identity = material.broker("server-rsa").unwrap();
        let tls = TlsSettings::mutual(identity, vec![material.authority()]);
        Self::with(tls, folder, |tls| tls.legacy = Some(legacy)).await
    }

    async fn with(
        mut tls: TlsSettings,
        folder: tempfile::TempDir,
        change: impl FnOnce(&mut TlsSettings),
    ) -> Self {
        change(&mut tls);
        // Others' clients live in the host's time.
        let trace = Trace::in_memory(clock::Clock::start(1.0));
        let devices = Devices::default();
        devices.know("device-1", "lamp");
        let broker = Broker::start(BrokerSettings::tls(tls), trace.clone(), devices)
            .await
            .unwrap();
        Self {
            broker,
            trace,
            folder,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `openssl s_client`, which leaves once the handshake is over.
    async fn s_client(&self, certificate: Option<&str>, arguments: &[&str]) -> Output {
        let address = self.broker.address().to_string();
        s_client(&address, |command| {
            command
                .args(["-verify_return_error", "-CAfile"])
                .arg(self.path("ca.pem"))
                .args(arguments);
            if let Some(name) = certificate {
                command
                    .arg("-cert")
                    .arg(self.path(&format!("{name}.pem")))
                    .arg("-key")
                    .arg(self.path(&format!("{name}.key.pem")));
            }
        })
        .await
    }

    async fn publish(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("mosquitto_pub");
        command
            .args(["-h", "localhost", "-p"])
            .arg(self.broker.address().port().to_string())
            .args(["--cafile".as_ref(), self.path("ca.pem").as_os_str()])
            .args(["--cert".as_ref(), self.path("client.pem").as_os_str()])
            .args(["--key".as_ref(), self.path("client.key.pem").as_os_str()])
            .args([
                "-i", "pub", "-V", "mqttv31", "-q", "1", "-t", "t", "-m", "x",
            ])
            .args(arguments);
        said(command).await
    }

    /// The report of the only handshake.
    async fn report(&self) -> Handshake {
        let found = event(&self.trace, |e| e.is::<Handshake>()).await;
        found.payload().unwrap()
    }
}

async fn s_client(address: &str, change: impl FnOnce(&mut Command)) -> Output {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", address]);
    change(&mut command);
    said(command).await
}

async fn said(mut command: Command) -> Output {
    command.stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .expect("openssl and mosquitto-clients must be installed")
}

#[test]
fn openssl_gets_in_by_each_old_version_and_each_strength() {
    run(async {
        for age in [Age::Of2017, Age::Today] {
            for (option, name) in [
                ("-tls1", "TLS 1.0"),
                ("-tls1_1", "TLS 1.1"),
                ("-tls1_2", "TLS 1.2"),
            ] {
                let world = World::of(age, ALL).await;
                let arguments = [option, "-cipher", "ALL:@SECLEVEL=0"];
                let said = world.s_client(Some("client"), &arguments).await;
                assert!(said.status.success(), "{age:?} {name}: {said:?}");
                let report = world.report().await;
                assert!(report.ok, "{age:?} {name}: {report:?}");
                assert_eq!(report.version.as_deref(), Some(name));
                assert_eq!(report.shown, "server-rsa");
                let shown = report.client_certificate.unwrap();
                assert_eq!(shown.subject.common_name.as_deref(), Some("device-1"));
                // The client adds the authority, which it knows.
                assert_eq!(shown.chain_length, 2);
            }
        }
    });
}

#[test]
fn a_client_that_speaks_key_exchange_by_rsa_alone_gets_in_and_one_that_does_not_is_told() {
    run(async {
        let world = World::of(Age::Today, RSA_ALONE).await;
        let arguments = ["-tls1_2", "-cipher", "kRSA"];
        let said = world.s_client(Some("client"), &arguments).await;
        assert!(said.status.success(), "{said:?}");
        let cipher = world.report().await.cipher.unwrap();
        assert!(cipher.starts_with("TLS_RSA_WITH_"), "{cipher}");

        let world = World::of(Age::Today, RSA_ALONE).await;
        let arguments = ["-tls1_2", "-cipher", "ECDHE"];
        assert!(
            !world
                .s_client(Some("client"), &arguments)
                .await
                .status
                .success()
        );
        let report = world.report().await;
        assert_eq!(report.cause, Cause::NoCommonCipher, "{report:?}");
        assert_eq!(report.alert_sent.unwrap().number, 40);
    });
}

#[test]
fn mosquittos_client_as_debian_has_it_publishes() {
    run(async {
        for (age, legacy, arguments, version) in [
            (Age::Today, RSA_ALONE, &[][..], "TLS 1.2"),
            (
                Age::Today,
                ALL,
                &["--tls-version", "tlsv1.2"][..],
                "TLS 1.2",
            ),
            // That option says what is the oldest.
            (
                Age::Of2017,
                Legacy {
                    newest: OldVersion::Tls11,
                    ..ALL
                },
                &["--tls-version", "tlsv1.1", "--ciphers", "ALL:@SECLEVEL=0"][..],
                "TLS 1.1",
            ),
        ] {
            let world = World::of(age, legacy).await;
            let said = world.publish(arguments).await;
            assert!(said.status.success(), "{version}: {said:?}");
            assert_eq!(world.report().await.version.as_deref(), Some(version));
            let opened = event(&world.trace, |e| e.kind == "session_opened").await;
            assert_eq!(opened.data["protocol"], "3.1");
            assert_eq!(opened.data["common_name"], "device-1");
            assert_eq!(opened.device.as_deref(), Some("lamp"));
            event(&world.trace, |e| e.kind == "publish").await;
        }
    });
}

/// The causes that rustls's listener and this one give for the same client.
async fn causes(certificate: Option<&str>, asks: ClientCertificate) -> [Cause; 2] {
    let mut causes = [Cause::None; 2];
    for (cause, legacy) in causes.iter_mut().zip([None, Some(ALL)]) {
        let world = World::new(certificate, |tls| {
            tls.legacy = legacy;
            tls.client_certificate = asks;
        })
        .await;
        world.s_client(certificate, &["-tls1_2"]).await;
        let report = world.report().await;
        assert_eq!(report.ok, report.cause == Cause::None);
        assert_eq!(report.reason.is_none(), report.ok, "{report:?}");
        let shows = asks != ClientCertificate::NotAsked && certificate.is_some();
        assert_eq!(report.client_certificate.is_some(), shows, "{report:?}");
        *cause = report.cause;
    }
    causes
}

#[test]
fn what_is_wrong_with_a_client_is_told_in_the_same_words_as_by_rustls() {
    use ClientCertificate::{NotAsked, Optional, Required};
    run(async {
        for (certificate, asks, expected) in [
            (Some("client"), Required, Cause::None),
            // Without the intermediate authority, which this client does not show.
            (
                Some("client-by-intermediate"),
                Required,
                Cause::ClientCertificateUnknownIssuer,
            ),
            (None, Required, Cause::NoClientCertificate),
            (None, Optional, Cause::None),
            (Some("client-expired"), NotAsked, Cause::None),
            (
                Some("client-expired"),
                Required,
                Cause::ClientCertificateExpired,
            ),
            (
                Some("client-expired"),
                Optional,
                Cause::ClientCertificateExpired,
            ),
            (
                Some("client-not-yet-valid"),
                Required,
                Cause::ClientCertificateNotYetValid,
            ),
            (
                Some("client-other-ca"),
                Required,
                Cause::ClientCertificateUnknownIssuer,
            ),
            (
                Some("client-self-signed"),
                Required,
                Cause::ClientCertificateUnknownIssuer,
            ),
            (
                Some("client-server-usage"),
                Required,
                Cause::ClientCertificateWrongUsage,
            ),
        ] {
            let found = causes(certificate, asks).await;
            assert_eq!(found, [expected; 2], "{certificate:?}, {asks:?}");
        }
    });
}

#[test]
fn a_client_that_refuses_the_broker_is_heard() {
    run(async {
        let world = World::of(Age::Today, ALL).await;
        let pki = Pki::new(now()).unwrap();
        std::fs::write(world.path("ca.pem"), pki.authority("ca").unwrap().pem()).unwrap();
        let said = world.s_client(Some("client"), &["-tls1_2"]).await;
        assert!(!said.status.success());
        let report = world.report().await;
        assert_eq!(report.cause, Cause::ServerCertificateRefused);
        assert_eq!(report.alert_received.unwrap().number, 48);
    });
}

/// OpenSSL grants the length that a client of little memory asks for (RFC 6066 §4); rustls knows no such
/// extension, and answers without it.
#[test]
fn small_fragments_are_granted_to_who_asks_for_them_by_openssl_alone() {
    run(async {
        // Its keys take seconds to make.
        let world = World::of(Age::Today, ALL).await;
        for (asked, code) in [(512, "01"), (1024, "02"), (2048, "03"), (4096, "04")] {
            let length = asked.to_string();
            let arguments = ["-tls1_2", "-maxfraglen", &length, "-tlsextdebug", "-msg"];
            let said = world.s_client(Some("client"), &arguments).await;
            let told = String::from_utf8_lossy(&said.stdout).into_owned();
            assert!(said.status.success(), "{said:?}");
            let granted = format!("\"{MAX_FRAGMENT_LENGTH}\" (id=1), len=1\n0000 - {code} ");
            assert!(told.contains(&granted), "{asked} is not granted: {told}");
            let records = records(&told);
            assert!(records.iter().all(|length| *length <= asked), "{told}");
            // Its certificate, of RSA-2048, is longer than that.
            assert_eq!(records.contains(&512), asked == 512, "{records:?}");
            let told = event(&world.trace, |e| {
                e.kind == "handshake" && e.data["max_fragment_asked"] == asked
            });
            assert_eq!(told.await.data["max_fragment_granted"], asked);
        }
        let world = World::new(Some("client"), |_| {}).await;
        let arguments = ["-tls1_2", "-maxfraglen", "512", "-tlsextdebug"];
        let said = world.s_client(Some("client"), &arguments).await;
        let told = String::from_utf8_lossy(&said.stdout);
        assert!(said.status.success(), "{said:?}");
        assert!(!told.contains(MAX_FRAGMENT_LENGTH), "{told}");
        let report = world.report().await;
        let lengths = (report.max_fragment_asked, report.max_fragment_granted);
        assert_eq!(lengths, (Some(512), None));
    });
}

const MAX_FRAGMENT_LENGTH: &str = "max fragment length";

/// Lengths of the records of handshakes that `openssl s_client -msg` was sent in the clear.
fn records(told: &str) -> Vec<usize> {
    let mut lines = told.lines();
    let mut lengths = Vec::new();
    while let Some(line) = lines.next() {
        if line.contains("ChangeCipherSpec") {
            break;
        }
        if line.starts_with("<<< ")
            && line.contains("RecordHeader")
            && let Some(header) = lines.next()
            && let [22, _, _, high, low] = hex::decode(header.replace(' ', "")).unwrap()[..]
        {
            lengths.push(usize::from(u16::from_be_bytes([high, low])));
        }
    }
    lengths
}

#[test]
fn versions_outside_of_the_bounds_are_refused() {
    run(async {
        for (oldest, newest, option) in [
            (OldVersion::Tls12, OldVersion::Tls12, "-tls1_1"),
            (OldVersion::Tls10, OldVersion::Tls11, "-tls1_2"),
            (OldVersion::Tls10, OldVersion::Tls12, "-tls1_3"),
        ] {
            let legacy = Legacy {
                oldest,
                newest,
                ..ALL
            };
            let world = World::of(Age::Today, legacy).await;
            let arguments = [option, "-cipher", "ALL:@SECLEVEL=0"];
            let said = world.s_client(Some("client"), &arguments).await;
            assert!(!said.status.success(), "{option}: {said:?}");
            let report = world.report().await;
            assert!(!report.ok, "{option}");
            // The client of a version that the broker chose too low for it says so itself.
            let known = [Cause::NoCommonVersion, Cause::AlertReceived];
            assert!(known.contains(&report.cause), "{option}: {report:?}");
        }
    });
}

/// A ClientHello as `openssl s_client` sends it.
async fn client_hello() -> Vec<u8> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let heard = tokio::task::spawn_blocking(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = vec![0; 4096];
        let length = stream.read(&mut bytes).unwrap();
        bytes.truncate(length);
        bytes
    });
    let arguments = |command: &mut Command| {
        command.args(["-tls1_2", "-servername", "localhost"]);
    };
    let address = address.to_string();
    let (heard, _) = tokio::join!(heard, s_client(&address, arguments));
    heard.unwrap()
}

#[test]
fn a_hostile_client_hello_ends_with_an_event_and_a_reason_and_harms_no_other_client() {
    run(async {
        let hello = client_hello().await;
        assert!(hello.len() > 100 && hello[0] == 22, "{hello:x?}");
        let world = World::of(Age::Today, ALL).await;
        let mut sent = 0;
        let cut = (0..hello.len()).map(|length| hello[..length].to_vec());
        let changed = (0..hello.len()).flat_map(|at| {
            [0x00, 0x7f, 0xff].map(|byte| {
                let mut bytes = hello.clone();
                bytes[at] = byte;
                bytes
            })
        });
        // Records without content, many of them, one that is too long, and a hello without an end.
        let more = [
            [22, 3, 1, 0, 0].repeat(100),
            [&[22, 3, 1, 0xff, 0xff][..], &[1; 70_000]].concat(),
            [&[22, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff][..], &[0; 16_380]].concat(),
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            // SSL 2.0's hello.
            [&[0x80, 0x2e, 1, 0, 2, 0, 21, 0, 0, 0, 16][..], &[7; 37]].concat(),
        ];
        for bytes in cut.chain(changed).chain(more) {
            let mut stream = TcpStream::connect(world.broker.address()).await.unwrap();
            // The broker may close in the middle.
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            sent += 1;
        }
        let mut seen = 0;
        let mut position = 0;
        while seen < sent {
            for event in world.trace.since(position) {
                if !event.is::<Handshake>() {
                    continue;
                }
                let report: Handshake = event.payload().unwrap();
                assert!(!report.ok, "{report:?}");
                assert!(report.reason.is_some(), "{report:?}");
                seen += 1;
            }
            position = world.trace.len();
            if seen < sent {
                world.trace.longer_than(position).await;
            }
        }
        let said = world.s_client(Some("client"), &["-tls1_2"]).await;
        assert!(said.status.success(), "{said:?}");
        world.broker.probe().await.unwrap();
    });
}

#[test]
fn silence_plain_mqtt_and_a_client_that_leaves_are_told_apart() {
    run(async {
        let world = World::of(Age::Today, ALL).await;
        let mut plain = Wire::to(&world.broker).await;
        plain.send(&connect("c")).await;
        assert_eq!(world.report().await.cause, Cause::NotTls);

        let world = World::of(Age::Today, ALL).await;
        Wire::to(&world.broker).await.hang_up().await;
        assert_eq!(world.report().await.cause, Cause::Closed);
    });
}
