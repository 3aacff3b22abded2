//! What breaks the contracts on what has to go on, to come again, or to be over.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Breaking;
use super::events::{
    applied, broken, broken_with, config, connack, connect, exchange, from_client, handshake,
    leased, left, notify, numbered, opened, probed, replied, report, scan, session, status, told,
    told_time,
};

pub fn breaking() -> Vec<Breaking> {
    vec![
        (
            "firmware-does-not-end",
            vec![json!([1, "board/exited", { "how": "signal 6", "panic": "index 3 of 2" }])],
            2,
        ),
        (
            "mqtt-leaves-with-goodbye",
            vec![opened(1, "c"), closed(40_000, "lost")],
            44_000,
        ),
        (
            "mqtt-subscribes-again",
            vec![
                connect(1),
                connack(1),
                opened(1, "c"),
                subscribe(2, "calls"),
                closed(3, "fault"),
                connect(4),
                connack(4),
                opened(4, "c"),
            ],
            35_000,
        ),
        (
            "telemetry-counts-the-time",
            vec![
                connect(1),
                connack(2),
                opened(3, "c"),
                numbered(4, 1, "5"),
                numbered(20_004, 2, "6"),
                numbered(40_004, 3, "7"),
                closed(40_010, "fault"),
                connect(200_001),
                connack(200_002),
                opened(200_003, "c"),
                numbered(200_004, 4, "8"),
                numbered(220_004, 5, "9"),
                numbered(240_004, 6, "10"),
            ],
            240_005,
        ),
        (
            "tls-says-why-it-refuses",
            vec![refused(1, "server-other-ca", "closed")],
            2,
        ),
        (
            "linkkit-refused-token-is-not-reported",
            vec![
                session(1),
                handed_over(2, "A", -6),
                report(3, json!("0"), "A"),
            ],
            4,
        ),
        (
            "linkkit-answered-token-is-done",
            vec![
                report(1, json!("0"), "A"),
                replied(2),
                report(40_000, json!("1"), "A"),
            ],
            40_001,
        ),
        (
            "linkkit-taken-token-is-told-no-more",
            vec![
                report(1, json!("0"), "A"),
                replied(2),
                notify(300, 7, "A", 44_700),
                thanks(400, 7),
                notify(900, 8, "A", 44_100),
                thanks(901, 8),
                notify(2_500, 9, "A", 42_500),
                thanks(2_501, 9),
                notify(3_500, 10, "A", 41_500),
            ],
            3_501,
        ),
        (
            "linkkit-reports-when-its-token-is-over",
            vec![report(1, json!("0"), "A"), opened(60_000, "c")],
            91_000,
        ),
        (
            "linkkit-telling-goes-on",
            vec![
                connect(0),
                connack(0),
                opened(0, "c"),
                subscribe(0, "/sys/k/d/thing/awss/enrollee/match_reply"),
                report(1, json!("0"), "A"),
                replied(2),
                notify(300, 7, "A", 44_700),
            ],
            6_000,
        ),
        (
            "prov-session-goes-on",
            vec![
                session(1),
                config(2, json!({ "message": "cmd_get_status" }), Value::Null),
            ],
            3,
        ),
        (
            "prov-session-number-is-given",
            vec![json!([1, "provisioning/exchange", {
                "phone": "alice", "endpoint": "proto-ver", "request": "proto-ver",
                "answer": { "prov": { "ver": "v1.1", "cap": [] } },
            }])],
            2,
        ),
        (
            "prov-version-is-told",
            vec![version_failed(
                1,
                "the device printed its next prompt without an answer",
            )],
            2,
        ),
        (
            "prov-failure-follows-a-try",
            vec![
                session(1),
                told(2, "home"),
                applied(3),
                status(4, json!({ "station": "connection_failed" })),
            ],
            5,
        ),
        (
            "prov-scan-forgets-what-is-gone",
            [switched(1, "near", "power off")]
                .into_iter()
                .chain(scanned(2, 1, &["near"]))
                .collect(),
            10,
        ),
        ("prov-scan-finds-what-is-there", scanned(1, 1, &["near"]), 9),
        (
            "address-is-probed",
            vec![json!([1, "air/leased", { "address": "10.0.0.2", "unprobed": true }])],
            7_000,
        ),
        (
            "address-is-asked-for-after-a-decline",
            vec![
                leased(1, "10.0.0.2"),
                told_time(2),
                json!([3, "air/address_asked", { "message": "decline", "wanted": "10.0.0.2" }]),
            ],
            31_000,
        ),
        (
            "forgotten-network-is-left-alone",
            vec![session(1), reset(2), left(10_000, 201)],
            10_001,
        ),
        (
            "web-ping-and-close-are-answered",
            vec![sent(1, "ping", 3)],
            6_000,
        ),
        (
            "web-keeps-who-answers",
            vec![received(1, "ping", 0), sent(2, "pong", 0), ended(10_000)],
            13_000,
        ),
    ]
}

