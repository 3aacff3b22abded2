//! Runs on boards of a rig file: on the emulated board as if it were a real one, and on a recorded
//! device behind a pty.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod finished;
mod sandbox;

use std::ffi::CStr;
use std::fs::{self, File};
use std::io::Write;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use board::lease::Leases;
use clock::Clock;
use lab::air::{AccessPointSettings, Air, Protocol};
use lab::qemu::{Cables, EMULATOR, Machine, MachineSettings, TARGET_DESCRIPTION};
use lab::wire::{LabEnd, Wire};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::sync::oneshot;
use trace::Trace;

use finished::results;

const PASSPHRASE: &str = "correct horse";
const BROKER: &str = "lab.example";

const OVER_THE_CONSOLE: &str = r#"
name: From the console to the broker
world:
  access_points: { home: {} }
  cloud: {}
  devices:
    device:
      provisioning: { over: console }
      telemetry: { topic: v1/devices/me/telemetry, payload: '{"temperature":21.5}', qos: 1 }
  phones: [alice]
steps:
  - power: on
  - expect: { log: { text: Provisioning started }, within: 10s }
  - provision: { phone: alice, join: home, outcome: connected }
  - expect: { mqtt: { kind: publish, where: { /payload/temperature: 21.5 } }, within: 30s }
"#;
const OVER_SOFTAP: &str = r#"
name: Over a SoftAP
world:
  access_points: { home: {}, guest: {} }
  devices: { device: {} }
  phones: [alice]
steps:
  - power: on
  - provision: { phone: alice, join: home, outcome: connected }
"#;
const ONLY_THE_LOG: &str = r#"
name: It starts
world:
  devices: { device: {} }
steps:
  - power: on
  - expect: { log: { tag: app, text: Provisioning started }, within: 10s }
"#;

