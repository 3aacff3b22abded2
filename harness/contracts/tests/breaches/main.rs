//! Every contract is broken by what breaks it, and by nothing that stands beside it.

mod events;

use std::collections::BTreeSet;

use contracts::{ALL, Contracts, Facts};
use serde_json::{Value, json};

use events::{
    broken, config, connack, connect, event, exchange, from_client, handshake, line, notify,
    puback, publish, replied, report, session, status, to_client, told,
};

/// Each contract with events that break it alone, and when they are judged for the last time.
fn breaking() -> Vec<(&'static str, Vec<Value>, u64)> {
    let timed = |ms: u64, device_ms: u64| {
        let data = json!({ "level": "info", "tag": "a", "text": "b", "device_ms": device_ms });
        json!([ms, "log/line", data])
    };
    let joined = |ms: u64, ssid: &str| json!([ms, "air/joined", { "ssid": ssid }]);
    let leased = |ms: u64, address: &str| json!([ms, "air/leased", { "address": address }]);
    let left = |ms: u64, reason: u64| json!([ms, "air/left", { "reason": reason }]);
    let time = |ms: u64, kind: &str| json!([ms, format!("sntp/{kind}"), { "device": null, "offset_s": 0 }]);
    let get = |ms: u64, kind: &str, code: &str, token: &str| {
        let more = json!({
            "sender": "alice", "phone": "alice", "to": "192.168.1.2:5683", "type": kind,
            "code": code, "message_id": 9, "message_token": token,
        });
        let is_request = code.starts_with("0.");
        json!([
            ms,
            if is_request {
                "coap/sent"
            } else {
                "coap/received"
            },
            more
        ])
    };
    let powered = |ms: u64| json!([ms, "board/power", { "power": "on" }]);
    let told_time = |ms: u64| time(ms, "answered");
    let tcp = |ms: u64, kind: &str, client: &str| {
        json!([ms, format!("air/{kind}"), {
            "protocol": "tcp", "host": "broker.example", "port": 8883, "client": client,
        }])
    };
    let opened_tcp = |ms: u64, client: &str| tcp(ms, "connection_opened", client);
    let closed_tcp = |ms: u64, client: &str| tcp(ms, "connection_closed", client);
    let subscribed = |ms: u64| {
        json!([ms, "mqtt/subscribe", {
            "connection": 1, "direction": "in",
            "filters": [{ "filter": "/sys/k/n/match_reply", "qos": 0 }],
        }])
    };
    let connected = |ip: &str, ssid: &str| json!({ "station": "connected", "connected": { "ip": ip, "ssid": ssid } });
    let opened = |ms: u64, client: &str| json!([ms, "mqtt/session_opened", { "connection": 1, "client": client }]);
    let refused = |ms: u64| json!([ms, "mqtt/connect_refused", { "connection": 1, "code": 5 }]);
    vec![
        (
            "device-time-never-falls",
            vec![timed(1, 900), timed(2, 800)],
            3,
        ),
        (
            "device-time-runs-true",
            vec![timed(0, 0), timed(40_000, 20_000)],
            40_001,
        ),
        (
            "link-carries-no-garbage",
            vec![json!([1, "board/garbage", { "problem": "noise" }])],
            2,
        ),
        (
            "joins-only-what-it-was-told",
            vec![
                session(1),
                told(2, "home"),
                joined(3, "cafe"),
                leased(4, "10.0.0.2"),
            ],
            5,
        ),
        (
            "joined-then-addressed",
            vec![session(1), told(2, "home"), joined(3, "home")],
            60_000,
        ),
        (
            "time-asked-once",
            vec![time(1, "answered"), time(5_000, "answered")],
            5_001,
        ),
        (
            "time-asked-slowly",
            vec![time(1, "kept_silent"), time(2_000, "kept_silent")],
            2_001,
        ),
        (
            "tls-offers-no-old-version",
            vec![handshake(1, json!({ "offered": ["TLS 1.2", "TLS 1.0"] }))],
            2,
        ),
        (
            "tls-asks-for-its-broker",
            vec![handshake(1, json!({ "server_name": "other.example" }))],
            2,
        ),
        (
            "tls-trusts-no-stranger",
            vec![handshake(1, json!({ "shown": "server-expired" }))],
            2,
        ),
        (
            "tls-shows-its-certificate",
            vec![
                handshake(
                    1,
                    json!({ "client_certificate": { "subject": { "cn": "a" } } }),
                ),
                handshake(
                    2,
                    json!({ "client_certificate": { "subject": { "cn": "b" } } }),
                ),
            ],
            3,
        ),
        (
            "tls-failed-then-waits",
            vec![
                handshake(1, json!({ "ok": false })),
                handshake(3_000, json!({ "ok": false })),
            ],
            3_001,
        ),
        (
            "mqtt-connect-first-and-once",
            vec![connect(1), connack(2), connect(3)],
            4,
        ),
        (
            "mqtt-waits-for-connack",
            vec![connect(1), publish(2, 1, false)],
            3,
        ),
        (
            "mqtt-silent-after-the-end",
            vec![
                connect(1),
                connack(2),
                from_client(3, "disconnect", json!({})),
                from_client(4, "pingreq", json!({})),
            ],
            5,
        ),
        (
            "mqtt-packet-id-is-free",
            vec![
                connect(1),
                connack(2),
                publish(3, 1, false),
                publish(4, 2, false),
                publish(5, 1, false),
            ],
            6,
        ),
        (
            "mqtt-packet-ids-move-on",
            vec![
                connect(1),
                connack(2),
                publish(3, 1, false),
                puback(4, 1),
                publish(5, 1, false),
            ],
            6,
        ),
        (
            "mqtt-dup-means-again",
            vec![connect(1), connack(2), publish(3, 1, true)],
            4,
        ),
        (
            "mqtt-qos1-is-acknowledged",
            vec![
                connect(1),
                connack(2),
                to_client(3, "publish", json!({ "topic": "t", "qos": 1, "id": 7 })),
            ],
            20_000,
        ),
        ("mqtt-keeps-alive", vec![connect(1), connack(2)], 70_000),
        (
            "mqtt-keep-alive-as-told",
            vec![from_client(
                1,
                "connect",
                json!({ "keep_alive_s": 30, "clean_session": true }),
            )],
            2,
        ),
        (
            "mqtt-packets-are-well-formed",
            vec![
                connect(1),
                connack(2),
                from_client(3, "pingreq", json!({ "problem": "bytes behind the end" })),
            ],
            4,
        ),
        (
            "mqtt-topic-is-a-name",
            vec![
                connect(1),
                connack(2),
                from_client(3, "publish", json!({ "topic": "a/#", "qos": 0 })),
            ],
            4,
        ),
        (
            "mqtt-one-client-id",
            vec![opened(1, "a"), opened(2, "b")],
            3,
        ),
        (
            "mqtt-takes-over-nothing",
            vec![
                opened(1, "a"),
                json!([2, "mqtt/connection_closed", { "connection": 1, "end": "taken-over" }]),
            ],
            3,
        ),
        (
            "mqtt-refused-then-waits",
            vec![refused(1), refused(11_000), refused(22_000)],
            22_001,
        ),
        (
            "prov-no-answer-without-session",
            vec![status(1, json!({ "station": "connecting" }))],
            2,
        ),
        (
            "prov-answer-fits-request",
            vec![
                session(1),
                config(
                    2,
                    json!({ "message": "cmd_apply_config" }),
                    json!({ "message": "resp_set_config" }),
                ),
            ],
            3,
        ),
        (
            "prov-version-is-one",
            vec![
                exchange(1, "proto-ver", json!("proto-ver"), json!({ "prov": 1 })),
                exchange(2, "proto-ver", json!("proto-ver"), json!({ "prov": 2 })),
            ],
            3,
        ),
        (
            "prov-scan-result-is-possible",
            vec![
                session(1),
                exchange(
                    2,
                    "prov-scan",
                    json!({ "message": "cmd_scan_result" }),
                    json!({
                        "message": "resp_scan_result",
                        "entries": [{ "ssid": "home", "channel": 1, "rssi": -70, "auth": "WPA2_PSK" }, { "ssid": "near", "channel": 6, "rssi": -50, "auth": "WPA2_PSK" }],
                    }),
                ),
            ],
            3,
        ),
        (
            "prov-scan-delivers-what-it-announces",
            vec![
                session(1),
                exchange(
                    2,
                    "prov-scan",
                    json!({ "message": "cmd_scan_status" }),
                    json!({ "message": "resp_scan_status", "count": 0 }),
                ),
                exchange(
                    3,
                    "prov-scan",
                    json!({ "message": "cmd_scan_result" }),
                    json!({
                        "message": "resp_scan_result",
                        "entries": [{ "ssid": "home", "channel": 1, "rssi": -70, "auth": "WPA2_PSK" }],
                    }),
                ),
            ],
            4,
        ),
        (
            "prov-connected-is-true",
            vec![
                session(1),
                told(2, "home"),
                joined(3, "home"),
                leased(4, "10.0.0.2"),
                status(5, connected("10.0.0.3", "home")),
            ],
            6,
        ),
        (
            "prov-reason-is-the-airs",
            vec![
                session(1),
                left(2, 201),
                status(3, json!({ "reason": "auth_error" })),
            ],
            4,
        ),
        (
            "prov-attempts-count-down",
            vec![
                session(1),
                status(2, json!({ "attempts_remaining": 1 })),
                status(3, json!({ "attempts_remaining": 2 })),
            ],
            4,
        ),
        (
            "prov-attempts-are-the-airs",
            vec![
                session(1),
                config(
                    2,
                    json!({ "message": "cmd_apply_config" }),
                    json!({ "message": "resp_apply_config", "status": "success" }),
                ),
                left(1_500, 15),
                left(2_000, 15),
                left(2_500, 15),
                status(2_501, json!({ "station": "connecting", "attempts_remaining": 2 })),
            ],
            2_502,
        ),
        (
            "coap-message-id-is-new",
            vec![
                report(1, json!("0"), "T"),
                replied(2),
                notify(3, 7, "T", 44_900),
                json!([4, "coap/received", {
                    "phone": "alice", "from": "192.168.1.2:5683", "type": "NON", "code": "0.02",
                    "message_id": 7, "message_token": "aa",
                }]),
            ],
            5,
        ),
        (
            "coap-token-is-echoed",
            vec![get(1, "NON", "0.01", "01"), get(2, "NON", "2.05", "02")],
            3,
        ),
        (
            "coap-confirmable-is-acknowledged",
            vec![
                session(1),
                told(2, "home"),
                joined(3, "home"),
                leased(4, "192.168.1.2"),
                get(5, "CON", "0.01", "01"),
            ],
            3_000,
        ),
        (
            "linkkit-report-ids-count",
            vec![report(1, json!("3"), "A"), report(2, json!("3"), "B")],
            3,
        ),
        (
            "linkkit-token-is-never-revived",
            vec![
                report(1, json!("0"), "A"),
                report(2, json!("1"), "B"),
                report(3, json!("2"), "A"),
            ],
            4,
        ),
        (
            "linkkit-reports-are-few",
            vec![report(1, json!("0"), "A"), report(1_000, json!("1"), "A")],
            1_001,
        ),
        (
            "linkkit-tells-what-the-cloud-knows",
            vec![report(1, json!("0"), "A"), notify(2, 1, "A", 45_000)],
            3,
        ),
        (
            "linkkit-remaining-time-is-true",
            vec![
                report(1, json!("0"), "A"),
                replied(2),
                notify(10_001, 1, "A", 45_000),
            ],
            10_002,
        ),
        (
            "says-address-only-if-leased",
            vec![
                session(1),
                told(2, "home"),
                joined(3, "home"),
                leased(4, "10.0.0.2"),
                line(5, "esp_netif_handlers", "sta ip: 10.0.0.9, mask: 255.0.0.0"),
            ],
            2_000,
        ),
        (
            "says-connected-only-if-in-session",
            vec![line(1, "app", "MQTT_EVENT_CONNECTED")],
            2_000,
        ),
        (
            "says-published-only-if-acknowledged",
            vec![
                connect(1),
                connack(2),
                publish(3, 1, false),
                puback(4, 1),
                line(5, "app", "MQTT_EVENT_PUBLISHED, msg_id=2"),
            ],
            2_000,
        ),
        (
            "says-reason-only-if-the-air-said-so",
            vec![
                left(1, 15),
                line(2, "wifi_prov_mgr", "Disconnect reason : 201"),
            ],
            2_000,
        ),
        (
            "says-session-only-if-proven",
            vec![line(1, "app", "Secured session established!")],
            2_000,
        ),
        (
            "says-service-only-if-there",
            vec![line(
                1,
                "wifi_prov_mgr",
                "Provisioning started with service name : PROV_1 ",
            )],
            2_000,
        ),
        (
            "says-stopped-only-if-gone",
            vec![line(1, "wifi_prov_mgr", "Provisioning stopped")],
            2_000,
        ),
        (
            "says-reply-only-if-replied",
            vec![line(1, "awss", "awss_report_token_reply")],
            2_000,
        ),
        (
            "says-no-key",
            vec![line(1, "app", "key: <key of dut>")],
            2,
        ),
        (
            "connects-from-its-address",
            vec![leased(1, "10.0.0.2"), told_time(2), opened_tcp(3, "10.0.0.3:4000")],
            4,
        ),
        (
            "one-connection-to-a-service",
            vec![
                leased(1, "10.0.0.2"),
                told_time(2),
                opened_tcp(3, "10.0.0.2:4000"),
                opened_tcp(4, "10.0.0.2:4001"),
                opened_tcp(5, "10.0.0.2:4002"),
            ],
            6,
        ),
        (
            "source-ports-move-on",
            vec![
                leased(1, "10.0.0.2"),
                told_time(2),
                opened_tcp(3, "10.0.0.2:4000"),
                closed_tcp(4, "10.0.0.2:4000"),
                opened_tcp(5, "10.0.0.2:4000"),
            ],
            6,
        ),
        (
            "name-asked-slowly",
            (1..=6)
                .map(|ms| json!([ms, "air/name_asked", { "name": "broker.example", "answer": "silence" }]))
                .collect(),
            7,
        ),
        (
            "time-is-asked-for",
            vec![powered(0), leased(1, "10.0.0.2")],
            40_000,
        ),
        (
            "tls-waits-for-the-time",
            vec![powered(0), handshake(1, json!({}))],
            2,
        ),
        (
            "joins-again",
            vec![
                session(1),
                told(2, "home"),
                joined(3, "home"),
                leased(4, "10.0.0.2"),
                told_time(5),
                left(6, 200),
            ],
            70_000,
        ),
        (
            "mqtt-comes-back",
            vec![
                leased(1, "10.0.0.2"),
                told_time(2),
                opened(3, "c"),
                json!([4, "mqtt/connection_closed", { "connection": 1, "end": "lost" }]),
            ],
            95_000,
        ),
        (
            "telemetry-in-each-session",
            vec![
                powered(0),
                opened(1, "c"),
                connect(2),
                connack(3),
                subscribed(4),
                report(5, json!("0"), "A"),
            ],
            40_000,
        ),
        (
            "linkkit-reports-once-connected",
            vec![
                powered(0),
                opened(1, "c"),
                from_client(2, "connect", json!({ "keep_alive_s": 60, "clean_session": true })),
                connack(3),
                publish(4, 1, false),
                puback(5, 1),
            ],
            40_000,
        ),
        (
            "linkkit-notifications-are-few",
            vec![
                report(1, json!("0"), "A"),
                replied(2),
                notify(3, 1, "A", 45_000),
                notify(10, 2, "A", 44_990),
            ],
            11,
        ),
        (
            "linkkit-tells-its-own-name",
            vec![
                leased(1, "192.168.1.2"),
                told_time(2),
                json!([3, "coap/received", {
                    "phone": "alice", "from": "192.168.1.2:5683", "type": "NON", "code": "0.02",
                    "message_id": 7, "message_token": "aa",
                    "json": { "method": "device.info.notify", "params": { "ip": "192.168.1.9" } },
                }]),
            ],
            4,
        ),
        (
            "linkkit-subscribes-first",
            vec![opened(1, "c"), report(2, json!("0"), "A")],
            4,
        ),
        (
            "scan-tells-what-is-there",
            vec![
                session(1),
                exchange(
                    2,
                    "prov-scan",
                    json!({ "message": "cmd_scan_result" }),
                    json!({
                        "message": "resp_scan_result",
                        "entries": [{ "ssid": "home", "channel": 1, "rssi": -70, "auth": "Open" }],
                    }),
                ),
            ],
            3,
        ),
        (
            "service-stays-until-success",
            vec![
                json!([1, "air/soft_ap_started", { "ssid": "PROV_1" }]),
                json!([2, "air/soft_ap_stopped", { "ssid": "PROV_1" }]),
            ],
            1_100,
        ),
        (
            "service-ends-after-success",
            vec![
                json!([1, "air/soft_ap_started", { "ssid": "PROV_1" }]),
                leased(2, "10.0.0.2"),
                told_time(3),
            ],
            60_000,
        ),
        (
            "station-starts-after-the-answer",
            vec![
                session(1),
                config(
                    2,
                    json!({ "message": "cmd_apply_config" }),
                    json!({ "message": "resp_apply_config", "status": "success" }),
                ),
                left(3, 201),
            ],
            4,
        ),
    ]
}

