//! Firmware of others on a rig: what it is told, and which scenarios fit it.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod sandbox;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value as Json;
use tempfile::TempDir;

const BOARD: &str = r#"
[boards.lamp]
kind = "serial"
port = "socket:uart"
reset_command = ["touch", "restarted"]
factory.command = ["cp", "{file}", "nvs.bin"]
firmware = "lamp"
[broker]
bind = "127.0.0.1"
port = 0
[access_points.home]
ssid = "lab"
passphrase = "file:passphrase"
"#;
const NVS: &str = r#"
[firmware.lamp]
provisioning = "none"
[firmware.lamp.nvs]
size = 0x6000
rows = [
    { namespace = "broker", key = "uri", type = "string", value = "mqtts://${broker.host}:${broker.port}" },
    { namespace = "broker", key = "port", type = "u16", value = "${broker.port}" },
    { namespace = "broker", key = "ca", type = "string", value = "${ca.pem}" },
    { namespace = "broker", key = "key", type = "blob", value = "${client.key}" },
    { namespace = "broker", key = "cert", type = "blob", value = "${client.der}" },
    { namespace = "broker", key = "cert64", type = "base64", value = "${client.der}" },
    { namespace = "broker", key = "topic", type = "string", value = "${telemetry.topic}" },
    { namespace = "wifi", key = "ssid", type = "string", value = "${wifi.ssid}" },
    { namespace = "wifi", key = "passphrase", type = "string", value = "${wifi.passphrase}" },
    { namespace = "app", key = "name", type = "string", value = "a lamp" },
]
"#;
const STARTS: &str = "\
name: It starts
world: { devices: { device: {} } }
steps:
  - power: on
  - expect: { log: { tag: main_task, text: Calling app_main }, within: 10s }
";
const LOG: &str = "I (301) main_task: Calling app_main()\r\n";

/// A folder with a rig, the scenario `starts.yaml` and leases.
fn bench(rig: &str) -> TempDir {
    let folder = sandbox::folder();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("rig.toml"), rig).unwrap();
    fs::write(path("starts.yaml"), STARTS).unwrap();
    fs::write(path("passphrase"), "correct horse\n").unwrap();
    folder
}

fn proving(bench: &TempDir, arguments: &[&str]) -> Output {
    let mut command = sandbox::command(env!("CARGO_BIN_EXE_proving"), bench.path());
    command.args(arguments).output().unwrap()
}