fn closed(ms: u64, end: &str) -> Value {
    json!([ms, "mqtt/connection_closed", { "connection": 1, "client": "c", "end": end }])
}

fn subscribe(ms: u64, filter: &str) -> Value {
    from_client(
        ms,
        "subscribe",
        json!({ "filters": [{ "filter": filter, "qos": 0 }] }),
    )
}

fn refused(ms: u64, shown: &str, cause: &str) -> Value {
    handshake(ms, json!({ "ok": false, "shown": shown, "cause": cause }))
}

/// A token that alice hands over, and the code by which she is answered.
fn handed_over(ms: u64, token: &str, code: i64) -> Value {
    exchange(
        ms,
        "binding-token",
        json!({ "raw": format!(r#"{{"token":"{token}"}}"#) }),
        json!({ "raw": format!(r#"{{"code":{code}}}"#) }),
    )
}

/// What a phone answers to the notification of this id.
fn thanks(ms: u64, id: u64) -> Value {
    json!([ms, "coap/sent", {
        "device": null, "sender": "alice", "to": "10.0.0.2:5683", "type": "NON", "code": "2.05",
        "message_id": id, "message_token": format!("{id:08x}"),
    }])
}

fn version_failed(ms: u64, why: &str) -> Value {
    json!([ms, "provisioning/exchange", {
        "phone": "alice", "endpoint": "proto-ver", "request": "proto-ver", "answer": null, "failure": why,
    }])
}

fn switched(ms: u64, role: &str, change: &str) -> Value {
    json!([ms, "air/access_point_changed", { "access_point": role, "change": change }])
}

/// A scan of everything that announces so many results, and tells some.
fn scanned(ms: u64, count: u64, results: &[&str]) -> Vec<Value> {
    let entries: Vec<Value> = results
        .iter()
        .map(|ssid| match *ssid {
            "near" => json!({ "ssid": "near", "channel": 6, "rssi": -50, "auth": "WPA2_PSK" }),
            ssid => json!({ "ssid": ssid, "channel": 1, "rssi": -70, "auth": "WPA2_PSK" }),
        })
        .collect();
    let answer = |kind: &str, mut more: Value| {
        more["message"] = format!("resp_scan_{kind}").into();
        more["status"] = "success".into();
        more
    };
    vec![
        session(ms),
        json!([ms + 1, "air/scan_begun", { "channel": 0, "passive": false }]),
        scan(
            ms + 2,
            json!({ "message": "cmd_scan_start", "blocking": true, "passive": false }),
            answer("start", json!({})),
        ),
        scan(
            ms + 3,
            json!({ "message": "cmd_scan_status" }),
            answer("status", json!({ "finished": true, "count": count })),
        ),
        scan(
            ms + 4,
            json!({ "message": "cmd_scan_result" }),
            answer("result", json!({ "entries": entries })),
        ),
    ]
}

fn reset(ms: u64) -> Value {
    exchange(
        ms,
        "prov-ctrl",
        json!({ "message": "cmd_ctrl_reset" }),
        json!({ "message": "resp_ctrl_reset", "status": "success" }),
    )
}

fn frame(ms: u64, kind: &str, frame: &str, length: u64) -> Value {
    json!([ms, kind, {
        "device": null, "phone": "alice", "frame": frame, "is_final": true, "is_masked": true, "length": length,
    }])
}

fn sent(ms: u64, kind: &str, length: u64) -> Value {
    frame(ms, "web/sent", kind, length)
}

fn received(ms: u64, kind: &str, length: u64) -> Value {
    frame(ms, "web/received", kind, length)
}

fn ended(ms: u64) -> Value {
    json!([ms, "web/closed", { "device": null, "phone": "alice", "how": "the server closed the connection" }])
}

fn fault(ms: u64, name: &str, on: bool) -> Value {
    json!([ms, "engine/fault", { "name": name, "on": on, "detail": "" }])
}

#[test]
fn who_leaves_for_a_reason_need_not_say_goodbye() {
    let id = "mqtt-leaves-with-goodbye";
    let goodbye = from_client(39_000, "disconnect", json!({}));
    let switching = json!([40_500, "board/switching", { "how": "power off" }]);
    for good in [
        vec![opened(1, "c"), goodbye, closed(40_000, "disconnected")],
        vec![opened(1, "c"), closed(40_000, "fault")],
        vec![opened(1, "c"), closed(40_000, "lost"), left(40_001, 200)],
        vec![opened(1, "c"), closed(40_000, "lost"), switching],
        vec![
            opened(1, "c"),
            fault(2, "ping_answer", true),
            closed(40_000, "lost"),
        ],
        vec![
            opened(1, "c"),
            fault(2, "internet_off", true),
            fault(20_000, "internet_off", false),
            closed(40_000, "lost"),
        ],
    ] {
        assert!(!broken(&good, 44_000).contains(id), "{good:?}");
    }
    let in_pieces = [
        opened(1, "c"),
        fault(2, "single_bytes", true),
        closed(40_000, "lost"),
    ];
    assert!(broken(&in_pieces, 44_000).contains(id));
}

#[test]
fn what_was_unsubscribed_or_is_kept_need_not_be_subscribed_to_again() {
    let id = "mqtt-subscribes-again";
    let bare = |rows: &[Value]| {
        broken_with(rows, 40_000, |facts| {
            facts.linkkit = None;
            facts.telemetry = None;
        })
        .contains(id)
    };
    let unsubscribe = from_client(2, "unsubscribe", json!({ "filters": ["calls"] }));
    let kept = json!([4, "mqtt/session_opened", {
        "connection": 1, "client": "c", "session_present": true,
    }]);
    let first = [opened(1, "c"), subscribe(2, "calls")];
    let rows = |more: &[Value]| [&first[..], more].concat();
    assert!(bare(&rows(&[closed(3, "fault"), opened(4, "c")])));
    let again = [closed(3, "fault"), opened(4, "c"), subscribe(5, "calls")];
    assert!(!bare(&rows(&again)));
    assert!(!bare(&rows(&[
        unsubscribe,
        closed(3, "fault"),
        opened(4, "c")
    ])));
    assert!(!bare(&rows(&[closed(3, "fault"), kept])));
    // A session that was too short owes to the next one.
    let short = [
        closed(3, "fault"),
        opened(4, "c"),
        closed(5, "fault"),
        opened(6, "c"),
    ];
    assert!(bare(&rows(&short)));
}

#[test]
fn a_session_may_end_for_what_ends_sessions() {
    let id = "prov-session-goes-on";
    let unanswered = |ms: u64| config(ms, json!({ "message": "cmd_get_status" }), Value::Null);
    let refused = exchange(2, "prov-config", json!({ "raw": "--" }), Value::Null);
    assert!(broken(&[session(1), refused, unanswered(3)], 4).contains(id));
    let begun = exchange(
        2,
        "prov-session",
        json!({ "security": 1, "step": "command0" }),
        Value::Null,
    );
    for end in [
        begun,
        json!([2, "air/ble_disconnected", { "central": "alice" }]),
        json!([2, "air/phone_left", { "phone": "alice", "network": "PROV_1" }]),
        json!([2, "air/soft_ap_stopped", { "ssid": "PROV_1" }]),
        fault(2, "bluetooth_silent", true),
    ] {
        let rows = [session(1), end, unanswered(3)];
        assert!(!broken(&rows, 4).contains(id), "{rows:?}");
    }
}

#[test]
fn a_version_may_be_out_of_reach() {
    let id = "prov-version-is-told";
    let unheard = version_failed(1, "PROV_1 did not advertise within 20s");
    assert!(!broken(&[unheard], 2).contains(id));
    let refused = version_failed(1, "192.168.4.1:80 answered with HTTP status 404");
    assert!(broken(&[refused], 2).contains(id));
}

#[test]
fn a_scan_finds_what_was_switched_on_again() {
    let back = [
        switched(1, "near", "power off"),
        switched(2, "near", "power on"),
    ];
    let rows = [&back[..], &scanned(3, 2, &["near", "home"])].concat();
    assert_eq!(broken(&rows, 10), BTreeSet::new());
    let off = [switched(1, "near", "power off")];
    let rows = [&off[..], &scanned(3, 1, &["home"])].concat();
    assert_eq!(broken(&rows, 10), BTreeSet::new());
}

#[test]
fn what_was_forgotten_may_be_told_again() {
    let id = "forgotten-network-is-left-alone";
    let rows = [session(1), reset(2), told(3, "home"), left(10_000, 201)];
    assert!(!broken(&rows, 10_001).contains(id));
    let soon = [session(1), reset(2), left(1_000, 201)];
    assert!(!broken(&soon, 1_001).contains(id));
    let started = [
        session(1),
        reset(2),
        json!([9_000, "board/power", { "power": "on" }]),
        left(10_000, 201),
    ];
    assert!(broken(&started, 10_001).contains(id));
}

#[test]
fn a_phone_that_speaks_ends_the_telling() {
    let id = "linkkit-telling-goes-on";
    let told = [
        opened(0, "c"),
        report(1, json!("0"), "A"),
        replied(2),
        notify(300, 7, "A", 44_700),
    ];
    assert!(broken(&told, 6_000).contains(id));
    // One that takes the place of another is told at the pauses of the other.
    assert!(!broken(&told[1..], 6_000).contains(id));
    assert!(!broken(&[&told[..], &[thanks(400, 7)]].concat(), 6_000).contains(id));
    let goes =
        json!([400, "air/phone_left", { "device": null, "phone": "alice", "network": "home" }]);
    assert!(!broken(&[&told[..], std::slice::from_ref(&goes)].concat(), 6_000).contains(id));
    // Heard again later, when its pauses are longer.
    let later = [goes, notify(5_000, 8, "A", 40_000)];
    assert!(!broken(&[&told[..], &later].concat(), 12_000).contains(id));
}

#[test]
fn a_late_answer_or_a_lost_one_does_not_end_the_reports() {
    let id = "linkkit-answered-token-is-done";
    let lost = [
        report(1, json!("0"), "A"),
        replied(2),
        left(3, 200),
        report(40_000, json!("1"), "A"),
    ];
    assert!(!broken(&lost, 40_001).contains(id));
    let of_another = [
        report(1, json!("7"), "A"),
        replied(2),
        report(40_000, json!("8"), "A"),
    ];
    assert!(!broken(&of_another, 40_001).contains(id));
}

#[test]
fn an_address_that_was_asked_about_may_be_used() {
    let rows = [
        json!([1, "air/leased", { "address": "10.0.0.2", "unprobed": true }]),
        probed(2, "10.0.0.2"),
    ];
    assert!(!broken(&rows, 7_000).contains("address-is-probed"));
}

#[test]
fn a_pong_has_the_bytes_of_its_ping_and_a_close_is_the_end() {
    let id = "web-ping-and-close-are-answered";
    let good = [
        sent(1, "ping", 7),
        received(2, "pong", 7),
        sent(3, "close", 2),
        received(4, "close", 0),
        ended(5),
    ];
    assert_eq!(broken(&good, 12_000), BTreeSet::new());
    for bad in [
        vec![sent(1, "ping", 7), received(2, "pong", 0)],
        vec![sent(1, "close", 2), received(2, "close", 0)],
        vec![sent(1, "close", 2), ended(2)],
    ] {
        assert_eq!(broken(&bad, 12_000), BTreeSet::from([id]), "{bad:?}");
    }
}

#[test]
fn a_client_that_does_not_answer_or_has_to_make_room_may_be_put_out() {
    let id = "web-keeps-who-answers";
    let silent = [
        received(1, "ping", 0),
        sent(2, "pong", 0),
        received(5_000, "ping", 0),
        ended(15_000),
    ];
    assert!(!broken(&silent, 20_000).contains(id));
    let other = json!([9_999, "web/response", {
        "device": null, "phone": "bob", "version": "1.1", "status": 200, "reason": "OK",
        "fields": { "content-type": "text/html", "content-length": "2" },
    }]);
    let makes_room = [
        received(1, "ping", 0),
        sent(2, "pong", 0),
        other,
        ended(10_000),
    ];
    assert!(!broken(&makes_room, 20_000).contains(id));
}

#[test]
fn a_device_that_loses_its_power_in_a_handshake_refuses_nobody() {
    let rows = |closed_at: u64| {
        let switching = json!([3, "board/switching", { "power": "reset" }]);
        let rows = [switching, refused(closed_at, "server-other-ca", "closed")];
        broken(&rows, closed_at + 1).contains("tls-says-why-it-refuses")
    };
    assert!(!rows(5));
    assert!(rows(2_000));
}
