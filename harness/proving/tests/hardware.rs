//! The commands for real boards, as their users and scripts see them: over a socket, with a recorded
//! device and a fake flasher.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod sandbox;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;

use tempfile::TempDir;

/// A folder in which leases and notes are kept too.
fn bench(rig: &str) -> TempDir {
    let folder = sandbox::folder();
    if !rig.is_empty() {
        fs::write(folder.path().join("rig.toml"), rig).unwrap();
    }
    folder
}

fn command(bench: &TempDir, arguments: &[&str]) -> Command {
    let mut command = sandbox::command(env!("CARGO_BIN_EXE_proving"), bench.path());
    command.args(arguments);
    command
}

fn proving(bench: &TempDir, arguments: &[&str]) -> Output {
    command(bench, arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What people read, without the frame around it.
fn stderr(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    let words: Vec<&str> = text
        .split_whitespace()
        .filter(|word| *word != "│")
        .collect();
    words.join(" ")
}

const SOCKET: &str = "[boards.idf]\nkind = \"serial\"\nport = \"socket:uart\"\n";

/// Plays `log` to each of `times` who connect.
fn device(bench: &TempDir, log: &'static [u8], times: usize) -> JoinHandle<()> {
    let server = UnixListener::bind(bench.path().join("uart")).unwrap();
    std::thread::spawn(move || {
        for _ in 0..times {
            let (mut uart, _) = server.accept().unwrap();
            // Whoever has seen enough hangs up.
            let _ = uart.write_all(log);
            let mut rest = Vec::new();
            let _ = std::io::Read::read_to_end(&mut uart, &mut rest);
        }
    })
}

#[test]
fn init_writes_a_rig_that_stays() {
    let bench = bench("");
    let first = proving(&bench, &["boards", "init"]);
    assert!(first.status.success(), "{first:?}");
    assert!(stdout(&first).starts_with("wrote rig.toml; "));
    let rig = fs::read_to_string(bench.path().join("rig.toml")).unwrap();
    let second = proving(&bench, &["boards", "init"]);
    assert_eq!(second.status.code(), Some(2));
    assert!(stderr(&second).contains("rig.toml is there already and stays as it is"));
    assert_eq!(
        fs::read_to_string(bench.path().join("rig.toml")).unwrap(),
        rig
    );
    assert!(proving(&bench, &["boards", "--no-ask"]).status.success());
}

#[test]
fn mistakes_of_a_rig_are_shown_in_their_lines_without_its_passphrases() {
    let bench = bench(
        "[boards.idf]\nkind = \"serial\"\nprot = \"x\"\n[access_points.home]\nssid = \"lab\"\npassphrase = \"correct horse\"\n",
    );
    let output = proving(&bench, &["boards"]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    for expected in [
        "rig.toml: 3 mistakes",
        "`boards.idf` has no key `prot`",
        "did you mean `port`?",
        "must say where the passphrase is, not what it is",
        "env:HOME_PASSPHRASE",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    assert!(!said.contains("horse"), "{said}");
}

#[test]
fn boards_says_who_answers() {
    let bench = bench(SOCKET);
    let silent = proving(&bench, &["boards"]);
    assert_eq!(silent.status.code(), Some(3), "{silent:?}");
    assert!(
        stdout(&silent).contains("nothing listens at socket:"),
        "{silent:?}"
    );
    let device = device(&bench, b"", 1);
    let answering = proving(&bench, &["boards"]);
    assert!(answering.status.success(), "{answering:?}");
    let row = stdout(&answering);
    let row = row.lines().find(|line| line.starts_with("idf ")).unwrap();
    assert!(row.ends_with("its port can be opened"), "{row}");
    device.join().unwrap();
}

#[test]
fn a_log_is_shown_as_it_comes_and_can_be_filtered() {
    let bench = bench(SOCKET);
    let log: &[u8] = include_bytes!("../../../fixtures/logs/esp_idf.log");
    let device = device(&bench, log, 3);
    let follow = |more: &[&str]| {
        let arguments = [&["log", "--board", "idf", "--for", "2s"], more].concat();
        let output = proving(&bench, &arguments);
        assert!(output.status.success(), "{output:?}");
        stdout(&output)
    };
    let all = follow(&[]);
    assert!(
        all.contains("\nI (206) app: Secured session established!\n"),
        "{all}"
    );
    assert!(
        all.contains("I (206) app: Received Wi-Fi credentials\n    \tSSID     : "),
        "{all}"
    );
    let some = follow(&["--tag", "wifi_prov_mgr", "--grep", "STA"]);
    assert!(some.lines().count() > 0);
    assert!(
        some.lines().all(|line| line.contains("wifi_prov_mgr: STA")),
        "{some}"
    );
    let json = follow(&["--json", "--tag", "uart"]);
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(first["level"], "info");
    device.join().unwrap();
}

#[test]
fn a_board_is_used_by_one_command_at_a_time() {
    let bench = bench(SOCKET);
    let device = device(&bench, b"I (1) app: on\n", 1);
    let mut first = command(&bench, &["log", "--board", "idf"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = [0; 13];
    std::io::Read::read_exact(first.stdout.as_mut().unwrap(), &mut line).unwrap();
    let second = proving(&bench, &["log", "--board", "idf", "--for", "1s"]);
    let listed = proving(&bench, &["boards"]);
    let pid = first.id();
    // SAFETY: kill takes plain numbers; the child was not waited for.
    unsafe { libc::kill(pid.try_into().unwrap(), libc::SIGINT) };
    assert_eq!(first.wait().unwrap().code(), Some(130));
    assert_eq!(second.status.code(), Some(3));
    let held = format!("is held by process {pid} (proving log)");
    assert!(stderr(&second).contains(&held), "{second:?}");
    let used = format!("in use by process {pid} (proving log)");
    assert!(stdout(&listed).contains(&used), "{listed:?}");
    device.join().unwrap();
}

#[test]
fn images_are_flashed_once() {
    let rig = format!(
        "{SOCKET}[boards.idf.flash]\ncommand = [\"./flasher\", \"{{offset}}\", \"{{file}}\"]\nimages = [{{ offset = 0x1000, file = \"app.bin\" }}]\n"
    );
    let bench = bench(&rig);
    let path = |name: &str| bench.path().join(name);
    fs::write(path("app.bin"), "application").unwrap();
    fs::write(path("flasher"), "#!/bin/sh\necho \"$1\" >> flashed\n").unwrap();
    fs::set_permissions(path("flasher"), fs::Permissions::from_mode(0o755)).unwrap();
    let device = device(&bench, b"", 3);
    for (more, expected) in [
        (&[][..], "flashed "),
        (
            &[],
            "app.bin is there already (11 bytes); --erase flashes it anyway",
        ),
        (&["--erase"], "flashed "),
    ] {
        let output = proving(&bench, &[&["flash", "--board", "idf"], more].concat());
        assert!(output.status.success(), "{output:?}");
        assert!(stdout(&output).contains(expected), "{output:?}");
    }
    assert_eq!(
        fs::read_to_string(path("flashed")).unwrap(),
        "0x1000\n0x1000\n"
    );
    let refused = proving(&bench, &["flash", "firmware.elf", "--board", "idf"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        stderr(&refused).contains("cannot be flashed with an ELF"),
        "{refused:?}"
    );
    device.join().unwrap();
}

#[test]
fn what_cannot_be_done_says_what_to_type() {
    let bench = bench(SOCKET);
    for (arguments, expected) in [
        (
            &["log", "--board", "c6"][..],
            "there is no board `c6` in rig.toml help: there are: qemu, idf",
        ),
        (
            &["log", "--board", "idf", "--reset"],
            "write `reset` or `reset_command` for it",
        ),
        (
            &["flash", "--board", "idf"],
            "write `flash.command` and `flash.images` for it",
        ),
        (
            &["log", "--board", "idf", "--rig", "other.toml"],
            "failed to read the rig file other.toml",
        ),
    ] {
        let output = proving(&bench, arguments);
        assert!(!output.status.success(), "{output:?}");
        assert!(
            stderr(&output).contains(expected),
            "{expected}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn images_without_tests_are_told_before_anything_starts() {
    let bench = bench(SOCKET);
    fs::write(bench.path().join("image.elf"), "no ELF").unwrap();
    for arguments in [
        &["test", "image.elf", "--board", "qemu"][..],
        &["test", "none.elf", "--board", "idf"],
        &["test", "image.elf", "--board", "idf", "--list"],
    ] {
        let output = proving(&bench, arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(stderr(&output).contains(arguments[1]), "{output:?}");
    }
}

#[test]
fn without_the_emulator_everybody_is_told_how_to_install_it() {
    let bench = bench("");
    let scenarios = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/softap");
    let output = command(&bench, &["run", "--board", "qemu", scenarios])
        .env("PATH", bench.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let said = stderr(&output);
    for expected in [
        "there is no `qemu-system-arm` on this host",
        "sudo apt install qemu-system-arm",
    ] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}
