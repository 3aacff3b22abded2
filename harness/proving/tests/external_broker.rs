//! `broker.external` in rig.toml: a real mosquitto that runs without us, and programs as devices of it.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod finished;
mod sandbox;

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use finished::results;

/// Nothing but the log is asked.
const CONNECTED: &str = r#"
name: It is let in
world: { cloud: {}, devices: { device: { on_network: true } } }
steps:
  - power: on
  - expect: { log: { text: received CONNACK (0) }, within: 10s }
"#;
/// What only a broker of ours sees.
const TELEMETRY: &str = r#"
name: Telemetry arrives
world:
  cloud: {}
  devices: { device: { on_network: true, telemetry: { topic: t, payload: x, qos: 1 } } }
steps:
  - power: on
  - expect: { mqtt: { kind: publish, where: { /topic: t } }, within: 10s }
"#;
const NEVER: &str = r#"
name: Nothing is published
world: { cloud: {}, devices: { device: { on_network: true } } }
steps:
  - power: on
never: [{ mqtt: publish }]
"#;
const REFUSED: &str = r#"
name: Refused for a while
world: { cloud: {}, devices: { device: { on_network: true } } }
steps:
  - fault: { on: { connect_refused: 3 } }
  - power: on
"#;

/// A device that says each packet that it sends and gets.
const DEVICE: &str = r#"
[boards.dut]
kind = "process"
command = [
    "stdbuf", "-oL", "mosquitto_pub", "-d", "-h", "${broker.host}", "-p", "${broker.port}",
    "-t", "lamp", "-m", "hello", "--repeat", "1000", "--repeat-delay", "1", "-i", "${client.id}", TLS
]
"#;
const MUTUAL: &str =
    r#""--cafile", "${ca.pem}", "--cert", "${client.pem}", "--key", "${client.key}""#;
const WITHOUT_CERTIFICATE: &str = r#""--cafile", "${ca.pem}""#;
const OWN: &str = "[authority]\ncertificate = \"own.pem\"\nkey = \"own.key\"\n";

