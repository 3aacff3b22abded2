//! What breaks the contracts on pauses, on what has to be random, and on what was told.

use serde_json::{Value, json};

use super::Breaking;
use super::events::{
    broken, closed_tcp, exchange, from_client, get, joined, leased, left, line, opened_tcp,
    powered, session, told, told_time,
};

pub fn breaking() -> Vec<Breaking> {
    vec![
        (
            "prov-session-is-fresh",
            vec![first_answer(1, "aa"), first_answer(2, "aa")],
            3,
        ),
        (
            "prov-session-number-is-its-own",
            vec![
                numbered(1, "alice", "session=7"),
                numbered(2, "mallory", "session=7"),
            ],
            3,
        ),
        (
            "prov-session-number-is-given-once",
            vec![numbered(1, "alice", "session=7"), given_again(2)],
            2,
        ),
        (
            "linkkit-token-is-random",
            vec![json!([1, "linkkit/token_reported", {
                "id": "1", "token": "A", "differs": "00000000000000001122334455667788",
            }])],
            2,
        ),
        ("station-looks-less-and-less-often", looking(), 40_000),
        (
            "station-looks-at-once",
            vec![
                session(1),
                told(2, "home"),
                joined(3, "home"),
                leased(4, "10.0.0.2"),
                told_time(5),
                left(6_000, 200),
                joined(20_000, "home"),
                leased(20_001, "10.0.0.2"),
            ],
            20_002,
        ),
        (
            "broker-tried-less-and-less-often",
            vec![
                leased(0, "10.0.0.2"),
                told_time(0),
                opened_tcp(1, "10.0.0.2:1"),
                closed_tcp(2, "10.0.0.2:1"),
                opened_tcp(10_100, "10.0.0.2:2"),
                closed_tcp(10_101, "10.0.0.2:2"),
                opened_tcp(20_200, "10.0.0.2:3"),
                closed_tcp(20_201, "10.0.0.2:3"),
            ],
            20_202,
        ),
        (
            "broker-tried-soon-after-a-session",
            vec![
                json!([1, "mqtt/session_opened", { "connection": 1, "client": "c" }]),
                json!([9_000, "mqtt/connection_closed", { "connection": 1, "client": "c", "end": "fault" }]),
                json!([39_000, "air/name_asked", { "name": "broker.example", "answer": "10.0.0.1" }]),
            ],
            39_001,
        ),
        (
            "mqtt-name-and-will-as-told",
            vec![from_client(
                1,
                "connect",
                json!({ "keep_alive_s": 60, "clean_session": true, "client_id": "cut", "will": null }),
            )],
            2,
        ),
        (
            "telemetry-as-told",
            vec![
                super::events::connect(1),
                super::events::connack(2),
                from_client(
                    3,
                    "publish",
                    json!({ "topic": "t", "qos": 1, "id": 1, "retain": true }),
                ),
            ],
            4,
        ),
        (
            "says-time-only-if-told",
            vec![
                powered(0),
                json!([1, "sntp/answered", { "device": null, "offset_s": 0, "unix_s": 1_000 }]),
                line(2, "sntp", "Time is set: 4600"),
            ],
            3,
        ),
        (
            "says-no-passphrase",
            vec![line(1, "app", "joining home with <passphrase home>")],
            2,
        ),
        (
            "board-holds-no-more-and-more",
            [0, 61_000, 122_000]
                .map(|ms| {
                    json!([ms, "board/resources", {
                        "memory_kib": 2_000 + ms / 50, "threads": 1, "files": 9,
                    }])
                })
                .to_vec(),
            122_001,
        ),
        (
            "storage-is-written-only-when-told",
            vec![
                powered(0),
                json!([1, "board/resources", {
                    "memory_kib": 2_000, "threads": 1, "files": 9, "storage_written": true,
                }]),
            ],
            1_002,
        ),
        (
            "ble-advertisement-is-well-formed",
            vec![
                json!([1, "air/ble_advertising_seen", { "data": "020104", "scan_response": false }]),
            ],
            2,
        ),
        (
            "ble-link-ends-with-the-service",
            vec![
                json!([1, "air/ble_connected", { "central": "phone alice" }]),
                line(2, "app", "Provisioning stopped"),
            ],
            4_000,
        ),
        (
            "coap-no-error-to-many",
            vec![to_all(1), get(2, "NON", "4.04", "aa")],
            3,
        ),
    ]
}

fn first_answer(ms: u64, key: &str) -> Value {
    exchange(
        ms,
        "prov-session",
        json!({ "security": 1, "step": "command0" }),
        json!({ "security": 1, "step": "response0", "public_key": key }),
    )
}

fn numbered(ms: u64, phone: &str, number: &str) -> Value {
    json!([ms, "provisioning/exchange", {
        "phone": phone, "endpoint": "proto-ver", "request": "---", "answer": null, "session": number,
    }])
}

/// An answer that sets the cookie of its request.
fn given_again(ms: u64) -> Value {
    let mut event = numbered(ms, "alice", "session=7");
    event[2]["session_again"] = true.into();
    event
}

/// A station that looks for its network ten times in half a minute.
fn looking() -> Vec<Value> {
    (0..10).map(|n| left(1 + n * 3_000, 201)).collect()
}

/// A question to all nodes.
fn to_all(ms: u64) -> Value {
    json!([ms, "coap/sent", {
        "sender": "alice", "to": "224.0.1.187:5683", "type": "NON", "code": "0.01",
        "message_id": 9, "message_token": "aa",
    }])
}

#[test]
fn what_a_device_needs_for_something_new_is_no_leak() {
    let held = |ms: u64, memory: u64| json!([ms, "board/resources", { "memory_kib": memory, "threads": 1, "files": 9 }]);
    let before = [
        held(0, 2_000),
        held(61_000, 2_000),
        leased(62_000, "10.0.0.2"),
    ];
    let once = [&before[..], &[held(123_000, 4_000), held(190_000, 4_000)]].concat();
    let leaks =
        |rows: &[Value], until| broken(rows, until).contains("board-holds-no-more-and-more");
    assert!(!leaks(&once, 190_001));
    let twice = [
        &once[..],
        &[leased(191_000, "10.0.0.2"), held(260_000, 6_000)],
    ]
    .concat();
    assert!(leaks(&twice, 260_001));
}

#[test]
fn who_has_given_a_connection_up_does_not_wait_for_its_end() {
    let rows = |given_up: &str| {
        let rows = [
            leased(0, "10.0.0.2"),
            told_time(0),
            opened_tcp(1, "10.0.0.2:1"),
            line(10_000, "app", given_up),
            // The broker's end of it is reset when the next try is due.
            closed_tcp(20_050, "10.0.0.2:1"),
            opened_tcp(20_060, "10.0.0.2:2"),
        ];
        broken(&rows, 20_061).contains("broker-tried-less-and-less-often")
    };
    assert!(!rows("MQTT_EVENT_DISCONNECTED"));
    assert!(rows("something else"));
}
