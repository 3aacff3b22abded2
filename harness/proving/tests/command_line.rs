//! The program as its users and their scripts see it.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs `proving` in `folder`.
fn proving(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_proving"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("NO_COLOR")
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A folder with a good scenario of two cases.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("scenarios")).unwrap();
    let scenario = "\
name: Power on
tags: [smoke]
matrix: { security: [none, v1] }
world: { devices: { device: { provisioning: { security: \"${security}\" } } } }
steps:
  - power: on
  - expect: { log: { text: \"Provisioning started\" }, within: 5s, catches: [silent-hang] }
";
    fs::write(folder.path().join("scenarios/power.yaml"), scenario).unwrap();
    folder
}

fn help(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = proving(folder.path(), arguments);
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty());
    stdout(&output)
}

#[test]
fn help_is_short_and_exact() {
    insta::assert_snapshot!("help", help(&["--help"]));
    insta::assert_snapshot!("help_run", help(&["run", "--help"]));
    insta::assert_snapshot!("help_trace_show", help(&["trace", "show", "--help"]));
    insta::assert_snapshot!("help_up", help(&["up", "--help"]));
    insta::assert_snapshot!("help_prov", help(&["prov", "--help"]));
    insta::assert_snapshot!("help_prov_set", help(&["prov", "set", "--help"]));
}

#[test]
fn mistakes_on_the_command_line_are_2_and_run_nothing() {
    let folder = folder();
    for arguments in [
        &["fly"][..],
        &["run", "--jobs", "0"],
        &["run", "--repeat", "0"],
        &["run", "--speed", "0.1"],
        &["run", "--timeout", "never"],
        &["run", "--bug", "no-such-bug"],
        &["run", "-E", "tag("],
        &["run", "-E", "tag(smok)"],
        &["list", "-E", "catches(no-such-bug)"],
        &["run", "no-such-file.yaml"],
        &["list", "-E", "tga(smoke)"],
        &["trace", "show", "no-such-file"],
        &["trace", "show", "scenarios", "--level", "loud"],
        &["up", "--out", "here", "--forward", "8080"],
    ] {
        let output = proving(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
    assert!(!folder.path().join("proving-out").exists());
    assert!(!folder.path().join("here").exists());
}

#[test]
fn an_unknown_bug_is_answered_with_those_that_exist() {
    let folder = folder();
    let output = proving(folder.path(), &["run", "--bug", "silent"]);
    assert!(stderr(&output).contains("silent-hang"), "{output:?}");
    let output = proving(folder.path(), &["run", "--bug", "silent-hnag"]);
    assert!(
        stderr(&output).contains("did you mean silent-hang?"),
        "{output:?}"
    );
}

#[test]
fn an_unknown_tag_is_answered_with_the_nearest() {
    let folder = folder();
    let output = proving(folder.path(), &["run", "-E", "tag(smok)"]);
    assert!(
        stderr(&output).contains("did you mean `smoke`?"),
        "{output:?}"
    );
}

#[test]
fn without_scenarios_it_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let output = proving(folder.path(), &["run"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("name scenario files"),
        "{output:?}"
    );
}

#[test]
fn nothing_selected_is_4() {
    let folder = folder();
    for command in ["run", "list"] {
        let output = proving(folder.path(), &[command, "-E", "tag(~no-such-tag)"]);
        assert_eq!(output.status.code(), Some(4), "{command}: {output:?}");
    }
}

#[test]
fn a_board_without_its_emulator_is_told_beside_those_that_run() {
    let folder = folder();
    let run = |boards: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_proving"))
            .arg("run")
            .args(boards.iter().flat_map(|board| ["--board", board]))
            .current_dir(folder.path())
            .env("PATH", "")
            .output()
            .unwrap()
    };
    for boards in [["native", "qemu"], ["qemu", "native"]] {
        let output = run(&boards);
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(
            text.contains("\n2 skipped: there is no `qemu-system-arm` on this host (install it: "),
            "{text}"
        );
        assert!(text.contains("\n2 passed, 0 failed, "), "{text}");
    }
    let output = run(&["qemu"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(
        stderr(&output).contains("there is no `qemu-system-arm` on this host"),
        "{output:?}"
    );
}

#[test]
fn list_tells_every_case_and_its_tags() {
    let folder = folder();
    let output = proving(folder.path(), &["list"]);
    assert_eq!(
        stdout(&output),
        "Power on[security=none] #smoke\nPower on[security=v1] #smoke\n",
    );
    let output = proving(
        folder.path(),
        &["list", "--message-format", "json", "-E", "security=v1"],
    );
    let case: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(
        case,
        serde_json::json!({
            "type": "case",
            "case": "Power on[security=v1]",
            "name": "Power on",
            "scenario": "scenarios/power.yaml",
            "values": { "security": "v1" },
            "tags": ["smoke"],
            "catches": ["silent-hang"],
        }),
    );
}

#[test]
fn check_counts_or_shows_every_mistake() {
    let folder = folder();
    let output = proving(folder.path(), &["check"]);
    assert!(output.status.success());
    assert_eq!(stdout(&output), "1 scenario with 2 cases: no mistakes\n");

    let bad =
        "name: Bad\nworld: { devices: { device: {} } }\nsteps:\n  - pwoer: on\n  - wait: soon\n";
    fs::write(folder.path().join("scenarios/bad.yaml"), bad).unwrap();
    for command in ["check", "run", "list"] {
        let output = proving(folder.path(), &[command]);
        assert_eq!(output.status.code(), Some(2), "{command}");
        assert!(output.stdout.is_empty(), "{command}");
        let text = stderr(&output);
        assert!(text.contains("scenarios/bad.yaml:4:5"), "{text}");
        assert!(text.contains("scenarios/bad.yaml:5:"), "{text}");
        assert!(text.contains("`power`"), "{text}");
        assert!(!text.contains('\x1b'), "{text}");
    }
    assert!(!folder.path().join("proving-out").exists());
}

/// Each file, the place of its mistake, and what is said about it besides.
const MISTAKES: &[(&str, &[u8], &str, &[&str])] = &[
    (
        "unknown field",
        b"name: Bad\nworld: { devices: { device: {} }, phonse: [] }\nsteps:\n  - power: on\n",
        ":2:",
        &["`phonse`", "`phones`", "world: { devices"],
    ),
    (
        "wrong type",
        b"name: Bad\nworld: { devices: { device: {} } }\nsteps:\n  - wait: 5\n",
        ":4:11",
        &["expected a duration", "- wait: 5", "write `5s`"],
    ),
    (
        "unknown bug",
        b"name: Bad\nworld: { devices: { device: {} } }\nsteps:\n  - power: on\n  - expect: { log: { text: a }, within: 1s, catches: [silent-hnag] }\n",
        ":5:",
        &["`silent-hnag`", "`silent-hang`"],
    ),
    (
        "variable that the matrix lacks",
        b"name: Bad\nmatrix: { time: [1s] }\nworld: { devices: { device: {} } }\nsteps:\n  - wait: \"${tiem}\"\n  - wait: \"${time}\"\n",
        ":5:",
        &["tiem", "time"],
    ),
    (
        "no regular expression",
        b"name: Bad\nworld: { devices: { device: {} } }\nsteps:\n  - expect: { log: { text: \"/(/\" }, within: 1s }\n",
        ":4:",
        &["not a regular expression"],
    ),
    (
        "no YAML",
        b"name: Bad\nworld: { devices: {\nsteps: ]\n",
        ":2:19",
        &["mismatched bracket", "world: { devices: {"],
    ),
    ("nothing", b"", ":", &["expected"]),
    ("no text", b"name: \xff\xfe\n", "", &["UTF-8"]),
];

#[test]
fn every_kind_of_mistake_has_a_place_and_runs_nothing() {
    for (kind, bytes, place, words) in MISTAKES {
        let folder = folder();
        fs::write(folder.path().join("scenarios/bad.yaml"), bytes).unwrap();
        let output = proving(folder.path(), &["run"]);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{kind}: {text}");
        assert!(output.stdout.is_empty(), "{kind}");
        assert!(
            text.contains(&format!("scenarios/bad.yaml{place}")),
            "{kind}: {text}"
        );
        for word in *words {
            assert!(text.contains(word), "{kind}: no {word} in {text}");
        }
        assert!(!folder.path().join("proving-out").exists(), "{kind}");
    }
}

#[test]
fn an_output_folder_that_cannot_be_is_3_with_the_reason() {
    let folder = folder();
    fs::write(folder.path().join("file"), "in the way").unwrap();
    for out in ["file", "file/inside", "/proc/proving-out"] {
        for command in [&["run", "--out", out][..], &["up", "--out", out]] {
            let output = proving(folder.path(), command);
            let text = stderr(&output);
            assert_eq!(output.status.code(), Some(3), "{command:?}: {text}");
            assert!(text.contains(out), "{command:?}: {text}");
            assert!(text.contains("(os error"), "{command:?}: {text}");
        }
    }
    let left = fs::read_to_string(folder.path().join("file")).unwrap();
    assert_eq!(left, "in the way");
}

#[test]
fn a_port_that_is_taken_is_3_and_leaves_no_keys() {
    let folder = folder();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let forward = format!("{address}=softap:80");
    let output = proving(folder.path(), &["up", "--forward", &forward, "--out", "up"]);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(
        text.contains(&format!("failed to listen on {address} for device")),
        "{text}"
    );
    assert!(text.contains("in use"), "{text}");
    assert!(!folder.path().join("up/boards").exists());
    assert!(!folder.path().join("up/endpoints.json").exists());
}

#[test]
fn the_schema_is_json() {
    let folder = tempfile::tempdir().unwrap();
    let output = proving(folder.path(), &["schema"]);
    let schema: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert!(schema["properties"]["steps"].is_object());
}

#[test]
fn images_of_an_esp8266_that_cannot_work_are_told_by_rule() {
    let folder = tempfile::tempdir().unwrap();
    let made = proving(folder.path(), &["certs", "esp8266", "--out", "made"]);
    assert!(made.status.success(), "{made:?}");
    let check = |more: &[&str]| {
        let check = ["certs", "esp8266", "--check", "made"];
        let output = proving(folder.path(), &[&check[..], more].concat());
        (output.status.code(), stdout(&output))
    };
    let (code, said) = check(&["--ca-sector", "0x78"]);
    assert_eq!(code, Some(2));
    assert!(
        said.contains("the call's second argument must be 0x77"),
        "{said}"
    );
    assert!(!said.contains("esptool.py"), "{said}");
    let (code, said) = check(&["--buffer", "1024"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("the SDK takes 2048 to 8192"), "{said}");
    fs::write(folder.path().join("made/esp_ca_cert.bin"), [0xff; 64]).unwrap();
    let (code, said) = check(&[]);
    assert_eq!(code, Some(2));
    assert!(
        said.contains("byte 0: the length of the record is 0xFFFF"),
        "{said}"
    );
    let nowhere = proving(folder.path(), &["certs", "esp8266", "--check", "nowhere"]);
    assert_eq!(nowhere.status.code(), Some(2));
    assert!(
        stderr(&nowhere).contains("failed to read nowhere/esp_ca_cert.bin"),
        "{nowhere:?}"
    );
}

#[test]
fn certs_writes_what_it_names_and_never_over_something() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["certs", "--out", "minted", "--name", "mqtt.example"];
    let output = proving(folder.path(), &arguments);
    assert!(output.status.success(), "{output:?}");
    let text = stdout(&output);
    assert!(text.lines().any(|line| line == "minted/ca.pem"), "{text}");
    for line in text.lines() {
        assert!(folder.path().join(line).is_file(), "{line}");
    }
    let output = proving(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}

#[test]
fn a_trace_is_shown_from_its_file_or_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let event = r#"{"seq":0,"lab_us":1500000,"wall_us":0,"source":"log","device":"device","kind":"line","data":{"level":"info","tag":"app","text":"hello","device_ms":1400}}"#;
    fs::write(
        folder.path().join("trace.jsonl"),
        format!("{event}\n{{\"seq\":1,"),
    )
    .unwrap();
    for path in [".", "trace.jsonl"] {
        let output = proving(folder.path(), &["trace", "show", path]);
        assert_eq!(
            stdout(&output),
            "   1.500000 log device I (1400) app: hello\n"
        );
    }
    let output = proving(folder.path(), &["trace", "show", ".", "--source", "mqtt"]);
    assert!(output.status.success() && output.stdout.is_empty());
    let output = proving(
        folder.path(),
        &["trace", "show", ".", "--json", "--grep", "^I .*hello$"],
    );
    assert_eq!(stdout(&output).trim_end(), event);
}

#[test]
fn a_junit_report_that_cannot_be_written_stops_the_run_before_it_starts() {
    let folder = folder();
    let output = proving(folder.path(), &["run", "--junit", "scenarios"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(stderr(&output).contains("failed to write the JUnit report scenarios"));
    assert!(!folder.path().join("proving-out").exists());
}

/// Runs `proving diagnose` on a log behind standard input.
fn diagnose(log: &[u8], arguments: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_proving"))
        .arg("diagnose")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(log).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_log_is_diagnosed_from_standard_input_and_from_files() {
    let device = "\
I (4012) esp_netif_handlers: sta ip: 192.168.1.20, mask: 255.255.255.0, gw: 192.168.1.1
E (6012) esp-tls-mbedtls: mbedtls_ssl_handshake returned -0x7780
";
    let said = stdout(&diagnose(device.as_bytes(), &[]));
    // A server that sends an alert was reached.
    assert!(said.starts_with("reached   tcp\n"), "{said}");
    assert!(said.contains("the peer sent a fatal alert"), "{said}");
    let broker = "\
1700000001: New connection from 192.168.1.20:50112 on port 8883.
1700000001: OpenSSL Error[0]: error:140890C7:SSL routines:tls_process_client_certificate:peer did not return a certificate
";
    let folder = tempfile::tempdir().unwrap();
    for (name, log) in [("device.log", device), ("broker.log", broker)] {
        fs::write(folder.path().join(name), log).unwrap();
    }
    let both = proving(folder.path(), &["diagnose", "device.log", "broker.log"]);
    assert_eq!(both.status.code(), Some(0));
    let said = stdout(&both);
    assert!(
        said.starts_with("together  the client sent no certificate"),
        "{said}"
    );
    let json = diagnose(device.as_bytes(), &["--message-format", "json"]);
    let told: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(told["cause"]["cause"]["stage"], "tls");
    let missing = proving(folder.path(), &["diagnose", "none.log"]);
    assert!(stderr(&missing).contains("failed to read none.log"));
    assert_ne!(missing.status.code(), Some(0));
}
