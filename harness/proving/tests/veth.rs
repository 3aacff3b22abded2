//! Whole cases on a rig whose LAN is a real interface: phones are at one end of a veth pair, and the device
//! at the other, in a network namespace of its own. Nothing of the host's own network is touched.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod finished;
#[expect(dead_code, reason = "this test needs a part of it")]
mod imitated;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use finished::results;
use imitated::Standing;

/// Set in the process that is in a namespace of its own.
const ROLE: &str = "PROVING_TEST_VETH";
const TEST: &str = "a_device_behind_a_real_interface_is_bound_by_query";
/// The kernel leaves checksums and long segments to hardware, which a cable to a socket has not.
const PHONE_SIDE: &str = r#"
import array, fcntl, socket, struct
for command in (0x17, 0x1f, 0x24):  # ETHTOOL_STXCSUM, _STSO, _SGSO
    value = array.array("I", [command, 0])
    request = struct.pack("16sP16x", b"phone0", value.buffer_info()[0])
    fcntl.ioctl(socket.socket(), 0x8946, request)
"#;
/// Joins the device's end of the cable and the LAN of the imitated rig, and is that LAN's DHCP server. The way out of
/// the LAN is the phones' host, which answers ARP.
const DEVICE_SIDE: &str = r#"
import os, socket, struct, sys, threading, time
OWN, SERVER, DEVICE = b"\x02\0\0\0\x77\x01", bytes([192, 168, 77, 2]), bytes([192, 168, 77, 50])
while "device0" not in [name for _, name in socket.if_nameindex()]:
    time.sleep(0.05)
os.system("ip link set device0 up")
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
wire.bind(("device0", 0))
lan = socket.socket(socket.AF_UNIX)
lan.connect(sys.argv[1])
writing = threading.Lock()
def to_lan(frame):
    with writing:
        lan.sendall(struct.pack(">I", len(frame)) + frame)
def from_wire():
    while True:
        frame, (_, _, kind, _, _) = wire.recvfrom(65536)
        if kind != socket.PACKET_OUTGOING:
            to_lan(frame)
def exactly(length):
    data = b""
    while len(data) < length:
        more = lan.recv(length - len(data))
        if not more:
            sys.exit()
        data += more
    return data
def checksum(header):
    total = sum(struct.unpack(">10H", header))
    total = (total & 0xffff) + (total >> 16)
    return ~((total & 0xffff) + (total >> 16)) & 0xffff
def leased(frame):
    """The answer to a request of DHCP (RFC 2131), which anything else is none."""
    if frame[12:14] != b"\x08\0" or frame[23] != 17:
        return None
    at = 14 + (frame[14] & 15) * 4
    if frame[at + 2:at + 4] != b"\0\x43":
        return None
    asked, options, kind = frame[at + 8:], frame[at + 8 + 240:], 0
    while len(options) > 2 and options[0] != 255:
        if options[0] == 53:
            kind = options[2]
        options = options[2 + options[1]:] if options[0] else options[1:]
    told = bytes([53, 1, 2 if kind == 1 else 5]) + b"\x36\x04" + SERVER + b"\x33\x04\0\0\x0e\x10"
    told += b"\x01\x04\xff\xff\xff\0" + b"\x03\x04" + SERVER + b"\x06\x04" + SERVER + b"\xff"
    bootp = b"\x02\x01\x06\0" + asked[4:8] + b"\0" * 8 + DEVICE + SERVER + b"\0" * 4
    bootp += asked[28:44] + b"\0" * 192 + b"\x63\x82\x53\x63" + told
    udp = struct.pack(">HHHH", 67, 68, 8 + len(bootp), 0) + bootp
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + SERVER + b"\xff" * 4
    header = header[:10] + struct.pack(">H", checksum(header)) + header[12:]
    return frame[6:12] + OWN + b"\x08\0" + header + udp
threading.Thread(target=from_wire, daemon=True).start()
print("ready", flush=True)
while True:
    frame = exactly(struct.unpack(">I", exactly(4))[0])
    answer = leased(frame)
    if answer:
        to_lan(answer)
    else:
        wire.send(frame)
"#;

fn python() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let target =
        target.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"));
    let judges = std::env::var_os("PROVING_JUDGES").map(PathBuf::from);
    judges
        .unwrap_or_else(|| target.join("judges"))
        .join("bin/python")
}

/// What is missing to run this test here, if anything is.
fn missing() -> Option<String> {
    let found = Command::new(python()).args(["-c", "pass"]).status();
    if !found.is_ok_and(|status| status.success()) {
        return Some("the judges are not installed: `cargo xtask setup` installs them".into());
    }
    let veth = "ip link add phone0 type veth peer name device0";
    let tried = Command::new("unshare")
        .args(["--net", "sh", "-c", veth])
        .output();
    match tried {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(format!("unshare: {error}")),
    }
}

