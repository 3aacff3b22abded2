//! Phones on the radios of a host that a rig file names, which are stand-ins here: a BlueZ, a
//! NetworkManager and a pty of `proving up --as-rig`, behind which the reference device runs as a board of
//! that rig.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

#[path = "../finished/mod.rs"]
mod finished;
#[path = "../imitated/mod.rs"]
mod imitated;
mod own_firmware;
mod rig;

use std::fs;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use finished::results;
use rig::{ImitatedRig, Uart};

/// The network that the host is in by itself.
const HOST_NETWORK: &str = "office of the host";

/// A case over this transport: looked at, a wrong proof of possession, a scan, provisioned.
fn whole_way(over: &str, security: &str) -> String {
    let wrong = match security {
        "v2" => "password: not-the-one",
        _ => "pop: not-the-one",
    };
    format!(
        r#"
name: The whole way
world:
  access_points: {{ home: {{}} }}
  devices: {{ device: {{ provisioning: {{ over: {over}, security: {security}, line_limit: 1024, custom_endpoints: [custom-data] }} }} }}
  phones: [alice, mallory]
steps:
  - power: on
  - expect: {{ log: {{ tag: app, text: Provisioning started }}, within: 20s }}
  - read_version: {{ phone: mallory, where: {{ /prov/ver: v1.1 }} }}
  - provision: {{ phone: mallory, {wrong}, outcome: session-refused }}
  - scan: {{ phone: alice, finds: [home] }}
  - custom: {{ phone: alice, endpoint: custom-data, send: hello, reply: SUCCESS }}
  - reconnect: {{ phone: alice }}
  - leave: {{ phone: alice }}
  - provision: {{ phone: alice, join: home, outcome: connected }}
  - expect: {{ log: {{ text: Provisioning successful }}, within: 15s }}
"#
    )
}

/// From Bluetooth to an account, by a query on the LAN.
const BOUND: &str = r#"
name: Bound by a query
world:
  access_points: { home: {} }
  cloud: { linkkit: {} }
  devices: { device: { provisioning: { over: ble } } }
  phones: [alice]
steps:
  - power: on
  - expect: { log: { tag: app, text: Provisioning started }, within: 20s }
  - provision: { phone: alice, join: home, outcome: connected }
  - expect: { log: { text: "sta ip: " }, within: 15s, since: start }
  - expect: { cloud: { linkkit: token_reported }, within: 30s }
  - query: { phone: alice, by: unicast, within: 15s, capture: { token: /data/token } }
  - bind: { phone: alice, token: "${token}", within: 30s, outcome: bound }
"#;

/// How the only case ended.
fn result(output: &Output) -> Value {
    let mut results = results(output).into_iter();
    results.next().unwrap_or_else(|| panic!("{output:?}"))
}

fn command(rig: &ImitatedRig, scenario: &str) -> Command {
    fs::write(rig.folder().join("case.yaml"), scenario).unwrap();
    rig.proving(&[
        "run",
        "--board",
        "device",
        "--message-format",
        "json",
        "case.yaml",
    ])
}

fn passes(rig: &ImitatedRig, scenario: &str) -> String {
    let output = command(rig, scenario).output().unwrap();
    let result = result(&output);
    assert_eq!(result["verdict"], "passed", "{result:#} {output:?}");
    let folder = result["attempts"][0]["folder"].as_str().unwrap();
    fs::read_to_string(rig.folder().join(folder).join("trace.jsonl")).unwrap()
}

fn skipped(rig: &ImitatedRig, scenario: &str) -> String {
    let output = command(rig, scenario).output().unwrap();
    let result = result(&output);
    assert_eq!(result["verdict"], "skipped", "{result:#} {output:?}");
    result["skipped"].as_str().unwrap().to_owned()
}

#[test]
fn a_board_is_provisioned_over_bluetooth_by_the_hosts_bluez() {
    let rig = ImitatedRig::start(Uart::Console, "[phone]\nbluetooth = \"hci0\"\n");
    for security in ["v1", "v2"] {
        let trace = passes(&rig, &whole_way("ble", security));
        assert!(!trace.contains(&rig.passphrase()));
    }
    assert_eq!(rig.wifi_switches(), 0, "nobody has named the Wi-Fi");
}

