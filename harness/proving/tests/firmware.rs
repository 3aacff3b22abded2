//! Runs say which firmware they are about: a recorded device behind a socket, with a fake flasher.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod sandbox;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::{Command, Output};
use std::time::Duration;

use report::RunSummary;
use tempfile::TempDir;
use trace::Verdict;

const RIG: &str = r#"
[boards.lamp]
kind = "serial"
port = "socket:uart"
flash.command = ["./flasher", "{offset}", "{file}"]
reset_command = ["touch", "restarted"]
factory.command = ["true", "{file}"]
flash.images = [{ offset = 0x10000, file = "app.bin" }]
"#;
const SCENARIO: &str = "\
name: It starts
world: { devices: { device: {} } }
steps:
  - power: on
  - expect: { log: { tag: main_task, text: Calling app_main }, within: 10s }
";
const HASH: u8 = 0xa5;

/// A folder with a rig, its image, a flasher that notes its calls, a scenario and leases.
fn bench() -> TempDir {
    let folder = sandbox::folder();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("rig.toml"), RIG).unwrap();
    fs::write(path("starts.yaml"), SCENARIO).unwrap();
    fs::write(path("app.bin"), application()).unwrap();
    fs::write(path("flasher"), "#!/bin/sh\necho \"$1\" >> flashed\n").unwrap();
    fs::set_permissions(path("flasher"), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// An application as esptool writes it: its description stands behind 32 bytes of headers.
fn application() -> Vec<u8> {
    let mut image = vec![0xe9; 32];
    let mut description = [0; 256];
    description[..4].copy_from_slice(&0xabcd_5432_u32.to_le_bytes());
    description[16..21].copy_from_slice(b"1.4.2");
    description[48..52].copy_from_slice(b"lamp");
    description[112..118].copy_from_slice(b"v5.5.1");
    description[144..176].fill(HASH);
    image.extend(description);
    image
}

/// What such an application prints when it boots.
fn boot_log(hash: &str) -> String {
    format!(
        "I (257) app_init: Project name:     lamp\r\n\
         I (261) app_init: App version:      1.4.2\r\n\
         I (266) app_init: ELF file SHA256:  {hash}...\r\n\
         I (301) main_task: Calling app_main()\r\n"
    )
}

/// Runs the scenario on a device that prints `log` when it is restarted.
fn run(bench: &TempDir, log: String, arguments: &[&str]) -> Output {
    let socket = bench.path().join("uart");
    let _ = fs::remove_file(&socket);
    let server = UnixListener::bind(&socket).unwrap();
    let restarted = bench.path().join("restarted");
    std::thread::spawn(move || {
        while let Ok((mut uart, _)) = server.accept() {
            uart.set_read_timeout(Some(Duration::from_millis(5)))
                .unwrap();
            // Until the board hangs up.
            while uart.read(&mut [0; 64]).map_or(true, |length| length > 0) {
                if fs::remove_file(&restarted).is_ok() {
                    let _ = uart.write_all(log.as_bytes());
                }
            }
        }
    });
    let mut command = sandbox::command(env!("CARGO_BIN_EXE_proving"), bench.path());
    command
        .args([
            "run",
            "--board",
            "lamp",
            "--junit",
            "junit.xml",
            "--out",
            "out",
        ])
        .args(arguments)
        .arg("starts.yaml");
    command.output().unwrap()
}

/// The summary of the last run, whose folder goes.
fn summary(bench: &TempDir) -> RunSummary {
    let out = bench.path().join("out");
    let run = fs::read_dir(&out).unwrap().next().unwrap().unwrap().path();
    let text = fs::read(run.join("summary.json")).unwrap();
    fs::remove_dir_all(out).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn flashings(bench: &TempDir) -> usize {
    let calls = fs::read_to_string(bench.path().join("flashed")).unwrap_or_default();
    calls.lines().count()
}

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn summary_and_junit_say_tool_host_board_and_firmware() {
    let bench = bench();
    let output = run(&bench, boot_log("a5a5a5a5a"), &[]);
    assert!(output.status.success(), "{output:?}");
    let summary = summary(&bench);
    let setup = &summary.setups[0];
    assert_eq!(setup.tool, concat!("proving ", env!("CARGO_PKG_VERSION")));
    assert!(setup.host.contains("Linux"), "{}", setup.host);
    assert_eq!((&*setup.board.name, &*setup.board.kind), ("lamp", "serial"));
    let reached_by = setup.board.reached_by.as_ref().unwrap();
    assert!(reached_by.starts_with("socket:"), "{reached_by}");
    let firmware = &setup.board.firmware[0];
    assert!(firmware.file.ends_with("app.bin"));
    assert_eq!(firmware.sha256.len(), 64);
    assert_eq!(firmware.version.as_deref(), Some("1.4.2"));
    assert_eq!(firmware.elf_sha256, Some("a5".repeat(32)));
    let booted = &summary.cases[0].attempts[0].booted;
    assert_eq!(booted[0].is_the_image, Some(true), "{booted:?}");
    let junit = fs::read_to_string(bench.path().join("junit.xml")).unwrap();
    for property in [
        "\"tool\"",
        "\"host\"",
        "\"serial\"",
        "\"firmware\"",
        &firmware.sha256,
    ] {
        assert!(junit.contains(property), "{property}: {junit}");
    }
}

#[test]
fn a_board_that_runs_another_firmware_than_it_was_flashed_with_is_no_fault_of_the_device() {
    let bench = bench();
    assert!(run(&bench, boot_log("a5a5a5a5a"), &[]).status.success());
    assert_eq!(flashings(&bench), 1);
    summary(&bench);
    // Flashed by another program meanwhile, so that what is remembered is wrong.
    let output = run(&bench, boot_log("00c0ffee1"), &[]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert_eq!(summary(&bench).cases[0].verdict, Verdict::Broken);
    let text = said(&output);
    assert!(
        text.contains("lamp does not run the image that it was flashed with"),
        "{text}"
    );
    assert!(text.contains("00c0ffee1"), "{text}");
    assert_eq!(flashings(&bench), 1);
    // It is flashed again, without being asked.
    assert!(run(&bench, boot_log("a5a5a5a5a"), &[]).status.success());
    assert_eq!(flashings(&bench), 2);
}

#[test]
fn images_are_flashed_when_they_changed_or_always() {
    let bench = bench();
    for (arguments, expected) in [
        (&["--flash", "changed"][..], 1),
        (&[], 1),
        (&["--flash", "always"], 2),
        (&["--flash", "always", "--repeat", "2"], 4),
    ] {
        let output = run(&bench, boot_log("a5a5a5a5a"), arguments);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(flashings(&bench), expected, "{arguments:?}");
    }
}

#[test]
fn an_image_for_a_board_that_has_its_own_is_refused() {
    let bench = bench();
    fs::write(bench.path().join("other.elf"), "ELF").unwrap();
    let output = run(&bench, String::new(), &["--image", "other.elf"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let text = said(&output);
    assert!(
        text.contains("lamp cannot be flashed with other.elf: `flash.images` in the rig file"),
        "{text}"
    );
    let output = Command::new(env!("CARGO_BIN_EXE_proving"))
        .args(["run", "--image", "other.elf", "starts.yaml"])
        .current_dir(bench.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let text = said(&output);
    assert!(
        text.contains("native cannot be flashed with other.elf"),
        "{text}"
    );
    assert!(!bench.path().join("proving-out").exists());
}
