//! Programs of others as devices: clients that know nothing of this project, told of the attempt by
//! their arguments and their environment alone.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod finished;
mod sandbox;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use finished::results;

/// A client certificate, CONNECT and PUBLISH at the broker.
const TELEMETRY: &str = r#"
name: Telemetry over mutual TLS
world:
  cloud: {}
  devices:
    device:
      telemetry: { topic: v1/devices/me/telemetry, payload: '{"temperature":21.5}', qos: 1 }
steps:
  - power: on
  - expect:
      tls: { kind: handshake, where: { /ok: true, /client_certificate/issuer/common_name: Proving CA } }
      within: 10s
  - expect: { mqtt: { kind: connect, where: { /client_id: "/./" } }, within: 10s }
  - expect:
      mqtt: { kind: publish, where: { /topic: v1/devices/me/telemetry, /payload/temperature: 21.5 } }
      within: 10s
"#;
/// What a program without a radio cannot do.
const PROVISIONED: &str = r#"
name: Provisioned over a SoftAP
world:
  access_points: { home: {} }
  devices: { device: {} }
  phones: [alice]
steps:
  - power: on
  - provision: { phone: alice, join: home, outcome: connected }
"#;
/// Without what `${telemetry.topic}` stands for.
const SILENT: &str = r#"
name: Nothing to send
world:
  cloud: {}
  devices: { device: {} }
steps:
  - power: on
"#;

const MOSQUITTO: &str = r#"
[boards.dut]
kind = "process"
command = [
    "mosquitto_pub", "-h", "${broker.host}", "-p", "${broker.port}", "-i", "${client.id}",
    "--cafile", "CA", CLIENT
    "-q", "1", "-t", "${telemetry.topic}", "-m", "${telemetry.payload}",
    "--repeat", "1000", "--repeat-delay", "1",
]
"#;
const CLIENT: &str = r#""--cert", "${client.pem}", "--key", "${client.key}","#;

const PAHO: &str = r#"
import os, ssl, sys, time
import paho.mqtt.client as mqtt

of = os.environ
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=of["CLIENT_ID"])
client.tls_set(of["CA"], of.get("CERTIFICATE"), of.get("KEY"))
print("I (1) paho: connecting", flush=True)
client.connect(of["HOST"], int(of["PORT"]))
client.loop_start()
while True:
    client.publish(of["TOPIC"], of["PAYLOAD"], qos=1)
    time.sleep(1)
"#;
const PAHO_RIG: &str = r#"
[boards.dut]
kind = "process"
command = ["PYTHON", "PROGRAM"]

[boards.dut.environment]
CLIENT_ID = "${client.id}"
HOST = "${broker.host}"
PORT = "${broker.port}"
CA = "CERTIFICATE_OF_CA"
TOPIC = "${telemetry.topic}"
PAYLOAD = "${telemetry.payload}"
"#;
const PAHO_CLIENT: &str = "CERTIFICATE = \"${client.pem}\"\nKEY = \"${client.key}\"\n";