#[test]
fn a_board_is_bound_by_a_query_on_the_lan() {
    let without = ImitatedRig::start(Uart::Console, "[phone]\nbluetooth = \"hci0\"\n");
    assert_eq!(
        skipped(&without, BOUND),
        "needs lan (rig.toml names no `[phone] lan`)"
    );
    drop(without);
    let phone = "[phone]\nbluetooth = \"hci0\"\nlan = \"lo\"\n";
    let rig = ImitatedRig::start(Uart::Console, phone);
    let trace = passes(&rig, BOUND);
    assert!(trace.contains("device/info/get"), "{trace}");
}

#[test]
fn a_board_is_provisioned_over_its_own_network_and_the_host_goes_back() {
    let rig = ImitatedRig::start(Uart::Console, "[phone]\nwifi = \"wlan1\"\n");
    passes(&rig, &whole_way("softap", "v1"));
    assert_eq!(rig.connected_to().as_deref(), Some(HOST_NETWORK));
    assert!(rig.wifi_switches() > 0);
}

#[test]
fn a_board_is_provisioned_over_its_second_uart_and_where_its_log_is() {
    for uart in [Uart::Console, Uart::Log] {
        let rig = ImitatedRig::start(uart, "");
        let trace = passes(&rig, &whole_way("console", "v1"));
        let lines: Vec<Value> = trace
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|event| event["source"] == "log")
            .collect();
        assert!(lines.len() > 10, "{trace}");
        for line in lines {
            let text = line["data"]["text"].as_str().unwrap();
            assert!(!text.contains(">>") && !text.starts_with("prov-"), "{line}");
            assert_ne!(line["data"]["tag"], "uart", "{line}");
        }
    }
}

#[test]
fn what_the_rig_file_does_not_name_is_not_used_and_the_case_says_so() {
    let rig = ImitatedRig::start(Uart::Console, "");
    assert_eq!(
        skipped(&rig, &whole_way("softap", "v1")),
        "needs soft-ap (rig.toml names no `[phone] wifi`)"
    );
    assert_eq!(
        skipped(&rig, &whole_way("ble", "v1")),
        "needs bluetooth (rig.toml names no `[phone] bluetooth`)"
    );
    assert_eq!(rig.wifi_switches(), 0);
}

#[test]
fn a_case_in_which_two_phones_need_one_radio_is_skipped() {
    let phone = "[phone]\nwifi = \"wlan1\"\nbluetooth = \"hci0\"\n";
    let rig = ImitatedRig::start(Uart::Console, phone);
    for (over, radio) in [("softap", "Wi-Fi interface"), ("ble", "Bluetooth adapter")] {
        let scenario = whole_way(over, "v1").replace(
            "  - leave: { phone: alice }\n",
            "  - scan: { phone: mallory, finds: [home] }\n  - leave: { phone: alice }\n",
        );
        assert_eq!(
            skipped(&rig, &scenario),
            format!("needs two phones at once on one {radio} (alice and mallory)")
        );
    }
}

#[test]
fn a_run_that_is_killed_in_a_devices_network_leaves_the_host_where_it_was() {
    let rig = ImitatedRig::start(Uart::Console, "[phone]\nwifi = \"wlan1\"\n");
    let scenario =
        whole_way("softap", "v1").replace("  - reconnect: { phone: alice }\n", "  - wait: 60s\n");
    let mut running = command(&rig, &scenario)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    within(Duration::from_secs(60), || {
        let joined = rig.connected_to();
        joined.is_some_and(|ssid| ssid.starts_with("PROV_"))
    });
    running.kill().unwrap();
    running.wait().unwrap();
    within(Duration::from_secs(60), || {
        rig.connected_to().as_deref() == Some(HOST_NETWORK)
    });
    // The next run finds everything as it should be.
    rig.power_off();
    passes(&rig, &whole_way("softap", "v1"));
}

fn within(limit: Duration, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < limit, "it did not come to that");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn no_adapter_and_no_interface_are_the_hosts_fault() {
    for (over, phone, why) in [
        (
            "ble",
            "bluetooth = \"hci7\"",
            "no Bluetooth adapter \"hci7\"",
        ),
        ("softap", "wifi = \"wlan7\"", "has no interface wlan7"),
    ] {
        let rig = ImitatedRig::start(Uart::Console, &format!("[phone]\n{phone}\n"));
        let output = command(&rig, &whole_way(over, "v1")).output().unwrap();
        let result = result(&output);
        assert_eq!(result["verdict"], "broken", "{result:#}");
        let said = result["attempts"][0]["failure"]["message"]
            .as_str()
            .unwrap();
        assert!(said.contains(why), "{said}");
    }
}