/// A folder with a rig file, scenarios and leases.
fn bench(rig: &str, scenarios: &[(&str, &str)]) -> TempDir {
    let folder = sandbox::folder();
    fs::write(folder.path().join("rig.toml"), rig).unwrap();
    for (name, text) in scenarios {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn proving(bench: &Path, arguments: &[&str]) -> Output {
    let mut command = sandbox::command(env!("CARGO_BIN_EXE_proving"), bench);
    command
        .args(["run", "--board", "dut", "--message-format", "json"])
        .args(arguments)
        .env("HOME_PASSPHRASE", PASSPHRASE);
    command.output().unwrap()
}

/// The image and the emulator, if they are there. Where the judges are required, so are they.
fn image(test: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let image = target.join("firmware/thumbv7em-none-eabi/release/mps2");
    let has_emulator = Command::new(EMULATOR).arg("--version").output().is_ok();
    let missing = match (image.is_file(), has_emulator) {
        (true, true) => return Some(fs::canonicalize(image).unwrap()),
        (false, _) => "there is no image: cargo xtask firmware mps2",
        (_, false) => "the emulator is not installed",
    };
    assert!(
        std::env::var_os("PROVING_JUDGES_REQUIRED").is_none(),
        "{missing}"
    );
    eprintln!("{test}: skipped, because {missing}");
    None
}

/// An emulated board in an air of its own, which a rig file can name.
struct StandIn {
    selector: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl StandIn {
    /// Its console is the socket `console` in `folder`; broker and time server are on these ports.
    fn start(folder: &Path, broker: u16, time: u16) -> Self {
        let (ready, selector) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let folder = folder.to_owned();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let clock = Clock::start(1.0);
                let trace = Trace::in_memory(clock.clone());
                let air = Air::new(trace.clone());
                air.add_access_point(
                    "home",
                    AccessPointSettings {
                        ssid: b"lab".to_vec(),
                        passphrase: PASSPHRASE.to_owned(),
                        ..AccessPointSettings::default()
                    },
                );
                let here = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
                air.publish(BROKER, broker, Protocol::Tcp, here(broker));
                air.publish(BROKER, time, Protocol::Udp, here(time));
                let (console, lab) = Wire::pair(&clock);
                let cables = Cables {
                    link: Some(air.attach("stand-in")),
                    console: Some(console),
                    hci: None,
                };
                let settings = MachineSettings {
                    device: "stand-in".to_owned(),
                    folder: folder.clone(),
                    qemu: EMULATOR.into(),
                };
                let machine = Machine::start(settings, trace.clone(), cables).await;
                let mut machine = machine.unwrap();
                machine.power(true).await.unwrap();
                let server = UnixListener::bind(folder.join("console")).unwrap();
                ready.send(machine.selector().to_owned()).unwrap();
                tokio::select! {
                    _ = stopped => {}
                    () = serve(server, lab) => {}
                }
            });
        });
        Self {
            selector: selector.recv().unwrap(),
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Lets one client after the other use the console.
async fn serve(server: UnixListener, mut console: LabEnd) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    loop {
        let (mut client, _) = server.accept().await.unwrap();
        let (mut reader, mut writer) = client.split();
        let (mut typed, mut printed) = ([0; 4096], [0; 4096]);
        loop {
            tokio::select! {
                read = reader.read(&mut typed) => match read {
                    Ok(length @ 1..) => console.write_all(&typed[..length]).await.unwrap(),
                    _ => break,
                },
                read = console.read(&mut printed) => {
                    let length = read.unwrap();
                    if writer.write_all(&printed[..length]).await.is_err() {
                        break;
                    }
                }
            }
        }
    }
}

fn free_ports() -> (u16, u16) {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    (
        tcp.local_addr().unwrap().port(),
        udp.local_addr().unwrap().port(),
    )
}

#[test]
fn a_board_behind_a_probe_is_provisioned_over_its_console_and_finds_the_rigs_broker() {
    let Some(image) = image("a_board_behind_a_probe") else {
        return;
    };
    let bench = bench(
        "",
        &[
            ("console.yaml", OVER_THE_CONSOLE),
            ("softap.yaml", OVER_SOFTAP),
        ],
    );
    let folder = bench.path();
    let (broker, time) = free_ports();
    let stand_in = StandIn::start(folder, broker, time);
    fs::write(folder.join("chip.yaml"), TARGET_DESCRIPTION).unwrap();
    let rig = format!(
        "[boards.dut]\nkind = \"probe\"\nselector = \"{}\"\ntarget = \"chip.yaml\"\n\
         image = \"{}\"\nconsole = \"socket:console\"\n\
         [access_points.home]\nssid = \"lab\"\npassphrase = \"env:HOME_PASSPHRASE\"\n\
         [broker]\nbind = \"127.0.0.1\"\nport = {broker}\ntime_port = {time}\nnames = [\"{BROKER}\"]\n",
        stand_in.selector,
        image.display(),
    );
    fs::write(folder.join("rig.toml"), rig).unwrap();

    let output = proving(folder, &["console.yaml", "softap.yaml", "--repeat", "2"]);
    let results = results(&output);
    assert_eq!(output.status.code(), Some(0), "{results:#?} {output:?}");
    let of = |name: &str| {
        let found = results.iter().find(|result| result["name"] == name);
        found.unwrap()
    };
    assert_eq!(
        of("Over a SoftAP")["skipped"],
        "needs soft-ap (rig.toml names no `[phone] wifi`), `[access_points.guest]` in the rig file",
        "{results:#?}"
    );
    let passed = of("From the console to the broker");
    assert_eq!(passed["verdict"], "passed", "{results:#?}");
    // The second attempt found the image where it was.
    let second = passed["attempts"][1]["folder"].as_str().unwrap();
    let trace = fs::read_to_string(folder.join(second).join("trace.jsonl")).unwrap();
    assert!(trace.contains("\"skipped\":true"), "{trace}");
    assert!(!trace.contains(PASSPHRASE), "{trace}");

    let leases = Leases::in_folder(folder.join("runtime/proving")).unwrap();
    let board = format!("probe {}", stand_in.selector);
    let until = SystemTime::now() + Duration::from_secs(60);
    let _lease = leases.take(&board, "another run", until).unwrap();
    let output = proving(folder, &["console.yaml"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("another run"), "{said}");
}

#[test]
fn a_board_with_a_uart_is_listened_to_from_its_first_line() {
    let bench = bench("", &[("log.yaml", ONLY_THE_LOG)]);
    let device = recorded_device(bench.path());
    let output = proving(bench.path(), &["log.yaml"]);
    let results = results(&output);
    assert_eq!(output.status.code(), Some(0), "{results:#?} {output:?}");
    assert_eq!(results[0]["verdict"], "passed", "{results:#?}");
    assert!(bench.path().join("burnt").metadata().unwrap().len() > 0);
    drop(device.join().unwrap());
}

#[test]
fn one_run_has_several_boards_and_a_result_from_each() {
    let bench = bench("", &[("log.yaml", ONLY_THE_LOG)]);
    let device = recorded_device(bench.path());
    let output = proving(bench.path(), &["--board", "native", "log.yaml"]);
    let results = results(&output);
    assert_eq!(output.status.code(), Some(0), "{results:#?} {output:?}");
    let mut of: Vec<_> = results
        .iter()
        .map(|result| [&result["board"], &result["verdict"]])
        .map(|words| words.map(|word| word.as_str().unwrap()))
        .collect();
    of.sort_unstable();
    assert_eq!(
        of,
        [["dut", "passed"], ["native", "passed"]],
        "{results:#?}"
    );
    drop(device.join().unwrap());
}

/// Makes the rig of `bench` one with a board behind a pty, which plays its recorded log once it is
/// restarted.
fn recorded_device(bench: &Path) -> thread::JoinHandle<File> {
    let (mut device, port) = pty();
    let rig = format!(
        "[boards.dut]\nkind = \"serial\"\nport = \"{}\"\nreset_command = [\"./restart\"]\n\
         factory = {{ command = [\"./burn\", \"{{port}}\", \"{{file}}\"] }}\n",
        port.display()
    );
    fs::write(bench.join("rig.toml"), rig).unwrap();
    script(bench, "restart", "touch restarted");
    script(bench, "burn", "cp \"$2\" burnt");
    let restarted = bench.join("restarted");
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/logs/esp_idf.log");
    let recorded = fs::read(recorded).unwrap();
    thread::spawn(move || {
        let began = SystemTime::now();
        while !restarted.exists() {
            assert!(
                began.elapsed().unwrap() < Duration::from_secs(60),
                "nobody restarts it"
            );
            thread::sleep(Duration::from_millis(5));
        }
        device.write_all(&recorded).unwrap();
        device
    })
}

#[test]
fn a_board_that_does_not_answer_ends_broken_and_says_which() {
    let rig = "[boards.dut]\nkind = \"serial\"\nport = \"socket:nobody\"\n\
               factory = { command = [\"./burn\", \"{file}\"] }\n";
    let bench = bench(rig, &[("log.yaml", ONLY_THE_LOG)]);
    script(bench.path(), "burn", "true");
    let output = proving(bench.path(), &["log.yaml"]);
    let results = results(&output);
    assert_eq!(output.status.code(), Some(3), "{results:#?}");
    let failure = &results[0]["attempts"][0]["failure"];
    let said = failure["message"].as_str().unwrap();
    assert!(said.contains("nothing listens at socket:"), "{said}");
}

/// Its expectation fails only once the device had more than 10 s.
const IT_IS_HEARD: &str = r#"
name: It is heard
world:
  devices: { device: {} }
steps:
  - power: on
  - expect: { log: { tag: app, text: Provisioning started }, within: 2s }
"#;

/// What a UART at 115200 bit/s makes of a device that sends at 74880.
const AT_ANOTHER_SPEED: &[u8] =
    include_bytes!("../../../fixtures/logs/esp_idf_74880_at_115200.bin");

/// How the only case ends on a board that prints `first` at its first start and `second` at its second:
/// its only attempt.
fn printing(scenario: &str, first: &'static [u8], second: &'static [u8]) -> (Option<i32>, Value) {
    let bench = bench("", &[("log.yaml", scenario)]);
    let (mut device, port) = pty();
    let rig = format!(
        "[boards.dut]\nkind = \"serial\"\nport = \"{}\"\nreset_command = [\"./restart\"]\n\
         factory = {{ command = [\"true\", \"{{file}}\"] }}\n",
        port.display()
    );
    fs::write(bench.path().join("rig.toml"), rig).unwrap();
    script(bench.path(), "restart", "echo >> restarted");
    let restarted = bench.path().join("restarted");
    let (stop, stopped) = mpsc::channel::<()>();
    let player = thread::spawn(move || {
        let mut starts = 0;
        while stopped.recv_timeout(Duration::from_millis(10))
            == Err(mpsc::RecvTimeoutError::Timeout)
        {
            let now = fs::read(&restarted).map_or(0, |all| all.len());
            if now > starts {
                starts = now;
                device
                    .write_all(if now == 1 { first } else { second })
                    .unwrap();
            }
        }
    });
    let output = proving(bench.path(), &["log.yaml"]);
    drop(stop);
    player.join().unwrap();
    let results = results(&output);
    assert_eq!(results.len(), 1, "{output:?}");
    (output.status.code(), results[0]["attempts"][0].clone())
}

#[test]
fn a_board_that_prints_nothing_is_the_rigs_fault_and_what_is_likely_is_told() {
    let (code, attempt) = printing(IT_IS_HEARD, b"", b"");
    assert_eq!(
        (code, &attempt["verdict"]),
        (Some(3), &"broken".into()),
        "{attempt:#}"
    );
    let failure = &attempt["failure"];
    let blame = failure["blame"].as_str().unwrap();
    assert!(blame.contains("nothing at all came from"), "{failure:#}");
    let advice = failure["diagnosis"].as_str().unwrap();
    for words in [
        "the port",
        "the power",
        "the image",
        "How to tell",
        "proving log --board dut",
    ] {
        assert!(advice.contains(words), "{words}: {failure:#}");
    }
}

#[test]
fn a_board_that_prints_no_text_is_at_another_speed_which_is_told() {
    let (code, attempt) = printing(IT_IS_HEARD, AT_ANOTHER_SPEED, b"");
    assert_eq!(
        (code, &attempt["verdict"]),
        (Some(3), &"broken".into()),
        "{attempt:#}"
    );
    let advice = attempt["failure"]["diagnosis"].as_str().unwrap();
    assert!(advice.contains("write `baud = 74880`"), "{attempt:#}");
}

#[test]
fn a_rom_loader_that_starts_no_firmware_is_the_rigs_fault() {
    for (printed, words) in [
        (&b"ESP-ROM:esp32c3-api1-20210207\r\nBuild:Feb  7 2021\r\nrst:0x1 (POWERON),boot:0x4 (DOWNLOAD(USB/UART0/1))\r\nwaiting for download\r\n"[..], "boot pin"),
        (&b"ESP-ROM:esp32c3-api1-20210207\r\nrst:0x1 (POWERON),boot:0xc (SPI_FAST_FLASH_BOOT)\r\ninvalid header: 0xffffffff\r\ninvalid header: 0xffffffff\r\n"[..], "the image"),
    ] {
        let (code, attempt) = printing(IT_IS_HEARD, printed, b"");
        assert_eq!((code, &attempt["verdict"]), (Some(3), &"broken".into()), "{attempt:#}");
        let advice = attempt["failure"]["diagnosis"].as_str().unwrap();
        assert!(advice.contains(words), "{attempt:#}");
    }
}

#[test]
fn a_board_that_was_heard_before_and_is_silent_after_a_reset_fails() {
    let scenario = IT_IS_HEARD.replace(
        "  - expect:",
        "  - expect: { log: { tag: app, text: Hello }, within: 10s }\n  - power: reset\n  - expect:",
    );
    let (code, attempt) = printing(&scenario, b"I (312) app: Hello\r\n", b"");
    assert_eq!(
        (code, &attempt["verdict"]),
        (Some(1), &"failed".into()),
        "{attempt:#}"
    );
    let advice = attempt["failure"]["diagnosis"].as_str().unwrap();
    assert!(advice.starts_with("the firmware: "), "{attempt:#}");
}

#[test]
fn a_board_that_prints_something_else_fails_as_ever() {
    let (code, attempt) = printing(IT_IS_HEARD, b"I (312) app: Hello\r\n", b"");
    assert_eq!(
        (code, &attempt["verdict"]),
        (Some(1), &"failed".into()),
        "{attempt:#}"
    );
}

#[test]
fn a_name_that_no_board_has_is_told_with_those_that_there_are() {
    let rig = "[boards.lamp]\nkind = \"serial\"\nport = \"socket:uart\"\n";
    let bench = bench(rig, &[("log.yaml", ONLY_THE_LOG)]);
    let output = proving(bench.path(), &["log.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    for expected in ["there is no board `dut` in rig.toml", "native, qemu, lamp"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
}

/// The device's end of a pty, and the path of the other.
fn pty() -> (File, PathBuf) {
    let mut name = [0; 128];
    // SAFETY: the calls get a descriptor that is open, and a buffer with its length.
    unsafe {
        let fd = libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC);
        assert!(fd >= 0, "a pty");
        let device = File::from(OwnedFd::from_raw_fd(fd));
        assert_eq!(libc::grantpt(fd), 0);
        assert_eq!(libc::unlockpt(fd), 0);
        assert_eq!(libc::ptsname_r(fd, name.as_mut_ptr(), name.len()), 0);
        let path = CStr::from_ptr(name.as_ptr()).to_str().unwrap();
        (device, PathBuf::from(path))
    }
}

/// A script in `folder` that can be started.
fn script(folder: &Path, name: &str, body: &str) {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\nset -eu\n{body}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}
