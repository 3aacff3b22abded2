//! mosquitto's clients at our broker.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod support;

use std::path::Path;
use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};

use cloud::{Broker, BrokerSettings, Devices, TlsSettings};
use support::{event, run};
use trace::Trace;

struct World {
    broker: Broker,
    trace: Trace,
    folder: tempfile::TempDir,
}

async fn world() -> World {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let pki = pki::Pki::new(now.as_secs()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let authority = pki.authority("ca").unwrap().pem();
    std::fs::write(folder.path().join("ca.pem"), authority).unwrap();
    // Not all that can be made: RSA keys take long.
    for profile in ["client", "client-expired", "client-other-ca"] {
        let identity = pki.mint(profile, &[], "device-1").unwrap();
        identity.export(folder.path(), profile).unwrap();
    }
    let identity = pki.mint("server", &["localhost"], "localhost").unwrap();
    let tls = TlsSettings::mutual(identity, vec![pki.authority("ca").unwrap()]);
    // Others' clients live in the host's time.
    let trace = Trace::in_memory(clock::Clock::start(1.0));
    let broker = Broker::start(BrokerSettings::tls(tls), trace.clone(), Devices::default())
        .await
        .unwrap();
    World {
        broker,
        trace,
        folder,
    }
}

impl World {
    async fn client(&self, program: &str, certificate: &str, arguments: &[&str]) -> Output {
        let path = |name: &str| self.folder.path().join(name);
        let mut command = Command::new(program);
        command
            .args([
                "-h",
                "localhost",
                "-p",
                &self.broker.address().port().to_string(),
            ])
            .args(["--cafile".as_ref(), path("ca.pem").as_os_str()])
            .arg("--cert")
            .arg(path(&format!("{certificate}.pem")))
            .arg("--key")
            .arg(path(&format!("{certificate}.key.pem")))
            .args(arguments);
        tokio::task::spawn_blocking(move || command.output())
            .await
            .unwrap()
            .expect("mosquitto's clients must be installed")
    }
}

/// Whether there is nobody to judge. Where the judges must be there, that is a failure.
fn clients_are_missing() -> bool {
    let found = std::process::Command::new("mosquitto_pub")
        .arg("--help")
        .output();
    if found.is_ok() {
        return false;
    }
    assert!(
        std::env::var_os("PROVING_JUDGES_REQUIRED").is_none(),
        "mosquitto_pub is not installed"
    );
    eprintln!("skipped, because mosquitto_pub is not installed: apt-get install mosquitto-clients");
    true
}

#[test]
fn mosquitto_publishes_and_subscribes_over_mutual_tls() {
    if clients_are_missing() {
        return;
    }
    run(async {
        for version in ["tlsv1.2", "tlsv1.3"] {
            for (qos, protocol) in [("0", "mqttv31"), ("1", "mqttv311"), ("2", "mqttv311")] {
                let world = world().await;
                let shared = [
                    "--tls-version",
                    version,
                    "-V",
                    protocol,
                    "-q",
                    qos,
                    "-t",
                    "a/b",
                ];
                let subscribing = [&shared[..], &["-i", "sub", "-C", "1", "-W", "20"]].concat();
                let publishing = [&shared[..], &["-i", "pub", "-m", "hello"]].concat();
                let speaking = async {
                    event(&world.trace, |e| e.kind == "suback").await;
                    world.client("mosquitto_pub", "client", &publishing).await
                };
                let (heard, said) = tokio::join!(
                    world.client("mosquitto_sub", "client", &subscribing),
                    speaking
                );
                assert!(said.status.success(), "{version} {qos}: {said:?}");
                assert_eq!(heard.stdout, b"hello\n", "{version} {qos}: {heard:?}");
            }
        }
    });
}

#[test]
fn mosquitto_with_a_bad_certificate_is_refused_for_the_right_reason() {
    if clients_are_missing() {
        return;
    }
    run(async {
        for (certificate, cause) in [
            ("client-expired", "client-certificate-expired"),
            ("client-other-ca", "client-certificate-unknown-issuer"),
        ] {
            let world = world().await;
            let arguments = ["-i", "pub", "-t", "t", "-m", "x"];
            let said = world.client("mosquitto_pub", certificate, &arguments).await;
            assert!(!said.status.success(), "{certificate}: {said:?}");
            let handshake = event(&world.trace, |e| e.kind == "handshake").await;
            assert_eq!(handshake.data["cause"], cause, "{certificate}");
        }
    });
}

#[test]
fn exports_have_the_names_that_clients_are_given() {
    let pki = pki::Pki::new(1_795_305_600).unwrap();
    let folder = tempfile::tempdir().unwrap();
    pki.export(folder.path(), &["localhost"], "device-1")
        .unwrap();
    for name in [
        "ca.pem",
        "client.pem",
        "client.key.pem",
        "client-expired.pem",
    ] {
        assert!(Path::new(&folder.path().join(name)).exists(), "{name}");
    }
}
