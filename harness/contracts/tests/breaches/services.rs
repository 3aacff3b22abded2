//! What breaks the contracts on services: what they say, and what they agree to.

use serde_json::{Value, json};

use super::Breaking;
use super::events::{
    applied, broken, broken_with, connected, exchange, joined, leased, left, line, scan, session,
    status, told, told_time,
};

const STARTED: &str = "Provisioning started with service name : PROV_1 ";

pub fn breaking() -> Vec<Breaking> {
    vec![
        (
            "prov-version-is-possible",
            vec![version(
                json!({ "ver": "v1.1", "sec_ver": 1, "cap": ["no_sec", "wifi_scan"] }),
            )],
            2,
        ),
        (
            "prov-refuses-out-of-turn",
            vec![session(1), applied(2), applied(3)],
            4,
        ),
        (
            "prov-outcome-is-final",
            vec![session(1), left(2, 15), failed(3, "auth_error")],
            4,
        ),
        (
            "prov-scan-is-as-asked",
            vec![session(1), begun(2, 0, false), listened(3, true, 0)],
            4,
        ),
        (
            "prov-scan-tells-the-bssid",
            vec![
                session(1),
                found(2, &["020000000001"]),
                told(3, "home"),
                json!([4, "air/joined", { "ssid": "home", "channel": 1, "bssid": "020000000002" }]),
            ],
            5,
        ),
        (
            "station-starts-soon-after-the-answer",
            vec![session(1), applied(2)],
            10_000,
        ),
        (
            "says-stopped-in-time",
            vec![
                line(1, "wifi_prov_mgr", STARTED),
                leased(2, "10.0.0.2"),
                told_time(3),
            ],
            60_000,
        ),
        (
            "says-credentials-as-told",
            vec![
                session(1),
                told(2, "home"),
                line(
                    3,
                    "app",
                    "Received Wi-Fi credentials\n\tSSID     : cafe\n\tPassword : ",
                ),
            ],
            4,
        ),
        (
            "says-phone-only-if-there",
            vec![line(1, "app", "BLE transport: Connected!")],
            2_000,
        ),
        (
            "ble-link-is-ended-in-order",
            vec![link(1), lost_link(2)],
            2_000,
        ),
        (
            "ble-endpoints-have-their-numbers",
            vec![characteristic(1, "proto-ver", "021aff51")],
            2,
        ),
        (
            "ble-error-names-its-request",
            vec![attribute(1, "040500", "0108050001")],
            2,
        ),
    ]
}

/// Bytes of the Attribute Protocol, and the error or the response to them.
fn attribute(ms: u64, sent: &str, answer: &str) -> Value {
    let pdu = hex(answer);
    let error = trace::provisioning::AttError::of(&pdu);
    let mut data = json!({ "phone": "alice", "sent": sent, "answer": answer, "took_us": 1 });
    if let Some(error) = error {
        data["error"] = error.name().into();
    }
    json!([ms, "provisioning/attribute_exchange", data])
}

fn hex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).expect("digits"), 16);
    pairs.map(|pair| byte(pair).expect("hex")).collect()
}

fn version(prov: Value) -> Value {
    exchange(1, "proto-ver", json!("proto-ver"), json!({ "prov": prov }))
}

fn failed(ms: u64, reason: &str) -> Value {
    status(
        ms,
        json!({ "station": "connection_failed", "reason": reason }),
    )
}

fn begun(ms: u64, channel: u64, passive: bool) -> Value {
    json!([ms, "air/scan_begun", { "channel": channel, "passive": passive }])
}

fn listened(ms: u64, passive: bool, group_channels: u64) -> Value {
    scan(
        ms,
        json!({
            "message": "cmd_scan_start", "blocking": true, "passive": passive,
            "group_channels": group_channels,
        }),
        json!({ "message": "resp_scan_start", "status": "success" }),
    )
}

fn found(ms: u64, bssids: &[&str]) -> Value {
    let entry = |bssid: &&str| json!({ "ssid": "home", "bssid": bssid, "channel": 1, "rssi": -70, "auth": "WPA2_PSK" });
    let entries: Vec<Value> = bssids.iter().map(entry).collect();
    scan(
        ms,
        json!({ "message": "cmd_scan_result" }),
        json!({ "message": "resp_scan_result", "entries": entries }),
    )
}

fn characteristic(ms: u64, endpoint: &str, group: &str) -> Value {
    let mut event = exchange(ms, endpoint, json!("proto-ver"), Value::Null);
    event[2]["characteristic"] = format!("{group}-0382-4aea-bff4-6b3f1c5adfb4").into();
    event
}