#[test]
fn each_contract_is_broken_by_what_breaks_it_and_no_other_is() {
    for (id, rows, until) in breaking() {
        assert_eq!(broken(&rows, until), BTreeSet::from([id]), "{id}");
    }
}

#[test]
fn no_contract_is_without_a_breach_here() {
    let tried: BTreeSet<_> = breaking().iter().map(|(id, ..)| *id).collect();
    let all: BTreeSet<_> = ALL.iter().copied().flatten().map(|c| c.id).collect();
    assert_eq!(tried, all);
}

#[test]
fn a_whole_good_life_breaks_nothing_and_exercises_much() {
    let to_broker = json!({
        "protocol": "tcp", "host": "broker.example", "port": 8883, "client": "10.0.0.2:4000",
    });
    let replies = json!({ "filters": [{ "filter": "/sys/k/n/match_reply", "qos": 0 }] });
    let rows = [
        json!([0, "board/power", { "power": "on" }]),
        json!([1, "air/soft_ap_started", { "ssid": "PROV_1" }]),
        line(
            1,
            "wifi_prov_mgr",
            "Provisioning started with service name : PROV_1 ",
        ),
        session(1),
        told(2, "home"),
        config(
            3,
            json!({ "message": "cmd_apply_config" }),
            json!({ "message": "resp_apply_config", "status": "success" }),
        ),
        json!([1_003, "air/joined", { "ssid": "home" }]),
        json!([1_004, "air/leased", { "address": "10.0.0.2" }]),
        line(
            1_005,
            "esp_netif_handlers",
            "sta ip: 10.0.0.2, mask: 255.0.0.0",
        ),
        status(
            1_006,
            json!({ "station": "connected", "connected": { "ip": "10.0.0.2", "ssid": "home" } }),
        ),
        json!([1_006, "air/name_asked", { "name": "broker.example", "answer": "10.0.0.1" }]),
        json!([1_007, "sntp/answered", { "device": null, "offset_s": 0 }]),
        json!([1_007, "air/connection_opened", to_broker]),
        handshake(1_007, json!({})),
        connect(1_008),
        connack(1_009),
        json!([1_009, "mqtt/session_opened", { "connection": 1, "client": "c" }]),
        from_client(1_009, "subscribe", replies),
        publish(1_010, 1, false),
        puback(1_011, 1),
        report(1_011, json!("0"), "A"),
        replied(1_012),
        line(1_012, "awss", "awss_report_token_reply"),
        notify(1_013, 7, "A", 44_998),
        notify(1_213, 8, "A", 44_798),
        line(1_214, "app", "MQTT_EVENT_PUBLISHED, msg_id=1"),
        json!([2_006, "air/soft_ap_stopped", { "ssid": "PROV_1" }]),
        line(2_006, "wifi_prov_mgr", "Provisioning stopped"),
        from_client(50_000, "pingreq", json!({})),
    ];
    assert_eq!(broken(&rows, 60_000), BTreeSet::new());
}

