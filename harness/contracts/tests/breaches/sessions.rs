//! What breaks the contracts on MQTT and provisioning.

use std::time::Duration;

use serde_json::json;

use super::Breaking;
use super::events::{
    applied, broken, broken_with, config, connack, connect, connect_kept, connected, exchange,
    from_client, joined, leased, left, numbered, opened, powered, puback, publish, refused, report,
    session, status, subscribed, to_client, told, told_time,
};

pub fn breaking() -> Vec<Breaking> {
    vec![
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
            "mqtt-unacknowledged-comes-again",
            vec![
                opened(1, "c"),
                connect_kept(1),
                connack(2),
                publish(2, 1, false),
                json!([3, "mqtt/connection_closed", { "connection": 1, "client": "c", "end": "fault" }]),
                connect_kept(4),
                connack(4),
                opened(4, "c"),
                publish(5, 2, false),
            ],
            15_000,
        ),
        (
            "mqtt-sends-again-with-pauses",
            vec![
                connect(1),
                connack(2),
                publish(3, 1, false),
                publish(1_100, 1, true),
                publish(1_200, 1, true),
            ],
            1_300,
        ),
        (
            "mqtt-acknowledged-is-done",
            vec![
                connect(1),
                connack(2),
                publish(3, 1, false),
                puback(4, 1),
                publish(6_000, 1, true),
            ],
            6_001,
        ),
        (
            "mqtt-waits-as-told",
            vec![
                connect(1),
                json!([2_001, "mqtt/connection_closed", {
                    "connection": 1, "end": "fault", "detail": "CONNECT was never answered",
                }]),
            ],
            2_002,
        ),
        (
            "mqtt-pings-are-few",
            vec![
                connect(1),
                connack(2),
                from_client(3, "pingreq", json!({})),
                from_client(1_000, "pingreq", json!({})),
            ],
            1_001,
        ),
        (
            "mqtt-closes-after-goodbye",
            vec![
                connect(1),
                connack(2),
                from_client(3, "disconnect", json!({})),
                json!([4, "air/connection_closed", {
                    "protocol": "tcp", "host": "broker.example", "port": 8883, "client": "10.0.0.2:1",
                    "how": "reset_by_client",
                }]),
            ],
            5,
        ),
        (
            "telemetry-no-more-than-told",
            vec![
                connect(1),
                connack(2),
                opened(3, "c"),
                publish(4, 1, false),
                publish(5, 2, false),
            ],
            6,
        ),
        (
            "telemetry-counts-on",
            vec![
                connect(1),
                connack(2),
                opened(3, "c"),
                numbered(4, 1, "5"),
                numbered(5, 2, "4"),
            ],
            6,
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
        (
            "mqtt-qos2-goes-on",
            vec![
                connect(1),
                connack(2),
                to_client(3, "pubrec", json!({ "id": 7 })),
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
            "time-asked-as-sntp-has-it",
            vec![json!([1, "sntp/answered", { "device": null, "offset_s": 0, "version": 7 }])],
            2,
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
                applied(3),
                joined(1_003, "home"),
                leased(1_004, "10.0.0.2"),
                status(1_005, connected("10.0.0.3", "home")),
            ],
            1_006,
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
                status(
                    2_501,
                    json!({ "station": "connecting", "attempts_remaining": 2 }),
                ),
            ],
            2_502,
        ),
        (
            "mqtt-comes-back",
            vec![
                leased(1, "10.0.0.2"),
                told_time(2),
                opened(3, "c"),
                json!([4, "mqtt/connection_closed", { "connection": 1, "end": "fault" }]),
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
            "telemetry-keeps-its-interval",
            vec![
                powered(0),
                opened(1, "c"),
                connect(2),
                connack(3),
                subscribed(4),
                report(5, json!("0"), "A"),
                publish(6, 7, false),
            ],
            40_000,
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
fn who_has_left_the_network_owes_its_session_no_telemetry() {
    let rows = [
        powered(0),
        opened(1, "c"),
        connect(2),
        connack(3),
        publish(6, 7, false),
    ];
    let silent = |rows: &[serde_json::Value]| {
        let broken = broken_with(rows, 60_000, |facts| {
            facts.telemetry.as_mut().expect("it has some").every = Duration::from_secs(20);
        });
        broken.contains("telemetry-keeps-its-interval")
    };
    assert!(silent(&rows));
    assert!(!silent(&[&rows[..], &[left(7, 8)]].concat()));
}

#[test]
fn an_acknowledgement_for_who_has_left_the_network_does_not_arrive() {
    let rows = |left_at: u64| {
        let mut rows = vec![
            leased(0, "10.0.0.2"),
            connect(1),
            connack(2),
            publish(3, 1, false),
            puback(10, 1),
            left(left_at, 200),
            leased(8_000, "10.0.0.2"),
            connect(8_001),
            connack(8_002),
            publish(8_003, 1, true),
        ];
        rows.sort_by_key(|row| row[0].as_u64());
        broken(&rows, 8_004).contains("mqtt-acknowledged-is-done")
    };
    assert!(!rows(9) && !rows(11));
    // The station notices six seconds later that nothing comes any more.
    assert!(!rows(6_005));
    assert!(rows(7_000));
}