fn link(ms: u64) -> Value {
    json!([ms, "air/ble_connected", { "central": "alice" }])
}

fn lost_link(ms: u64) -> Value {
    json!([ms, "air/ble_disconnected", { "central": "alice", "reason": 8, "carried": 600 }])
}

fn breaks(rows: &[Value], until: u64) -> Vec<&'static str> {
    broken(rows, until).into_iter().collect()
}

#[test]
fn an_impossible_version_is_seen_in_each_of_its_fields() {
    for good in [
        json!({ "ver": "v1.1", "cap": ["wifi_scan"] }),
        json!({ "ver": "v1.1", "cap": ["no_sec", "wifi_scan"] }),
        json!({ "ver": "v1.1", "sec_ver": 1, "sec_patch_ver": 0, "cap": ["no_pop", "wifi_scan"] }),
        json!({ "ver": "v1.1", "sec_ver": 2, "sec_patch_ver": 1, "cap": ["wifi_scan"] }),
        json!({ "ver": "netprov-v1.2", "sec_ver": 0, "cap": ["no_sec", "wifi_prov", "wifi_scan"] }),
    ] {
        assert_eq!(breaks(&[version(good.clone())], 2), [""; 0], "{good}");
    }
    for bad in [
        json!({ "ver": 1, "cap": ["wifi_scan"] }),
        json!({ "ver": "", "cap": ["wifi_scan"] }),
        json!({ "ver": "v1.1", "sec_ver": 3, "cap": ["wifi_scan"] }),
        json!({ "ver": "v1.1", "sec_ver": "1", "cap": ["wifi_scan"] }),
        json!({ "ver": "v1.1", "sec_ver": 1, "sec_patch_ver": 1, "cap": ["wifi_scan"] }),
        json!({ "ver": "v1.1", "sec_ver": 0, "cap": ["wifi_scan"] }),
        json!({ "ver": "v1.1", "sec_ver": 2, "cap": ["no_pop", "wifi_scan"] }),
        json!({ "ver": "v1.1", "cap": ["no_sec", "no_pop"] }),
        json!({ "ver": "v1.1", "cap": ["wifi_scan", "wifi_scan"] }),
        json!({ "ver": "v1.1" }),
    ] {
        let expected = ["prov-version-is-possible"];
        assert_eq!(breaks(&[version(bad.clone())], 2), expected, "{bad}");
    }
}

#[test]
fn credentials_that_may_have_failed_may_be_replaced() {
    let rows = [session(1), applied(2), left(1_100, 15), applied(3_000)];
    assert_eq!(breaks(&rows, 3_001), [""; 0]);
    // A station that leaves by itself has not failed.
    let rows = [session(1), applied(2), left(1_100, 8), applied(3_000)];
    assert_eq!(breaks(&rows, 3_001), ["prov-refuses-out-of-turn"]);
}

#[test]
fn an_outcome_changes_with_other_credentials_alone() {
    let address = |ms: u64, ip: &str| status(ms, connected(ip, "home"));
    let provisioned = [
        session(1),
        told(2, "home"),
        applied(3),
        joined(1_003, "home"),
        leased(1_004, "10.0.0.2"),
        address(1_005, "10.0.0.2"),
    ];
    let then = |row: Value| {
        let rows = [&provisioned[..], &[row]].concat();
        breaks(&rows, 1_100)
    };
    assert_eq!(then(address(1_010, "10.0.0.2")), [""; 0]);
    let connecting = status(1_010, json!({ "station": "connecting" }));
    assert_eq!(then(connecting), ["prov-outcome-is-final"]);
}

#[test]
fn a_scan_in_groups_has_each_channel_once() {
    let scanned = |channels: &mut dyn Iterator<Item = u64>| {
        let mut rows = vec![session(1)];
        rows.extend(channels.map(|channel| begun(2, channel, false)));
        rows.push(listened(3, false, 5));
        breaks(&rows, 4)
    };
    assert_eq!(scanned(&mut (1..=13)), [""; 0]);
    for channels in [1..=12, 1..=14, 0..=0] {
        assert_eq!(scanned(&mut channels.clone()), ["prov-scan-is-as-asked"]);
    }
}

#[test]
fn each_result_of_a_scan_is_another_access_point() {
    let twice = [session(1), found(2, &["020000000001", "020000000001"])];
    assert_eq!(breaks(&twice, 3), ["prov-scan-tells-the-bssid"]);
    let two = [session(1), found(2, &["020000000001", "020000000002"])];
    assert_eq!(breaks(&two, 3), [""; 0]);
}

