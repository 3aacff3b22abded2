//! A phone on a LAN of real interfaces: a veth pair between two network namespaces, the phone at one end
//! and a device that answers CoAP at the other. Nothing of the host's own network is touched.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use clock::Clock;
use phone::{CoapSeen, Dial, HostDial, Listener, ListenerSettings, Query, QueryTarget};
use serde_json::Value;
use trace::Trace;

/// Set in the processes that are in namespaces of their own: `phone` or `device`.
const ROLE: &str = "PROVING_TEST_LAN";
const TEST: &str =
    "a_phone_reaches_a_device_by_broadcast_multicast_and_unicast_on_its_interface_alone";
const PHONE: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 7);
const DEVICE: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 59);
/// All CoAP nodes (RFC 7252 §12.8).
const ALL: Ipv4Addr = Ipv4Addr::new(224, 0, 1, 187);
const COAP: u16 = 5683;

#[test]
fn a_phone_reaches_a_device_by_broadcast_multicast_and_unicast_on_its_interface_alone() {
    match std::env::var(ROLE).as_deref() {
        Ok("device") => device(),
        Ok(_) => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(phone());
        }
        Err(_) => {
            if let Err(missing) = unshared("true") {
                let required = std::env::var_os("PROVING_JUDGES_REQUIRED").is_some();
                assert!(!required, "{missing}");
                eprintln!("{TEST}: skipped, because {missing}");
                return;
            }
            let output = myself("phone").output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(
                output.status.success() && said.contains("1 passed"),
                "{output:?}"
            );
        }
    }
}

/// Whether a program can be started in a network namespace of its own, where veth pairs can be made.
fn unshared(program: &str) -> Result<(), String> {
    let script = format!("ip link add phone0 type veth peer name device0 && exec {program}");
    let output = Command::new("unshare")
        .args(["--net", "sh", "-c", &script])
        .output();
    match output {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(format!("unshare: {error}")),
    }
}

/// This test again, in a network namespace of its own.
fn myself(role: &str) -> Command {
    let mut command = Command::new("unshare");
    command
        .arg("--net")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", TEST, "--nocapture"])
        .env(ROLE, role);
    command
}

fn ip(arguments: &str) {
    let status = Command::new("ip")
        .args(arguments.split(' '))
        .status()
        .unwrap();
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

/// Answers every question, after it has told of itself once.
fn device() {
    // The other end is put here once this process is there.
    let began = std::time::Instant::now();
    while !std::path::Path::new("/sys/class/net").exists() || !has_interface("device0") {
        assert!(began.elapsed() < Duration::from_secs(20), "no interface");
        std::thread::yield_now();
    }
    ip(&format!("addr add {DEVICE}/24 brd + dev device0"));
    ip("link set device0 up");
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, COAP)).unwrap();
    socket.set_broadcast(true).unwrap();
    socket.join_multicast_v4(&ALL, &DEVICE).unwrap();
    let vector = |name: &str| -> String {
        let all: Value =
            serde_json::from_str(include_str!("../../../fixtures/vectors/linkkit.json")).unwrap();
        all[name]["packet"].as_str().unwrap().to_owned()
    };
    let notification = hex::decode(vector("coap_notify")).unwrap();
    let answer = vector("coap_get_response (NON 2.05, same msgid + token)");
    let mut bytes = [0; 1500];
    loop {
        let (length, from) = socket.recv_from(&mut bytes).unwrap();
        // Answers to what this device has sent are no questions.
        if length < 8 || bytes[1] != 1 {
            continue;
        }
        let broadcast = (Ipv4Addr::BROADCAST, COAP);
        // A device without a default route has one on its LAN.
        if socket.send_to(&notification, broadcast).is_err() {
            let subnet = (Ipv4Addr::new(10, 99, 0, 255), COAP);
            socket.send_to(&notification, subnet).unwrap();
        }
        let query = hex::encode(&bytes[..length]);
        let reply = format!("{}{}{}", &answer[..4], &query[4..16], &answer[16..]);
        socket.send_to(&hex::decode(reply).unwrap(), from).unwrap();
    }
}

fn has_interface(name: &str) -> bool {
    let output = Command::new("ip")
        .args(["link", "show", name])
        .stderr(Stdio::null())
        .output();
    output.is_ok_and(|output| output.status.success())
}

async fn phone() {
    ip("link set lo up");
    ip("link add phone0 type veth peer name device0");
    // Another network, which nothing must be sent to.
    ip("link add other0 type veth peer name other1");
    ip("addr add 10.98.0.7/24 brd + dev other0");
    ip("link set other0 up");
    ip("link set other1 up");
    ip("route add default via 10.98.0.1 dev other0");
    let neighbour = Neighbour(myself("device").stdout(Stdio::null()).spawn().unwrap());
    // `unshare` becomes the test itself, in the new namespace.
    let namespace = |pid: u32| std::fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
    let began = std::time::Instant::now();
    while namespace(neighbour.0.id()) == namespace(std::process::id()) {
        assert!(began.elapsed() < Duration::from_secs(20), "no namespace");
        std::thread::yield_now();
    }
    ip(&format!("link set device0 netns {}", neighbour.0.id()));
    ip(&format!("addr add {PHONE}/24 brd + dev phone0"));
    ip("link set phone0 up");

    let trace = Trace::in_memory(Clock::start(1.0));
    let clock = trace.clock().clone();
    let dial = HostDial::on_interface("phone0", clock.clone()).unwrap();
    assert_eq!(
        (dial.address(), dial.broadcast()),
        (PHONE, [10, 99, 0, 255].into())
    );
    let settings = ListenerSettings {
        phone: "alice".into(),
        answer_notifications: false,
        devices: BTreeMap::from([("gateway_test01".into(), "gateway".into())]),
    };
    let listener = Listener::start(Arc::new(dial), settings, trace.clone());
    let listener = listener.await.unwrap();
    for target in [
        QueryTarget::Unicast(DEVICE),
        QueryTarget::Broadcast,
        QueryTarget::LimitedBroadcast,
        QueryTarget::Multicast,
    ] {
        let query = Query {
            target,
            product_key: "a1GQc8iJOWI".into(),
            device_name: "gateway_test01".into(),
        };
        // The device may still be getting its address.
        let mut answered = listener.query(&query, Duration::from_secs(5)).await;
        for _ in 0..3 {
            if answered.is_err() {
                answered = listener.query(&query, Duration::from_secs(5)).await;
            }
        }
        let answer = answered.unwrap_or_else(|error| panic!("{target:?}: {error}"));
        assert_eq!(
            (*answer.from.ip(), answer.code),
            (DEVICE, 200),
            "{target:?}"
        );
    }
    let told = trace.since(0);
    let notified = told.iter().filter_map(|event| event.payload::<CoapSeen>());
    let mut notified = notified.filter(|seen| seen.path.is_some());
    assert!(
        notified.any(|seen| seen.from == format!("{DEVICE}:{COAP}")),
        "{told:?}"
    );
    // Nothing has left by the default route: no one would even have been asked for its address.
    let output = Command::new("ip")
        .args(["neighbour", "show", "dev", "other0"])
        .output()
        .unwrap();
    assert!(output.stdout.is_empty(), "{output:?}");
}
