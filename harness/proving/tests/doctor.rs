//! `proving doctor` on a host whose BlueZ and NetworkManager are stand-ins and whose port is a pty; and
//! runs that end broken by the same, which name the same command.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod sandbox;

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use board::lease::Leases;
use board::serial::pseudo_terminal;
use clock::Clock;
use lab::bluetooth::{BluezPhone, BluezStandIn, Ether};
use lab::network_manager::{HostNetwork, NetworkManagerStandIn};
use lab::private_bus;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;
use trace::Trace;

/// A host with a Bluetooth adapter and a Wi-Fi interface, and a rig file.
struct Host {
    folder: TempDir,
    bus: String,
    asks: tokio::sync::mpsc::UnboundedSender<Ask>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

type Ask = Box<dyn FnOnce(&BluezStandIn, &NetworkManagerStandIn) + Send>;

impl Host {
    /// A host whose rig file is `rig`, with `{port}` for the name of a pty.
    fn start(rig: &str) -> Self {
        let folder = sandbox::folder();
        static HOSTS: AtomicUsize = AtomicUsize::new(0);
        let number = HOSTS.fetch_add(1, Ordering::Relaxed);
        let bus = format!("unix:abstract=doctor-{}-{number}", std::process::id());
        private_bus::start(&bus).unwrap();
        let (ready, started) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let (asks, mut asked) = tokio::sync::mpsc::unbounded_channel::<Ask>();
        let address = bus.clone();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let clock = Clock::start(1.0);
                let trace = Trace::in_memory(clock.clone());
                let ether = Ether::new(trace.clone());
                let phones = [BluezPhone {
                    name: "host".to_owned(),
                    address: [0x06, 0x50, 0, 0, 0, 1],
                }];
                let bluez = BluezStandIn::start(&ether, &clock, &address, &phones);
                let bluez = bluez.await.unwrap();
                let office = [HostNetwork {
                    ssid: "office".to_owned(),
                    passphrase: None,
                    address: Some(Ipv4Addr::LOCALHOST),
                }];
                let host = NetworkManagerStandIn::start(&trace, &address, "wlan1", &office);
                let host = host.await.unwrap();
                let (_uart, port) = pseudo_terminal().unwrap();
                ready.send(port.display().to_string()).unwrap();
                let answer = async {
                    while let Some(ask) = asked.recv().await {
                        ask(&bluez, &host);
                    }
                };
                tokio::select! {
                    () = answer => {}
                    _ = stopped => {}
                }
            });
        });
        let port = started.recv().unwrap();
        let rig = rig.replace("{port}", &port);
        fs::write(folder.path().join("rig.toml"), rig).unwrap();
        Self {
            folder,
            bus,
            asks,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Has something done to the stand-ins, and waits until it is.
    fn ask(&self, what: impl FnOnce(&BluezStandIn, &NetworkManagerStandIn) + Send + 'static) {
        let (done, is_done) = mpsc::channel();
        let ask: Ask = Box::new(move |bluez, host| {
            what(bluez, host);
            done.send(()).unwrap();
        });
        assert!(self.asks.send(ask).is_ok());
        is_done.recv().unwrap();
    }

    fn proving(&self, arguments: &[&str]) -> Output {
        let mut command = sandbox::command(env!("CARGO_BIN_EXE_proving"), self.folder());
        command
            .args(arguments)
            .env("DBUS_SYSTEM_BUS_ADDRESS", &self.bus)
            .env("HOME_PASSPHRASE", "correct horse")
            .output()
            .unwrap()
    }

    /// The exit code and the findings of `proving doctor`.
    fn findings(&self) -> (Option<i32>, Vec<Value>) {
        let output = self.proving(&["doctor", "--board", "dut", "--message-format", "json"]);
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let (end, findings) = lines.split_last().unwrap();
        assert_eq!(end["type"], "doctor_finished");
        assert_eq!(end["exit"], output.status.code().unwrap());
        (output.status.code(), findings.to_vec())
    }

    /// The only finding that is not ok.
    fn fault(&self) -> Value {
        let (code, findings) = self.findings();
        assert_eq!(code, Some(3), "{findings:#?}");
        let mut faults = findings.into_iter().filter(|one| one["answer"] == "not-ok");
        let fault = faults.next().unwrap();
        assert_eq!(faults.next(), None);
        fault
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

/// A rig on which everything is as it should be.
const SOUND: &str = "\
[boards.dut]\nkind = \"serial\"\nport = \"{port}\"\nfactory = { command = [\"true\", \"{file}\"] }\n\
[phone]\nbluetooth = \"hci0\"\nwifi = \"wlan1\"\nlan = \"lo\"\n\
[access_points.home]\nssid = \"lab\"\npassphrase = \"env:HOME_PASSPHRASE\"\n\
[broker]\nbind = \"127.0.0.1\"\n";

#[test]
fn on_a_host_that_has_all_nothing_is_not_ok_and_nothing_is_changed() {
    let host = Host::start(SOUND);
    let (code, findings) = host.findings();
    assert_eq!(code, Some(0), "{findings:#?}");
    let said = |check: &str, words: &str| {
        let is_it =
            |one: &&Value| one["check"] == check && one["said"].as_str().unwrap().contains(words);
        let found = findings.iter().find(is_it);
        let found = found.unwrap_or_else(|| panic!("{check}: {words}: {findings:#?}"));
        found["answer"].as_str().unwrap().to_owned()
    };
    for (check, words) in [
        ("lease", "no run holds dut"),
        ("port", "is there"),
        ("port", "this user may open it"),
        ("port", "no process that this user can see"),
        ("factory", "true is there"),
        ("secret", "access_points.home.passphrase"),
        ("bluetooth", "has hci0 (06:50:00:00:00:01)"),
        ("bluetooth", "hci0 is on"),
        ("wifi", "it is connected to office"),
        (
            "polkit",
            "yes to org.freedesktop.NetworkManager.checkpoint-rollback",
        ),
        ("lan", "lo has 127.0.0.1"),
        ("broker", "127.0.0.1 is an address of this host"),
    ] {
        assert_eq!(said(check, words), "ok", "{check}: {words}");
    }
    assert_eq!(
        said("broker", "only programs of this host reach"),
        "unknown"
    );
    assert!(
        findings
            .iter()
            .all(|one| !one["said"].as_str().unwrap().contains("horse"))
    );
    // What it would have made.
    assert!(!host.folder().join("runtime/proving").exists());
    assert!(!host.folder().join("state").exists());
}

#[test]
fn each_fault_of_the_radios_has_the_command_that_mends_it() {
    type Break = fn(&BluezStandIn, &NetworkManagerStandIn, bool);
    let faults: [(Break, &str, &str, &str); 4] = [
        (
            |_, host, broken| host.set_managed(!broken),
            "wifi",
            "leaves wlan1 alone",
            "sudo nmcli device set wlan1 managed yes",
        ),
        (
            |_, host, broken| host.set_enabled(!broken),
            "wifi",
            "keeps all Wi-Fi off",
            "nmcli radio wifi on",
        ),
        (
            |_, host, broken| {
                host.set_consent("checkpoint-rollback", if broken { "auth" } else { "yes" });
            },
            "polkit",
            "checkpoint-rollback asks for a password",
            "sudo tee /etc/polkit-1/rules.d/50-proving.rules",
        ),
        (
            |_, host, broken| {
                host.set_consent("network-control", if broken { "no" } else { "yes" });
            },
            "polkit",
            "no to org.freedesktop.NetworkManager.network-control",
            "sudo tee /etc/polkit-1/rules.d/50-proving.rules",
        ),
    ];
    let host = Host::start(SOUND);
    for (break_it, check, words, mend) in faults {
        host.ask(move |bluez, manager| break_it(bluez, manager, true));
        let fault = host.fault();
        assert_eq!(fault["check"], check, "{fault:#}");
        assert!(fault["said"].as_str().unwrap().contains(words), "{fault:#}");
        assert!(fault["mend"].as_str().unwrap().contains(mend), "{fault:#}");
        host.ask(move |bluez, manager| break_it(bluez, manager, false));
    }
    assert_eq!(host.findings().0, Some(0));
}

#[test]
fn an_adapter_that_is_off_is_no_fault() {
    let host = Host::start(SOUND);
    host.ask(|bluez, _| bluez.set_blocked(0, true));
    let (code, findings) = host.findings();
    assert_eq!(
        code,
        Some(0),
        "the kernel has no such switch here: {findings:#?}"
    );
    let is_off = |one: &Value| one["said"].as_str().unwrap().contains("hci0 is off");
    assert!(findings.iter().any(is_off), "{findings:#?}");
}

#[test]
fn what_is_not_there_is_told_with_what_mends_it() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    for (from, to, check, mend) in [
        ("hci0", "hci7", "bluetooth", "bluetooth = \"hci0\""),
        ("wlan1", "wlan7", "wifi", "nmcli device"),
        ("lan = \"lo\"", "lan = \"nowhere9\"", "lan", "ip address"),
        ("\"true\"", "\"esptool-nowhere\"", "factory", "install it"),
        ("\"true\"", "\"./burn\"", "factory", "chmod +x"),
        ("{port}", "/dev/ttyNowhere9", "port", "proving boards"),
        (
            "HOME_PASSPHRASE",
            "NOWHERE_SET",
            "secret",
            "export NOWHERE_SET",
        ),
        ("127.0.0.1", "192.0.2.7", "broker", "ip -4 -brief address"),
        (
            "bind = \"127.0.0.1\"",
            &format!("bind = \"127.0.0.1\"\nport = {port}"),
            "broker",
            "ss -ltnp",
        ),
    ] {
        let host = Host::start(&SOUND.replace(from, to));
        let fault = host.fault();
        assert_eq!(fault["check"], check, "{fault:#}");
        assert!(fault["mend"].as_str().unwrap().contains(mend), "{fault:#}");
    }
}

#[test]
fn a_host_without_bluez_and_networkmanager_is_told_how_to_have_them() {
    let host = Host::start(SOUND);
    let bus = format!("unix:abstract=doctor-empty-{}", std::process::id());
    private_bus::start(&bus).unwrap();
    let output = sandbox::command(env!("CARGO_BIN_EXE_proving"), host.folder())
        .args(["doctor", "--board", "dut"])
        .env("DBUS_SYSTEM_BUS_ADDRESS", &bus)
        .env("HOME_PASSPHRASE", "correct horse")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{text}");
    for words in [
        "org.bluez does not run",
        "sudo systemctl enable --now bluetooth",
        "org.freedesktop.NetworkManager does not run",
        "sudo systemctl enable --now NetworkManager",
        "2 not ok",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn a_board_that_a_run_holds_and_a_port_that_a_program_has_are_told() {
    let host = Host::start(SOUND);
    let rig = board::rig::Rig::read(&host.folder().join("rig.toml")).unwrap();
    let dut = &rig.boards["dut"];
    let board::rig::BoardLink::Serial(link) = &dut.link else {
        panic!("a board with a UART");
    };
    let port = link.port.to_string();
    let opened = fs::File::options()
        .read(true)
        .write(true)
        .open(&port)
        .unwrap();
    let fault = host.fault();
    assert!(
        fault["mend"]
            .as_str()
            .unwrap()
            .contains(&format!("fuser -v {port}")),
        "{fault:#}"
    );
    drop(opened);
    let leases = Leases::in_folder(host.folder().join("runtime/proving")).unwrap();
    let until = SystemTime::now() + Duration::from_secs(600);
    let _lease = leases.take(&dut.identity(), "another run", until).unwrap();
    let fault = host.fault();
    assert_eq!(fault["check"], "lease");
    assert!(
        fault["said"].as_str().unwrap().contains("another run"),
        "{fault:#}"
    );
    assert!(
        fault["mend"].as_str().unwrap().contains("--wait 10m"),
        "{fault:#}"
    );
}

#[test]
fn a_board_that_is_in_no_rig_file_is_a_mistake_of_the_command_line() {
    let host = Host::start(SOUND);
    let output = host.proving(&["doctor", "--board", "lamp"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

/// Provisioned over this transport.
fn case(over: &str) -> String {
    format!(
        "name: A phone needs the host\n\
         world:\n  access_points: {{ home: {{}} }}\n\
         \x20 devices: {{ device: {{ provisioning: {{ over: {over} }} }} }}\n  phones: [alice]\n\
         steps:\n  - power: on\n  - provision: {{ phone: alice, join: home, outcome: connected }}\n"
    )
}

#[test]
fn a_run_that_is_broken_by_the_host_names_the_command_that_doctor_names() {
    type Break = fn(&BluezStandIn, &NetworkManagerStandIn);
    let nothing: Break = |_, _| {};
    let faults: [(&str, &str, &str, Break, &str); 5] = [
        (
            "softap",
            "wlan1",
            "wlan1",
            |_, host| host.set_managed(false),
            "managed yes",
        ),
        (
            "softap",
            "wlan1",
            "wlan1",
            |_, host| host.set_consent("checkpoint-rollback", "auth"),
            "sudo tee /etc/polkit-1/rules.d/50-proving.rules",
        ),
        ("softap", "wlan1", "wlan7", nothing, "nmcli device"),
        ("ble", "hci0", "hci7", nothing, "bluetooth = \"hci0\""),
        (
            "ble",
            "hci0",
            "hci0",
            |bluez, _| bluez.set_blocked(0, true),
            "sudo rfkill unblock bluetooth",
        ),
    ];
    for (over, from, to, break_it, mend) in faults {
        let host = Host::start(&SOUND.replace(from, to));
        fs::write(host.folder().join("case.yaml"), case(over)).unwrap();
        host.ask(break_it);
        let arguments = [
            "run",
            "case.yaml",
            "--board",
            "dut",
            "--message-format",
            "json",
        ];
        let output = host.proving(&arguments);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let mut messages = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let finished = messages
            .find(|message| message["type"] == "attempt_finished")
            .unwrap();
        let result = &finished["result"];
        assert_eq!(result["verdict"], "broken", "{result:#}");
        let advice = result["failure"]["diagnosis"].as_str().unwrap();
        assert!(advice.contains(mend), "{over} {to}: {result:#}");
    }
}