#[test]
fn a_service_stops_neither_early_nor_late() {
    let stopped = |ms: u64, more: &[Value], stops_by_itself: bool| -> Vec<&'static str> {
        let mut rows = vec![
            line(1, "wifi_prov_mgr", STARTED),
            session(1),
            told(2, "home"),
            applied(3),
            joined(1_003, "home"),
            leased(1_004, "10.0.0.2"),
            told_time(1_004),
        ];
        rows.extend_from_slice(more);
        rows.push(line(ms, "wifi_prov_mgr", "Provisioning stopped"));
        let broken = broken_with(&rows, 60_000, |facts| {
            facts.service = None;
            if let Some(ending) = &mut facts.ending {
                ending.stops_by_itself = stops_by_itself;
            }
        });
        broken.into_iter().collect()
    };
    let told = [status(2_000, connected("10.0.0.2", "home"))];
    assert_eq!(stopped(3_000, &told, true), [""; 0]);
    assert_eq!(stopped(2_200, &told, true), ["says-stopped-in-time"]);
    assert_eq!(stopped(9_000, &told, true), ["says-stopped-in-time"]);
    assert_eq!(stopped(32_000, &[], true), [""; 0]);
    assert_eq!(stopped(20_000, &[], true), ["says-stopped-in-time"]);
    assert_eq!(stopped(3_000, &told, false), ["says-stopped-in-time"]);
    // An application may be told to.
    let asked = exchange(
        2_000,
        "stop",
        json!({ "raw": "now" }),
        json!({ "raw": "ok" }),
    );
    assert_eq!(stopped(3_000, &[asked], false), [""; 0]);
}

#[test]
fn endpoints_of_an_application_have_the_numbers_behind_those_of_the_manager() {
    let of = |endpoint: &str, group: &str| breaks(&[characteristic(1, endpoint, group)], 2);
    for (endpoint, group) in [
        ("prov-ctrl", "021aff4f"),
        ("proto-ver", "021aff53"),
        ("custom-data", "021aff54"),
    ] {
        assert_eq!(of(endpoint, group), [""; 0], "{endpoint}");
    }
    let expected = ["ble-endpoints-have-their-numbers"];
    assert_eq!(of("custom-data", "021aff53"), expected);
    let mut named = characteristic(1, "proto-ver", "021aff53");
    named[2]["description"] = "proto-ver".into();
    assert_eq!(breaks(std::slice::from_ref(&named), 2), [""; 0]);
    named[2]["description"] = "proto-ver\0".into();
    assert_eq!(breaks(&[named], 2), expected);
    let apart = [
        characteristic(1, "prov-session", "021aff51"),
        characteristic(2, "prov-config", "021bff52"),
    ];
    assert_eq!(breaks(&apart, 3), expected);
}

#[test]
fn an_attribute_request_is_answered_by_its_response_or_an_error_for_an_error() {
    let of = |sent: &str, answer: &str| breaks(&[attribute(1, sent, answer)], 2);
    for (sent, answer) in [
        ("0a0300", "0b07"),
        ("0a", "010a000004"),
        ("2e", "012e000006"),
        ("160900e803", "0116090007"),
    ] {
        assert_eq!(of(sent, answer), [""; 0], "{sent}");
    }
    for (sent, answer) in [
        ("0a0300", "1307"),
        ("0a", "010c000004"),
        ("0a", "010a000077"),
        ("", "0100000004"),
        ("52", "0152000001"),
        ("0b", "010b000006"),
        ("1e", "011e000006"),
    ] {
        let expected = ["ble-error-names-its-request"];
        assert_eq!(of(sent, answer), expected, "{sent}");
    }
    let silent = json!([1, "provisioning/attribute_exchange", { "phone": "alice", "sent": "", "took_us": 1 }]);
    assert_eq!(breaks(&[silent], 60_000), [""; 0]);
}

#[test]
fn a_link_may_be_lost_with_the_power_or_to_a_fault() {
    let off = json!([3, "board/power", { "power": "off" }]);
    assert_eq!(breaks(&[link(1), lost_link(2), off], 5_000), [""; 0]);
    let reset = json!([2, "board/power", { "power": "reset" }]);
    // The other side notices when the device runs again.
    assert_eq!(breaks(&[link(1), reset, lost_link(400)], 5_000), [""; 0]);
    let drops =
        json!([2, "engine/fault", { "name": "bluetooth_drop_after", "on": true, "detail": "" }]);
    assert_eq!(breaks(&[link(1), drops, lost_link(3)], 5_000), [""; 0]);
}