/// A folder with scenarios, the authority `own` and the certificate `server` of it for 127.0.0.1.
fn bench() -> TempDir {
    let folder = sandbox::folder();
    for (name, text) in [
        ("connected.yaml", CONNECTED),
        ("telemetry.yaml", TELEMETRY),
        ("never.yaml", NEVER),
        ("refused.yaml", REFUSED),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    for name in ["own", "other"] {
        authority(folder.path(), name);
    }
    let path = folder.path();
    let subject = [
        "req",
        "-new",
        "-nodes",
        "-subj",
        "/CN=broker",
        "-newkey",
        "ec",
    ];
    let curve = [
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-keyout",
        "server.key",
    ];
    openssl(
        path,
        &[&subject[..], &curve, &["-out", "server.csr"]].concat(),
    );
    fs::write(path.join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    let signs = [
        "x509",
        "-req",
        "-in",
        "server.csr",
        "-CA",
        "own.pem",
        "-CAkey",
        "own.key",
    ];
    let names = [
        "-CAcreateserial",
        "-days",
        "30",
        "-extfile",
        "names",
        "-out",
        "server.pem",
    ];
    openssl(path, &[&signs[..], &names].concat());
    folder
}

fn authority(folder: &Path, name: &str) {
    let files = [format!("{name}.key"), format!("{name}.pem")];
    let subject = format!("/CN=Lamps {name}");
    let request = ["req", "-x509", "-nodes", "-days", "30", "-subj", &subject];
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let into = ["-keyout", &files[0], "-out", &files[1]];
    openssl(folder, &[&request[..], &key, &into].concat());
    fs::set_permissions(folder.join(&files[0]), fs::Permissions::from_mode(0o600)).unwrap();
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let mut openssl = Command::new("openssl");
    let output = openssl
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// A mosquitto with a port for TLS, at which clients show certificates of `own`, and one in the clear.
struct Mosquitto {
    process: Child,
    tls: u16,
    plain: u16,
    log: PathBuf,
}

impl Mosquitto {
    /// None, said so, if it is not installed.
    fn start(test: &str, bench: &Path) -> Option<Self> {
        let has = |program: &str| {
            let mut command = Command::new(program);
            command
                .arg("--help")
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command.status().is_ok()
        };
        if !["mosquitto", "mosquitto_pub"].into_iter().all(has) {
            let what = "mosquitto (Debian: mosquitto, mosquitto-clients)";
            let required = std::env::var_os("PROVING_JUDGES_REQUIRED").is_some();
            assert!(
                !required,
                "{what} is not installed: `cargo xtask setup` installs it"
            );
            eprintln!("{test}: skipped, because {what} is not installed");
            return None;
        }
        let (tls, plain) = (free_port(), free_port());
        let log = bench.join("mosquitto.log");
        let at = |name: &str| bench.join(name).display().to_string();
        let settings = format!(
            "user root\nlog_dest file {}\nallow_anonymous true\nlistener {plain} 127.0.0.1\n\
             listener {tls} 127.0.0.1\ncafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\n",
            log.display(),
            at("own.pem"),
            at("server.pem"),
            at("server.key")
        );
        fs::write(bench.join("mosquitto.conf"), settings).unwrap();
        let process = Command::new("mosquitto")
            .args(["-c", &at("mosquitto.conf")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mosquitto = Self {
            process,
            tls,
            plain,
            log,
        };
        let began = Instant::now();
        while ![tls, plain].into_iter().all(answers) {
            assert!(began.elapsed() < Duration::from_secs(20), "no mosquitto");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(mosquitto)
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn answers(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn external(url: &str) -> String {
    format!("[broker]\nexternal = \"{url}\"\n")
}

fn tls_at(port: u16) -> String {
    external(&format!("mqtts://127.0.0.1:{port}"))
}

fn proving(bench: &Path, rig: &str, arguments: &[&str]) -> Output {
    fs::write(bench.join("rig.toml"), rig).unwrap();
    let mut command = sandbox::command(env!("CARGO_BIN_EXE_proving"), bench);
    command
        .args(arguments)
        .args(["--board", "dut"])
        .output()
        .unwrap()
}

/// How the only case of `scenario` ended, and the trace of its attempt.
fn run(bench: &Path, rig: &str, scenario: &str) -> (Value, String) {
    let out = bench.join("out");
    let _ = fs::remove_dir_all(&out);
    let arguments = ["run", scenario, "--message-format", "json", "--out"];
    let output = proving(
        bench,
        rig,
        &[&arguments[..], &[&out.display().to_string()]].concat(),
    );
    let result = results(&output).into_iter().next();
    let result = result.unwrap_or_else(|| panic!("{output:?}"));
    (result, trace_below(&out))
}

/// The only trace below `folder`, if there is one.
fn trace_below(folder: &Path) -> String {
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name == "trace.jsonl") {
                return fs::read_to_string(path).unwrap();
            }
        }
    }
    String::new()
}

fn dut(of_tls: &str) -> String {
    DEVICE.replace("TLS", of_tls)
}

/// What is told, without the line breaks and the frame that a terminal's width makes.
fn flat(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).replace(['\n', '\u{2502}'], " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_device_of_an_external_broker_is_judged_by_its_log() {
    let bench = bench();
    let path = bench.path();
    let Some(mosquitto) = Mosquitto::start("a_device_of_an_external_broker", path) else {
        return;
    };
    let rig = format!("{}{OWN}{}", tls_at(mosquitto.tls), dut(MUTUAL));
    let (result, trace) = run(path, &rig, "connected.yaml");
    assert_eq!(result["verdict"], "passed", "{result}\n{trace}");
    let said = mosquitto.said();
    assert!(said.contains("New client connected"), "{said}");
    // Nothing of the broker's side is in the trace, and no rule is said to have held there.
    for event in trace.lines() {
        let event: Value = serde_json::from_str(event).unwrap();
        let source = event["source"].as_str().unwrap();
        assert!(!["tls", "mqtt"].contains(&source), "{event}");
        if let Some(exercised) = event["data"]["exercised"].as_object() {
            let of_broker = |id: &&String| id.starts_with("mqtt") || id.starts_with("tls");
            assert_eq!(exercised.keys().find(of_broker), None, "{event}");
        }
    }

    // Without the certificate that this broker wants, it is the device's fault.
    let rig = rig.replace(MUTUAL, WITHOUT_CERTIFICATE);
    let (result, trace) = run(path, &rig, "connected.yaml");
    assert_eq!(result["verdict"], "failed", "{result}\n{trace}");
    assert!(
        trace.contains("its certificate is of that authority"),
        "{trace}"
    );

    // In the clear, and without an authority.
    let plain = external(&format!("mqtt://127.0.0.1:{}", mosquitto.plain));
    let in_the_clear = dut("\"-q\", \"1\"");
    let (result, trace) = run(path, &format!("{plain}{in_the_clear}"), "connected.yaml");
    assert_eq!(result["verdict"], "passed", "{result}\n{trace}");
}

#[test]
fn a_broker_that_is_gone_is_no_fault_of_the_device() {
    let bench = bench();
    let path = bench.path();
    let Some(mosquitto) = Mosquitto::start("a_broker_that_is_gone", path) else {
        return;
    };
    let rig = format!("{}{OWN}{}", tls_at(mosquitto.tls), dut(MUTUAL));
    drop(mosquitto);
    let (result, trace) = run(path, &rig, "connected.yaml");
    assert_eq!(result["verdict"], "broken", "{result}\n{trace}");
    assert!(trace.contains("takes no connection"), "{trace}");
}

#[test]
fn what_an_external_broker_does_not_show_is_skipped_by_name() {
    let bench = bench();
    let path = bench.path();
    // No broker is needed to know.
    let rig = format!("{}{OWN}{}", tls_at(8883), dut(MUTUAL));
    let because = "`broker.external` is mqtts://127.0.0.1:8883";
    for (scenario, need) in [
        ("telemetry.yaml", "needs broker-events ("),
        ("never.yaml", "needs broker-events ("),
        ("refused.yaml", "needs broker-faults ("),
    ] {
        let (result, _) = run(path, &rig, scenario);
        assert_eq!(result["verdict"], "skipped", "{result}");
        let said = result.to_string();
        assert!(
            said.contains(need) && said.contains(because),
            "{need}: {said}"
        );
    }
    let files = [
        "connected.yaml",
        "telemetry.yaml",
        "never.yaml",
        "refused.yaml",
    ];
    let listed = proving(path, &rig, &[&["list"][..], &files].concat());
    let said = String::from_utf8(listed.stdout).unwrap();
    assert!(said.contains("1 of 4 cases would run on dut"), "{said}");
    let group = "2    1  broker-events (what a broker of ours sees of TLS and MQTT; `broker.external` is mqtts://127.0.0.1:8883)";
    assert!(said.contains(group), "{said}");
}

#[test]
fn doctor_says_whether_an_external_broker_answers_and_what_mends_it() {
    let bench = bench();
    let path = bench.path();
    let Some(mosquitto) = Mosquitto::start("doctor_says_whether", path) else {
        return;
    };
    let (tls, plain) = (mosquitto.tls, mosquitto.plain);
    let doctor = |broker: &str, authority: &str| {
        let rig = format!("{broker}{authority}{}", dut("\"-q\", \"1\""));
        let output = proving(path, &rig, &["doctor"]);
        (output.status.code(), flat(&output.stdout))
    };
    let trusts = |name: &str| format!("[authority]\ncertificate = \"{name}.pem\"\n");
    let (code, said) = doctor(&tls_at(tls), OWN);
    let sound =
        format!("mqtts://127.0.0.1:{tls} answers, and its certificate is of that authority");
    assert!(code == Some(0) && said.contains(&sound), "{said}");
    let (code, said) = doctor(&tls_at(tls), &trusts("own"));
    assert!(code == Some(0) && said.contains(&sound), "{said}");
    assert!(said.contains("own.pem can be trusted"), "{said}");
    let (code, said) = doctor(&external(&format!("mqtt://127.0.0.1:{plain}")), "");
    assert!(
        code == Some(0) && said.contains("takes connections"),
        "{said}"
    );
    let s_client =
        |host: &str, port| format!("-> `openssl s_client -connect {host}:{port} -showcerts");
    for (broker, authority, words, mend) in [
        (
            tls_at(tls),
            trusts("other"),
            "that the authority of `[authority]` has not signed",
            s_client("127.0.0.1", tls),
        ),
        (
            external(&format!("mqtts://localhost:{tls}")),
            trusts("own"),
            "shows a certificate of another name",
            s_client("localhost", tls),
        ),
        (
            tls_at(plain),
            trusts("own"),
            "the broker",
            s_client("127.0.0.1", plain),
        ),
        (
            external("mqtts://no-such-host.invalid"),
            trusts("own"),
            "has a name that is not known here",
            "-> `getent hosts no-such-host.invalid`".to_owned(),
        ),
    ] {
        let (code, said) = doctor(&broker, &authority);
        assert_eq!(code, Some(3), "{said}");
        assert!(
            said.contains(words) && said.contains(&mend),
            "{words}: {mend}: {said}"
        );
    }
    drop(mosquitto);
    let (code, said) = doctor(&tls_at(tls), OWN);
    let mend = format!("-> `nc -vz 127.0.0.1 {tls}`");
    assert!(
        code == Some(3) && said.contains("takes no connection"),
        "{said}"
    );
    assert!(said.contains(&mend), "{said}");
}

#[test]
fn a_server_that_is_silent_ends_the_look_within_its_bound() {
    let bench = bench();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let rig = format!("{}{OWN}{}", tls_at(port), dut("\"-q\", \"1\""));
    let began = Instant::now();
    let output = proving(bench.path(), &rig, &["doctor"]);
    assert!(began.elapsed() < Duration::from_secs(30));
    let said = flat(&output.stdout);
    assert!(said.contains("did not answer within 10 s"), "{said}");
    // One that answers with something else is no broker either.
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    drop(TcpStream::connect((Ipv4Addr::LOCALHOST, port)));
    let output = proving(bench.path(), &rig, &["doctor"]);
    answering.join().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}

#[test]
fn a_firmware_is_handed_the_url_and_the_teams_authority() {
    let bench = bench();
    let path = bench.path();
    let board = "[boards.dut]\nkind = \"serial\"\nport = \"socket:uart\"\nfirmware = \"lamp\"\n\
        factory.command = [\"cp\", \"{file}\", \"out\"]\n\
        [firmware.lamp]\nprovisioning = \"none\"\n\
        files.entries = [{ name = \"uri\", value = \"mqtts://${broker.host}:${broker.port}\" }, \
        { name = \"ca.pem\", value = \"${ca.pem}\" }]\n";
    let url = external("mqtts://broker.example:9001");
    let trusted = format!("{url}[authority]\ncertificate = \"own.pem\"\n{board}");
    let output = proving(path, &trusted, &["hand-over", "--out", "handed"]);
    assert!(output.status.success(), "{output:?}");
    let handed = path.join("handed/device.files");
    let uri = fs::read_to_string(handed.join("uri")).unwrap();
    assert_eq!(uri, "mqtts://broker.example:9001");
    let text = |path: PathBuf| fs::read_to_string(path).unwrap();
    assert_eq!(text(handed.join("ca.pem")), text(path.join("own.pem")));
    // Without one, it is said where.
    let output = proving(
        path,
        &format!("{url}{board}"),
        &["hand-over", "--out", "again"],
    );
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = flat(&output.stderr);
    for words in [
        "rig.toml:3:",
        "is handed `${ca.pem}`",
        "certificate = \"ca.pem\"",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    // A file that is no certificate is told before anything is run.
    fs::write(path.join("own.pem"), "nothing").unwrap();
    let output = proving(path, &trusted, &["run", "connected.yaml"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = flat(&output.stderr);
    assert!(said.contains("holds no certificate in PEM"), "{said}");
}

#[test]
fn a_mistake_in_the_url_is_told_with_line_and_column() {
    let bench = bench();
    let rig = format!(
        "{}{}",
        external("mqtts://broker.example:88830"),
        dut("\"-q\", \"1\"")
    );
    let output = proving(bench.path(), &rig, &["run", "connected.yaml"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = flat(&output.stderr);
    for words in [
        "rig.toml:2:36",
        "`88830` is no port",
        "mqtts://broker.example:8883",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}