/// A folder with a rig file, scenarios and leases.
fn bench(rig: &str) -> TempDir {
    let folder = sandbox::folder();
    fs::write(folder.path().join("rig.toml"), rig).unwrap();
    for (name, text) in [
        ("telemetry.yaml", TELEMETRY),
        ("provisioned.yaml", PROVISIONED),
        ("silent.yaml", SILENT),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn proving(bench: &Path, arguments: &[&str]) -> Output {
    let mut command = sandbox::command(env!("CARGO_BIN_EXE_proving"), bench);
    command.args(arguments).output().unwrap()
}

/// How the only case of `scenario` ended on the board of `rig`, and the trace of its attempt.
fn run(rig: &str, scenario: &str) -> (Value, String) {
    let bench = bench(rig);
    let format = ["--message-format", "json"];
    let output = proving(
        bench.path(),
        &[&["run", "--board", "dut", scenario][..], &format].concat(),
    );
    let mut results = results(&output).into_iter();
    let result = results.next().unwrap_or_else(|| panic!("{output:?}"));
    (result, trace_below(bench.path()))
}

/// The only trace below `folder`.
fn trace_below(folder: &Path) -> String {
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
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

/// A certificate that no broker of ours has anything to do with.
fn other_authority() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let certs = Command::new(env!("CARGO_BIN_EXE_proving"))
        .args(["certs", "--out"])
        .arg(folder.path().join("certs"))
        .output()
        .unwrap();
    assert!(certs.status.success(), "{certs:?}");
    let path = folder.path().join("certs/ca.pem");
    let path = path.display().to_string();
    (folder, path)
}

fn missing(test: &str, what: &str) {
    assert!(
        std::env::var_os("PROVING_JUDGES_REQUIRED").is_none(),
        "{what} is not installed: `cargo xtask setup` installs it"
    );
    eprintln!("{test}: skipped, because {what} is not installed: `cargo xtask setup` installs it");
}

fn mosquitto(test: &str) -> bool {
    let found = Command::new("mosquitto_pub")
        .arg("--help")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if found.is_err() {
        missing(test, "mosquitto_pub (Debian: mosquitto-clients)");
    }
    found.is_ok()
}

/// The Python that has paho-mqtt.
fn paho(test: &str) -> Option<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target =
        target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"));
    let judges = std::env::var_os("PROVING_JUDGES").map(PathBuf::from);
    let python = judges
        .unwrap_or_else(|| target.join("judges"))
        .join("bin/python");
    let python = std::path::absolute(python).unwrap();
    let found = Command::new(&python)
        .args(["-c", "import paho.mqtt.client"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !found {
        missing(test, "paho-mqtt (PyPI)");
    }
    found.then_some(python)
}

fn paho_rig(python: &Path, folder: &Path, authority: &str, client: &str) -> String {
    let program = folder.join("device.py");
    fs::write(&program, PAHO).unwrap();
    let rig = PAHO_RIG
        .replace("PYTHON", &python.display().to_string())
        .replace("PROGRAM", &program.display().to_string())
        .replace("CERTIFICATE_OF_CA", authority);
    format!("{rig}{client}")
}

fn passed(ended: &(Value, String)) {
    assert_eq!(ended.0["verdict"], "passed", "{}\n{}", ended.0, ended.1);
}

/// Failed, for which the broker saw this cause.
fn failed_for(ended: &(Value, String), cause: &str) {
    assert_eq!(ended.0["verdict"], "failed", "{}\n{}", ended.0, ended.1);
    assert!(ended.1.contains(cause), "no {cause} in {}", ended.1);
}

#[test]
fn mosquitto_pub_is_a_device_and_fails_without_what_mutual_tls_needs() {
    if !mosquitto("mosquitto_pub_is_a_device") {
        return;
    }
    let rig = |authority: &str, client: &str| {
        MOSQUITTO.replace("CA", authority).replace("CLIENT", client)
    };
    passed(&run(&rig("${ca.pem}", CLIENT), "telemetry.yaml"));
    failed_for(
        &run(&rig("${ca.pem}", ""), "telemetry.yaml"),
        "no-client-certificate",
    );
    let (_folder, other) = other_authority();
    failed_for(
        &run(&rig(&other, CLIENT), "telemetry.yaml"),
        "server-certificate-refused",
    );
}

#[test]
fn a_program_on_paho_mqtt_is_a_device_and_fails_without_what_mutual_tls_needs() {
    let Some(python) = paho("a_program_on_paho_mqtt_is_a_device") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let rig = |authority: &str, client: &str| paho_rig(&python, folder.path(), authority, client);
    let ended = run(&rig("${ca.pem}", PAHO_CLIENT), "telemetry.yaml");
    passed(&ended);
    assert!(ended.1.contains("connecting"), "its log: {}", ended.1);
    failed_for(
        &run(&rig("${ca.pem}", ""), "telemetry.yaml"),
        "no-client-certificate",
    );
    let (_folder, other) = other_authority();
    let ended = run(&rig(&other, PAHO_CLIENT), "telemetry.yaml");
    failed_for(&ended, "server-certificate-refused");
    // Python's traceback is in the log.
    assert!(ended.1.contains("CERTIFICATE_VERIFY_FAILED"), "{}", ended.1);
}

#[test]
fn what_a_program_cannot_do_is_skipped_with_the_reason() {
    let rig = "[boards.dut]\nkind = \"process\"\ncommand = [\"true\", \"${telemetry.topic}\"]\n";
    for (scenario, reasons) in [
        (
            "provisioned.yaml",
            &["soft-ap", "a radio, to join home"][..],
        ),
        (
            "silent.yaml",
            &["a device with telemetry (for `${telemetry.topic}`)"],
        ),
    ] {
        let (result, _) = run(rig, scenario);
        assert_eq!(result["verdict"], "skipped", "{result}");
        for reason in reasons {
            assert!(result.to_string().contains(reason), "{reason}: {result}");
        }
    }
}

#[test]
fn a_program_that_is_not_there_is_broken_and_listed_so() {
    let rig = "[boards.dut]\nkind = \"process\"\ncommand = [\"./no-such-program\"]\n";
    let (result, trace) = run(rig, "silent.yaml");
    assert_eq!(result["verdict"], "broken", "{result}\n{trace}");
    let bench = bench(rig);
    let listed = proving(bench.path(), &["boards"]);
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert_eq!(listed.status.code(), Some(3), "{text}");
    assert!(text.contains("no-such-program of this host"), "{text}");
    assert!(text.contains("there is no such program"), "{text}");
    for arguments in [&["flash", "--board", "dut"][..], &["log", "--board", "dut"]] {
        let refused = proving(bench.path(), arguments);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains("it is a program"), "{said}");
    }
}

#[test]
fn another_build_of_the_reference_device_can_be_named() {
    let scenario = "name: It starts\nworld:\n  devices: { device: {} }\nsteps:\n  - power: on\n  - expect: { log: { text: Provisioning started }, within: 10s }\n";
    let bench = bench("");
    fs::write(bench.path().join("starts.yaml"), scenario).unwrap();
    // A wrapper tells what it was started as.
    let build = bench.path().join("build");
    let text = format!(
        "#!/bin/sh\necho \"$1\" >> {}/started\nexec {} \"$@\"\n",
        bench.path().display(),
        env!("CARGO_BIN_EXE_proving")
    );
    fs::write(&build, text).unwrap();
    fs::set_permissions(&build, fs::Permissions::from_mode(0o755)).unwrap();
    let ran = proving(bench.path(), &["run", "starts.yaml", "--device", "build"]);
    assert!(ran.status.success(), "{ran:?}");
    let started = fs::read_to_string(bench.path().join("started")).unwrap();
    assert_eq!(started, "__device\n");
    for (arguments, why) in [
        (&["--device", "no-such-build"][..], "there is no such file"),
        (
            &["--device", "build", "--board", "dut"],
            "one for the native board",
        ),
    ] {
        let rig = "[boards.dut]\nkind = \"process\"\ncommand = [\"true\"]\n";
        fs::write(bench.path().join("rig.toml"), rig).unwrap();
        let refused = proving(bench.path(), &[&["run", "starts.yaml"], arguments].concat());
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{said}");
        assert!(said.contains(why), "{said}");
    }
}