#[test]
fn what_a_fault_prevents_is_not_held_against_the_device() {
    let fault = |ms: u64, on: bool| json!([ms, "engine/fault", { "name": "internet_off", "on": on, "detail": "" }]);
    let silent = [connect(1), connack(2), fault(3, true), fault(69_000, false)];
    assert_eq!(broken(&silent, 70_000), BTreeSet::new());
    // What must never happen stays forbidden.
    let rude = [connect(1), connack(2), fault(3, true), connect(4)];
    assert_eq!(
        broken(&rude, 5),
        BTreeSet::from(["mqtt-connect-first-and-once"])
    );
}

#[test]
fn what_a_board_cannot_see_is_not_claimed() {
    let claim = line(1, "esp_netif_handlers", "sta ip: 10.0.0.9, mask: 255.0.0.0");
    let mut contracts = Contracts::new(&Facts::default());
    assert!(contracts.event(&event(0, &claim)).is_empty());
    let end = json!([60_000, "engine/finished", {}]);
    assert!(contracts.event(&event(1, &end)).is_empty());
    let claimed = |id: &str| {
        let mut standings = contracts.standings();
        standings.any(|(contract, standing)| contract.id == id && standing.claimed)
    };
    assert!(!claimed("says-address-only-if-leased"));
    assert!(claimed("mqtt-connect-first-and-once"));
}