#[test]
fn a_device_behind_a_real_interface_is_bound_by_query() {
    if std::env::var_os(ROLE).is_some() {
        return in_its_namespace();
    }
    if let Some(missing) = missing() {
        let required = std::env::var_os("PROVING_JUDGES_REQUIRED").is_some();
        assert!(!required, "{missing}");
        eprintln!("{TEST}: skipped, because {missing}");
        return;
    }
    let output = Command::new("unshare")
        .arg("--net")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env(ROLE, "phone")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn ip(arguments: &str) {
    let mut ip = Command::new("ip");
    let status = ip.args(arguments.split(' ')).status().unwrap();
    assert!(status.success(), "ip {arguments}");
}

/// What carries the device's frames; ended when dropped.
struct Carrier(Child);

impl Drop for Carrier {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lays the cable between phones and the LAN of `rig`.
fn lay_cable(rig: &Standing) -> Carrier {
    ip("link set lo up");
    ip("link add phone0 type veth peer name device0");
    let carrier = Command::new("unshare")
        .arg("--net")
        .arg(python())
        .args(["-c", DEVICE_SIDE])
        .arg(rig.rig().join("lan.sock"))
        .stdout(Stdio::null())
        .spawn();
    let carrier = Carrier(carrier.unwrap());
    // `unshare` becomes Python itself, in the new namespace.
    let namespace = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
    let began = Instant::now();
    while namespace(carrier.0.id()) == namespace(std::process::id()) {
        assert!(began.elapsed() < Duration::from_secs(20), "no namespace");
        std::thread::yield_now();
    }
    ip(&format!("link set device0 netns {}", carrier.0.id()));
    ip("addr add 192.168.77.2/24 brd + dev phone0");
    ip("link set phone0 up");
    let set = Command::new(python()).args(["-c", PHONE_SIDE]).status();
    assert!(set.unwrap().success());
    carrier
}

/// The rig file of the rig for a virtual machine, as it is for this namespace: there are no radios, and the
/// LAN has no names.
fn rig_file(rig: &Standing) -> PathBuf {
    let text = fs::read_to_string(rig.rig_toml()).unwrap();
    let is_kept = |line: &&str| {
        let gone = ["bluetooth = ", "wifi = ", "names = "];
        !gone.iter().any(|key| line.starts_with(key))
    };
    let lines: Vec<&str> = text.lines().filter(is_kept).collect();
    let text = lines
        .join("\n")
        .replace("\"/dev/ttyS1\"", "\"socket:uart.sock\"")
        .replace("lan = \"lan0\"", "lan = \"phone0\"");
    let path = rig.rig().join("veth.toml");
    fs::write(&path, text + "\n").unwrap();
    path
}

fn in_its_namespace() {
    let rig = Standing::start(&["--sockets"]);
    let _cable = lay_cable(&rig);
    let file = rig_file(&rig).display().to_string();
    // The scenario as it is, with the only transport that there is here.
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/linkkit");
    let text = fs::read_to_string(scenarios.join("bound_by_query.yaml")).unwrap();
    let text = text.replace(
        "devices: { device: {} }",
        "devices: { device: { provisioning: { over: console } } }",
    );
    assert!(text.contains("console"));
    fs::write(rig.folder().join("bound.yaml"), text).unwrap();
    let run = |more: &[&str]| {
        let arguments = ["run", "--rig", &file, "--board", "device"];
        let format = ["--message-format", "json", "bound.yaml", "-E"];
        let arguments = [&arguments[..], &format, more].concat();
        let output = rig.proving(&arguments).output().unwrap();
        let results = results(&output);
        assert!(!results.is_empty(), "{output:?}");
        results
    };
    // Broadcast, multicast and unicast.
    let bound = run(&["name(~profile=seed-2019)"]);
    assert_eq!(bound.len(), 3);
    for result in &bound {
        assert_eq!(result["verdict"], "passed", "{result:#} {:?}", rig.told());
    }
    // What a device tells by broadcast comes in at the interface, too.
    let heard = coap_heard(rig.folder());
    assert!(heard.contains("192.168.77.50:5683"), "{heard}");
    assert!(heard.contains("/sys/device/info/notify"), "{heard}");
    // A device that does not hear the cloud has no token to tell.
    let deaf = run(&[
        "name(~profile=seed-2019,by=broadcast)",
        "--bug",
        "match-reply-ignored",
    ]);
    for result in deaf {
        assert_eq!(result["verdict"], "failed", "{result:#}");
    }
}

/// The messages of CoAP that phones have received, from every trace below `folder`.
fn coap_heard(folder: &Path) -> String {
    let mut heard = String::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            heard += &coap_heard(&path);
        } else if path.file_name().is_some_and(|name| name == "trace.jsonl") {
            let text = fs::read_to_string(path).unwrap();
            let is_heard =
                |line: &&str| line.contains("\"source\":\"coap\"") && line.contains("\"received\"");
            heard.extend(text.lines().filter(is_heard));
        }
    }
    heard
}