/// Runs the scenario on a device that says that it starts.
fn run(bench: &TempDir) -> Output {
    let socket = bench.path().join("uart");
    let _ = fs::remove_file(&socket);
    let server = UnixListener::bind(&socket).unwrap();
    let restarted = bench.path().join("restarted");
    std::thread::spawn(move || {
        while let Ok((mut uart, _)) = server.accept() {
            let pause = Some(Duration::from_millis(5));
            uart.set_read_timeout(pause).unwrap();
            // Until the board hangs up.
            while uart.read(&mut [0; 64]).map_or(true, |length| length > 0) {
                if fs::remove_file(&restarted).is_ok() {
                    let _ = uart.write_all(LOG.as_bytes());
                }
            }
        }
    });
    proving(
        bench,
        &["run", "--board", "lamp", "--out", "out", "starts.yaml"],
    )
}

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The value of a key in a partition.
fn value(partition: &Path, key: &str) -> Option<nvs::Value> {
    let rows = nvs::rows(&fs::read(partition).unwrap()).unwrap();
    let row = rows.into_iter().find(|row| row.key() == key)?;
    Some(row.value().clone())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_firmware_is_handed_its_world_in_its_nvs_partition_even_where_the_scenario_has_no_cloud() {
    let bench = bench(&format!("{BOARD}{NVS}"));
    let output = run(&bench);
    assert!(output.status.success(), "{output:?}");
    let partition = bench.path().join("nvs.bin");
    assert_eq!(fs::metadata(&partition).unwrap().len(), 0x6000);
    let Some(nvs::Value::U16(port)) = value(&partition, "port") else {
        panic!("no port");
    };
    let uri = format!("mqtts://127.0.0.1:{port}");
    assert_eq!(value(&partition, "uri"), Some(nvs::Value::String(uri)));
    let Some(nvs::Value::String(authority)) = value(&partition, "ca") else {
        panic!("no authority");
    };
    assert!(
        authority.starts_with("-----BEGIN CERTIFICATE-----\n"),
        "{authority}"
    );
    let Some(nvs::Value::Blob(key)) = value(&partition, "key") else {
        panic!("no key");
    };
    assert!(key.starts_with(b"-----BEGIN PRIVATE KEY-----\n"));
    let Some(nvs::Value::Blob(certificate)) = value(&partition, "cert") else {
        panic!("no certificate");
    };
    // A sequence of more than 255 bytes (X.690 §8.9).
    assert!(certificate.starts_with(&[0x30, 0x82]), "{certificate:02x?}");
    assert_eq!(
        value(&partition, "cert64"),
        Some(nvs::Value::Blob(certificate))
    );
    assert_eq!(
        value(&partition, "name"),
        Some(nvs::Value::String("a lamp".into()))
    );
    assert_eq!(
        value(&partition, "ssid"),
        Some(nvs::Value::String("lab".into()))
    );
    // The scenario has no telemetry.
    assert_eq!(value(&partition, "topic"), None);
}

#[test]
fn a_partition_that_cannot_be_made_is_no_fault_of_the_device_and_is_not_written() {
    let rig = format!("{BOARD}{NVS}").replace(
        "\"u16\", value = \"${broker.port}\"",
        "\"u8\", value = \"${broker.port}\"",
    );
    let bench = bench(&rig);
    let output = run(&bench);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let text = said(&output);
    assert!(
        text.contains("firmware.lamp: ") && text.contains("is no u8"),
        "{text}"
    );
    assert!(!bench.path().join("nvs.bin").exists());
}

#[test]
fn what_a_device_has_stored_stays_where_its_partition_is_merged_but_for_its_network() {
    let rig = format!("{BOARD}{NVS}").replace("size = 0x6000", "size = 0x6000\nmerge = true").replace(
        "firmware = \"lamp\"",
        "firmware = \"lamp\"\nstorage = { read = [\"cp\", \"stored.bin\", \"{file}\"], erase = [\"false\"] }",
    );
    let bench = bench(&rig);
    let text = |value: &str| nvs::Value::String(value.into());
    let rows = [
        nvs::Row::new("app", "name", text("an old one")).unwrap(),
        nvs::Row::new("phy", "calibration", nvs::Value::Blob(vec![7; 1904])).unwrap(),
        nvs::Row::new("nvs.net80211", "sta.ssid", nvs::Value::Blob(vec![0; 36])).unwrap(),
    ];
    let stored = nvs::image(&rows, 0x6000).unwrap();
    fs::write(bench.path().join("stored.bin"), stored).unwrap();
    let output = run(&bench);
    assert!(output.status.success(), "{output:?}");
    let partition = bench.path().join("nvs.bin");
    assert_eq!(value(&partition, "name"), Some(text("a lamp")));
    assert_eq!(
        value(&partition, "calibration"),
        Some(nvs::Value::Blob(vec![7; 1904]))
    );
    assert_eq!(value(&partition, "sta.ssid"), None);
    assert!(value(&partition, "uri").is_some());
}

const FILES: &str = r#"
[firmware.lamp]
provisioning = "none"
[firmware.lamp.files]
entries = [
    { name = "ca.pem", value = "${ca.pem}" },
    { name = "certs/ca.der", value = "${ca.der}" },
    { name = "config.json", template = "config.json.in" },
    { name = "linkkit.txt", value = "${linkkit.device_secret}" },
]
command = ["tar", "-cf", "{file}", "-C", "{folder}", "."]
"#;

#[test]
fn a_firmware_is_handed_its_world_in_files_of_which_a_command_makes_an_image() {
    let bench = bench(BOARD);
    let template = "{\"host\":\"${broker.host}\",\"port\":${broker.port},\"ca\":\"${ca.pem}\",\"der\":\"${ca.der}\"}";
    fs::write(bench.path().join("config.json.in"), template).unwrap();
    fs::write(bench.path().join("rig.toml"), format!("{BOARD}{FILES}")).unwrap();
    let output = run(&bench);
    assert!(output.status.success(), "{output:?}");
    let files = bench.path().join("files");
    fs::create_dir(&files).unwrap();
    let image = bench.path().join("nvs.bin");
    let unpacked = Command::new("tar")
        .arg("-xf")
        .arg(&image)
        .arg("-C")
        .arg(&files)
        .status();
    assert!(unpacked.unwrap().success());
    let authority = fs::read_to_string(files.join("ca.pem")).unwrap();
    let config: Json =
        serde_json::from_slice(&fs::read(files.join("config.json")).unwrap()).unwrap();
    assert_eq!(config["ca"], authority.as_str());
    assert_eq!(config["host"], "127.0.0.1");
    assert!(config["port"].as_u64().is_some_and(|port| port > 0));
    assert!(
        fs::read(files.join("certs/ca.der"))
            .unwrap()
            .starts_with(&[0x30, 0x82])
    );
    assert_eq!(mode(&files.join("ca.pem")), 0o600);
}

/// What `hand-over` writes for this rig, by name.
fn handed_over(bench: &TempDir, more: &[&str]) -> (PathBuf, Vec<String>) {
    let arguments = [&["hand-over", "--board", "lamp", "--out", "handed"], more].concat();
    let output = proving(bench, &arguments);
    assert!(output.status.success(), "{output:?}");
    let written = String::from_utf8(output.stdout).unwrap();
    let folder = bench.path().join("handed");
    assert_eq!(mode(&folder), 0o700);
    for path in written.lines() {
        assert_eq!(mode(&bench.path().join(path)), 0o600, "{path}");
    }
    (
        folder,
        written
            .lines()
            .map(|line| line.trim_start_matches("handed/").to_owned())
            .collect(),
    )
}

#[test]
fn what_a_firmware_is_told_is_written_without_its_board() {
    let rig = format!("{BOARD}{NVS}").replace("port = 0", "port = 8883");
    let bench = bench(&rig);
    let (folder, written) = handed_over(&bench, &[]);
    assert_eq!(written, ["device.nvs.bin"]);
    let partition = folder.join("device.nvs.bin");
    let uri = nvs::Value::String("mqtts://127.0.0.1:8883".into());
    assert_eq!(value(&partition, "uri"), Some(uri));
    let passphrase = nvs::Value::String("correct horse".into());
    assert_eq!(value(&partition, "passphrase"), Some(passphrase));
    let topic = nvs::Value::String("proving/telemetry".into());
    assert_eq!(value(&partition, "topic"), Some(topic));
    let again = proving(&bench, &["hand-over", "--board", "lamp", "--out", "handed"]);
    assert_eq!(again.status.code(), Some(3), "{again:?}");
    let other = proving(&bench, &["hand-over", "--board", "lmap", "--out", "other"]);
    assert_eq!(other.status.code(), Some(2), "{other:?}");
}

#[test]
fn an_authority_that_is_kept_is_what_every_firmware_is_told() {
    let bench = bench(&format!(
        "{BOARD}{NVS}\n[authority]\nkeep = \"authority\"\n"
    ));
    let (folder, _) = handed_over(&bench, &[]);
    let kept = fs::read_to_string(bench.path().join("authority/ca.pem")).unwrap();
    let told = value(&folder.join("device.nvs.bin"), "ca");
    assert_eq!(told, Some(nvs::Value::String(kept)));
}

#[test]
fn files_and_requests_are_written_without_a_board_too() {
    let endpoint = "endpoint = { name = \"cloud-config\", value = '{\"ca\":\"${ca.pem}\",\"secret\":\"${linkkit.device_secret}\"}' }\n";
    let firmware = FILES
        .replace(
            "provisioning = \"none\"",
            &format!("provisioning = {{ transport = \"ble\", security = \"none\" }}\n{endpoint}"),
        )
        .replace("config.json.in", "plain.in");
    let bench = bench(BOARD);
    fs::write(bench.path().join("plain.in"), "{}").unwrap();
    fs::write(bench.path().join("rig.toml"), format!("{BOARD}{firmware}")).unwrap();
    let (folder, written) = handed_over(&bench, &[]);
    assert_eq!(written.len(), 5, "{written:?}");
    let request: Json =
        serde_json::from_slice(&fs::read(folder.join("device.cloud-config")).unwrap()).unwrap();
    let authority = fs::read_to_string(folder.join("device.files/ca.pem")).unwrap();
    assert_eq!(request["ca"], authority.as_str());
    let secret = fs::read_to_string(folder.join("device.files/linkkit.txt")).unwrap();
    assert_eq!(request["secret"], secret.as_str());
    assert_eq!(secret.len(), 32);
}

const PROGRAM: &str = r#"
[boards.lamp]
kind = "process"
command = ["./device"]
firmware = "lamp"
[firmware.lamp]
provisioning = "none"
arguments = ["--broker", "${broker.host}:${broker.port}", "--files", "${files}"]
environment = { CA = "${ca.pem}" }
files = { entries = [{ name = "ca.der", value = "${ca.der}" }] }
components = ["lamp"]
"#;

#[test]
fn a_program_is_told_by_arguments_environment_and_files_of_its_firmware() {
    let device = "#!/bin/sh\necho \"I (1) lamp: $2\"\necho \"I (2) lamp: $(head -n 1 \"$CA\")\"\n[ -s \"$4/ca.der\" ] && echo \"I (3) lamp: all there\"\nsleep 60\n";
    let bench = bench(PROGRAM);
    fs::write(bench.path().join("device"), device).unwrap();
    fs::set_permissions(
        bench.path().join("device"),
        fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    let scenario = "\
name: It is told
world: { cloud: {}, devices: { device: { on_network: true } } }
steps:
  - power: on
  - expect: { log: { tag: lamp, text: '/^127.0.0.1:\\d+$/' }, within: 10s }
  - expect: { log: { text: BEGIN CERTIFICATE }, within: 10s }
  - expect: { log: { tag: lamp, text: all there }, within: 10s }
";
    fs::write(bench.path().join("told.yaml"), scenario).unwrap();
    let output = proving(&bench, &["run", "--board", "lamp", "told.yaml"]);
    assert!(output.status.success(), "{output:?}");
    let (folder, written) = handed_over(&bench, &["--scenario", "told.yaml"]);
    assert!(
        written.contains(&"device.environment".to_owned()),
        "{written:?}"
    );
    let command = fs::read_to_string(folder.join("device.command")).unwrap();
    assert!(
        command.starts_with("./device\n--broker\n127.0.0.1:0\n"),
        "{command}"
    );
}

/// The reasons, by case, for which cases of `scenarios` would not run on this board.
fn needs(bench: &TempDir, scenarios: &[&str]) -> Vec<(String, Vec<String>)> {
    let format = ["list", "--board", "lamp", "--message-format", "json"];
    let output = proving(bench, &[&format, scenarios].concat());
    assert!(output.status.success(), "{output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str::<Json>(line).unwrap());
    lines
        .map(|line| {
            assert_eq!(
                (&line["type"], &line["board"]),
                (&"case".into(), &"lamp".into())
            );
            let needs = line["needs"].as_array().unwrap().iter();
            let needs = needs
                .map(|need| need.as_str().unwrap().to_owned())
                .collect();
            (line["case"].as_str().unwrap().to_owned(), needs)
        })
        .collect()
}

fn repository(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path);
    path.display().to_string()
}

/// Firmware that is provisioned over BLE, on a rig with everything around it.
const BLE: &str = r#"
[boards.lamp]
kind = "serial"
port = "socket:uart"
firmware = "lamp"
storage = { read = ["true", "{file}"], erase = ["true"] }
[firmware.lamp]
provisioning = { transport = "ble", security = "v1", version = "5.5", pop = "env:POP" }
hand_over = "none"
[phone]
bluetooth = "hci0"
lan = "eth1"
[power.lamp]
on = ["true"]
off = ["true"]
[access_points.home]
ssid = "lab"
"#;

#[test]
fn each_need_that_a_firmware_does_not_meet_is_named() {
    let bench = bench(BLE);
    let scenario = |device: &str, steps: &str| {
        format!(
            "name: x\nworld: {{ access_points: {{ home: {{}} }}, cloud: {{}}, devices: {{ device: {device} }}, phones: [alice] }}\nsteps:\n  - power: on\n{steps}"
        )
    };
    let provision = "  - provision: { phone: alice, join: home, outcome: connected }\n";
    for (device, steps, expected) in [
        ("{}", provision, vec![]),
        (
            "{ provisioning: { over: ble, security: v1, version: '5.5' } }",
            provision,
            vec![],
        ),
        (
            "{ provisioning: { over: softap } }",
            provision,
            vec!["a firmware that is provisioned over softap (firmware.lamp: ble)"],
        ),
        (
            "{ provisioning: { security: v2, version: '4.4' } }",
            provision,
            vec![
                "a firmware with security v2 (firmware.lamp: v1)",
                "a firmware of ESP-IDF 4.4 (firmware.lamp: 5.5)",
            ],
        ),
        (
            "{ on_network: true }",
            "",
            vec!["a firmware that is on its network already (firmware.lamp: ble)"],
        ),
        (
            "{}",
            "  - expect: { log: { tag: app }, within: 5s }\n",
            vec!["log component app"],
        ),
        (
            "{}",
            "  - expect: { log: { tag: wifi_prov_mgr, level: debug }, within: 5s }\n",
            vec!["log lines of level debug"],
        ),
        (
            "{}",
            "  - expect: { mqtt: session_opened, within: 5s }\n",
            vec!["a firmware that can mqtt"],
        ),
        (
            "{ provisioning: { attempts: 3 } }",
            "",
            vec!["the reference firmware (for `attempts`)"],
        ),
        (
            "{ provisioning: { custom_endpoints: [custom-data] } }",
            "",
            vec!["a firmware with the endpoint custom-data"],
        ),
    ] {
        // `[broker]` is not in this rig.
        let text = scenario(device, steps).replace(
            "cloud: {}, ",
            if steps.contains("mqtt") {
                "cloud: {}, "
            } else {
                ""
            },
        );
        fs::write(bench.path().join("x.yaml"), &text).unwrap();
        let found = needs(&bench, &["x.yaml"]);
        let found: Vec<&str> = found[0]
            .1
            .iter()
            .map(String::as_str)
            .filter(|need| !need.contains("[broker]"))
            .collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn the_list_for_a_board_groups_what_would_run_and_why_the_rest_would_not() {
    let bench = bench(BLE);
    let output = proving(
        &bench,
        &["list", "--board", "lamp", &repository("scenarios")],
    );
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let all = needs(&bench, &[&repository("scenarios")]);
    let run = all.iter().filter(|(_, needs)| needs.is_empty()).count();
    assert!(run >= 15, "{text}");
    assert!(
        text.starts_with(&format!(
            "{run} of {} cases would run on lamp:\n",
            all.len()
        )),
        "{text}"
    );
    let softap = "a firmware that is provisioned over softap (firmware.lamp: ble)";
    let count = all
        .iter()
        .filter(|(_, needs)| needs.iter().any(|need| need == softap))
        .count();
    let line = text.lines().find(|line| line.ends_with(softap)).unwrap();
    assert!(
        line.trim_start().starts_with(&format!("{count} ")),
        "{line}"
    );
    // What a virtual board lacks.
    let native = proving(
        &bench,
        &["list", "--board", "native", &repository("scenarios")],
    );
    let text = String::from_utf8(native.stdout).unwrap();
    let (_, lacks) = text.split_once("would not;").unwrap();
    let lacks: Vec<&str> = lacks.lines().skip(1).collect();
    assert_eq!(lacks.len(), 1, "{text}");
    assert!(lacks[0].contains("short records"), "{text}");
}

#[test]
fn few_scenarios_ask_for_what_only_espressifs_example_application_prints() {
    let bench = bench(BLE);
    let all = needs(&bench, &[&repository("scenarios")]);
    let asks =
        |(_, needs): &&(String, Vec<String>)| needs.iter().any(|need| need == "log component app");
    let asking: Vec<_> = all.iter().filter(asks).map(|(case, _)| case).collect();
    assert!(asking.len() <= 32, "{asking:?}");
}

#[test]
fn a_program_without_a_firmware_section_runs_what_begins_on_its_network() {
    let rig = r#"
[boards.lamp]
kind = "process"
command = ["mosquitto_pub", "-h", "${broker.host}", "-t", "${telemetry.topic}", "--cert", "${client.pem}"]
"#;
    let bench = bench(rig);
    let all = needs(&bench, &[&repository("scenarios/on_network")]);
    for (case, needs) in &all {
        assert_eq!(needs, &[""; 0], "{case}");
    }
    assert_eq!(all.len(), 11);
}
