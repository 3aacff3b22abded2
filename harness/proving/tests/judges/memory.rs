//! What a world that is up takes of memory while a client publishes for a long time.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::peer::is_there;
use crate::up::Up;

const PUBLISH: &str = "mosquitto_pub";
const MESSAGES: usize = 50_000;
/// Most that the process may grow by at any time, and by how much it may be larger in the end.
const MOST_GROWN_KIB: u64 = 20 * 1024;
/// Most that it may be larger after as many messages again: some of the allocator's odds and ends.
const MOST_LEFT_KIB: u64 = 2 * 1024;

#[test]
fn fifty_thousand_messages_do_not_stay_in_memory() {
    if !is_there(PUBLISH, "mosquitto-clients") {
        return;
    }
    let up = Up::start("broker.yaml", "shows=server]", &[]);
    let before = up.memory();
    publish(&up);
    let after = up.memory();
    let grown = after
        .peak_kib
        .saturating_sub(before.peak_kib.max(before.now_kib));
    assert!(grown < MOST_GROWN_KIB, "{before:?}, then {after:?}");
    // The client has gone; what was kept for it goes, too.
    std::thread::sleep(Duration::from_secs(1));
    let end = up.memory();
    assert!(
        end.now_kib < before.now_kib + MOST_GROWN_KIB,
        "{before:?}, then {after:?}, in the end {end:?}"
    );
    // As many again find room in what the first have given back.
    publish(&up);
    let again = up.memory();
    assert!(
        again.peak_kib < after.peak_kib + MOST_LEFT_KIB,
        "{before:?}, then {after:?}, then {again:?}"
    );
    // And all of it is in the trace.
    let acknowledged = |event: &&trace::Event| event.is::<trace::mqtt::Puback>();
    let count = up.events().iter().filter(acknowledged).count();
    assert_eq!(count, 2 * MESSAGES);
    up.end();
}

/// Publishes all messages and waits until each was acknowledged.
fn publish(up: &Up) {
    let lines: String = (0..MESSAGES)
        .map(|number| format!("{{\"id\":{number},\"params\":{{\"temperature\":21.5}}}}\n"))
        .collect();
    let path = up.out().join("lines");
    fs::write(&path, lines).unwrap();
    let (host, port) = up
        .endpoint("/cloud/broker/address")
        .rsplit_once(':')
        .unwrap();
    let status = Command::new(PUBLISH)
        .args([
            "-h", host, "-p", port, "-i", "many", "-q", "1", "-t", "t", "-l",
        ])
        .args(["--cafile", up.endpoint("/cloud/broker/authority")])
        .args(["--cert", up.endpoint("/cloud/broker/client/certificate")])
        .args(["--key", up.endpoint("/cloud/broker/client/key")])
        .stdin(fs::File::open(&path).unwrap())
        .stdout(Stdio::null())
        .status();
    assert!(status.unwrap().success());
}
