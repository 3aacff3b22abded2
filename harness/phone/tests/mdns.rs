//! A phone finds services by mDNS on a LAN of real interfaces: a veth pair between two network namespaces,
//! with python-zeroconf as the device, which knows nothing of this project. Nothing of the host's own
//! network is touched.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clock::Clock;
use phone::HostDial;
use phone::mdns::{MdnsError, Wanted, discover};

/// Set in the process that is in a namespace of its own.
const ROLE: &str = "PROVING_TEST_MDNS";
const TEST: &str = "a_phone_finds_a_service_and_a_host_by_mdns_on_its_interface_alone";
const DEVICE: Ipv4Addr = Ipv4Addr::new(10, 99, 1, 59);
/// Announces a web server, and another that is not asked for.
const RESPONDER: &str = r#"
import os, socket, sys, time
from zeroconf import ServiceInfo, Zeroconf, IPVersion
while "device0" not in [name for _, name in socket.if_nameindex()]:
    time.sleep(0.05)
os.system("ip addr add 10.99.1.59/24 brd + dev device0 && ip link set device0 up && ip link set lo up")
os.system("ip route add default via 10.99.1.7 dev device0")
zeroconf = Zeroconf(interfaces=["10.99.1.59"], ip_version=IPVersion.V4Only)
for name, port in [("A lamp (2)", 8080), ("Another", 81)]:
    zeroconf.register_service(ServiceInfo(
        "_http._tcp.local.", name + "._http._tcp.local.", port=port, server="Lamp-%d.local." % port,
        addresses=[socket.inet_aton("10.99.1.59")], properties={"path": "/", "board": "esp32"}))
print("ready", flush=True)
sys.stdin.read()
"#;

/// The Python that has zeroconf.
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
    let zeroconf = Command::new(python())
        .args(["-c", "import zeroconf"])
        .output();
    if !zeroconf.is_ok_and(|output| output.status.success()) {
        return Some("zeroconf (PyPI) is not installed: `cargo xtask setup` installs it".into());
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
fn a_phone_finds_a_service_and_a_host_by_mdns_on_its_interface_alone() {
    if std::env::var_os(ROLE).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        return runtime.unwrap().block_on(phone());
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
        "{output:?}"
    );
}

fn ip(arguments: &str) {
    let mut ip = Command::new("ip");
    let status = ip.args(arguments.split(' ')).status().unwrap();
    assert!(status.success(), "ip {arguments}");
}

/// A device that is ended with the phone.
struct Neighbour(Child);

impl Drop for Neighbour {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Neighbour {
    /// It has the other end of the phone's cable, and answers.
    fn start() -> Self {
        let mut device = Command::new("unshare");
        let device = device
            .arg("--net")
            .arg(python())
            .args(["-c", RESPONDER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut device = Self(device.unwrap());
        // `unshare` becomes Python itself, in the new namespace.
        let namespace = |pid: u32| std::fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
        let began = Instant::now();
        while namespace(device.0.id()) == namespace(std::process::id()) {
            assert!(began.elapsed() < Duration::from_secs(20), "no namespace");
            std::thread::yield_now();
        }
        ip(&format!("link set device0 netns {}", device.0.id()));
        ip("addr add 10.99.1.7/24 brd + dev phone0");
        ip("link set phone0 up");
        let mut said = String::new();
        let mut output = BufReader::new(device.0.stdout.take().unwrap());
        output.read_line(&mut said).unwrap();
        assert_eq!(said, "ready\n");
        device
    }
}

async fn phone() {
    ip("link set lo up");
    ip("link add phone0 type veth peer name device0");
    // Another network, which nothing must be sent to.
    ip("link add other0 type veth peer name other1");
    // Without an address of IPv6 the kernel has nothing of its own to send there.
    ip("link set other0 addrgenmode none");
    ip("link set other1 addrgenmode none");
    ip("addr add 10.98.1.7/24 brd + dev other0");
    ip("link set other0 up");
    ip("link set other1 up");
    ip("route add default via 10.98.1.1 dev other0");
    let sent_before = sent();
    let _device = Neighbour::start();

    let clock = Clock::start(1.0);
    let dial = HostDial::on_interface("phone0", clock.clone()).unwrap();
    let look =
        async |wanted: Wanted| discover(&dial, &wanted, Duration::from_secs(8), &clock).await;
    let service = Wanted {
        service: Some("_http._tcp".into()),
        instance: Some("A lamp (2)".into()),
        from: Some(DEVICE),
        ..Wanted::default()
    };
    let found = look(service.clone()).await.unwrap();
    assert_eq!(found.instance, service.instance);
    assert_eq!((found.address, found.port), (DEVICE, Some(8080)));
    assert!(
        found.host.eq_ignore_ascii_case("lamp-8080.local"),
        "{found:?}"
    );
    assert_eq!(found.txt.get("board").map(String::as_str), Some("esp32"));

    let host = Wanted {
        host: Some("LAMP-81.local".into()),
        ..Wanted::default()
    };
    let found = look(host.clone()).await.unwrap();
    assert_eq!((found.address, found.port), (DEVICE, None));

    // What is not there, and what another device has, is not found; what came instead is told.
    for (wanted, words) in [
        (
            Wanted {
                instance: Some("A plug".into()),
                ..service.clone()
            },
            "\"Another\" of _http._tcp.local",
        ),
        (
            Wanted {
                from: Some(Ipv4Addr::new(10, 99, 1, 60)),
                ..service
            },
            "no answer came",
        ),
        (
            Wanted {
                host: Some("plug.local".into()),
                ..Wanted::default()
            },
            "no answer came",
        ),
    ] {
        let wanted = discover(&dial, &wanted, Duration::from_secs(2), &clock);
        let Err(error @ MdnsError::NotFound { .. }) = wanted.await else {
            panic!("it is not there");
        };
        assert!(error.to_string().contains(words), "{words}: {error}");
    }
    let long = Wanted {
        host: Some(format!("{}.local", "x".repeat(64))),
        ..Wanted::default()
    };
    assert!(matches!(look(long).await, Err(MdnsError::Name(_))));
    assert_eq!(sent(), sent_before, "nothing has left by the default route");
}

/// How much has left by the interface of the default route.
fn sent() -> String {
    let output = Command::new("ip")
        .args(["-s", "-o", "link", "show", "dev", "other0"])
        .output();
    let said = String::from_utf8(output.unwrap().stdout).unwrap();
    let (_, sent) = said.split_once("TX:").unwrap();
    sent.to_owned()
}