#[test]
fn the_time_in_a_linkkit_client_id_is_no_other_name() {
    let opened = |ms: u64, client: &str| json!([ms, "mqtt/session_opened", { "connection": 1, "client": client }]);
    // Alibaba's SDK for Python signs the time of each of its starts.
    let first = opened(1, "pk&lamp|securemode=2,timestamp=1795874202|");
    let later = opened(2, "pk&lamp|securemode=2,timestamp=1795874204|");
    assert_eq!(broken(&[first.clone(), later], 3), BTreeSet::new());
    let other = opened(2, "pk&fan|securemode=2,timestamp=1795874204|");
    let expected = BTreeSet::from(["mqtt-one-client-id"]);
    assert_eq!(broken(&[first, other], 3), expected);
    // A bar alone makes no parameters.
    let plain = [opened(1, "a|1"), opened(2, "a|2")];
    assert_eq!(broken(&plain, 3), expected);
}

#[test]
fn a_session_from_before_a_power_cut_may_be_taken_over() {
    let opened = |ms: u64, connection: u64| json!([ms, "mqtt/session_opened", { "connection": connection, "client": "a" }]);
    let power = |ms: u64, on: bool| json!([ms, "board/power", { "on": on, "how": "switched" }]);
    let closed = |ms: u64, connection: u64| json!([ms, "mqtt/connection_closed", { "connection": connection, "end": "taken-over" }]);
    let before = [
        power(1, true),
        opened(2, 1),
        power(3, false),
        power(4, true),
    ];
    // The broker may tell of either first.
    for end in [[opened(5, 2), closed(6, 1)], [closed(5, 1), opened(6, 2)]] {
        let rows = [&before[..], &end].concat();
        assert_eq!(broken(&rows, 7), BTreeSet::new());
    }
    let living = [&before[..], &[opened(5, 2), opened(6, 3), closed(7, 2)]].concat();
    let expected = BTreeSet::from(["mqtt-takes-over-nothing"]);
    assert_eq!(broken(&living, 8), expected);
}
