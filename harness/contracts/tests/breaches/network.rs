//! What breaks the contracts on a device's clock, its networks and TLS.

use std::collections::BTreeSet;

use serde_json::json;

use super::Breaking;
use super::events::{
    broken, closed_tcp, exchange, handshake, joined, leased, left, opened_tcp, powered, session,
    time, timed, told, told_time,
};

pub fn breaking() -> Vec<Breaking> {
    vec![
        (
            "address-is-asked-for-with-pauses",
            (0..11)
                .map(|n| json!([n * 100, "air/address_asked", { "message": "discover" }]))
                .collect(),
            2_000,
        ),
        (
            "address-is-renewed-in-time",
            vec![
                json!([1, "air/leased", { "address": "10.0.0.2", "lease_s": 20 }]),
                json!([2, "sntp/answered", { "device": null, "offset_s": 0 }]),
            ],
            21_000,
        ),
        (
            "address-is-used-no-longer-than-leased",
            vec![
                json!([1, "air/leased", { "address": "10.0.0.2", "lease_s": 20 }]),
                json!([2, "sntp/answered", { "device": null, "offset_s": 0 }]),
                json!([15_000, "air/address_asked", { "message": "request" }]),
                json!([23_000, "air/name_asked", { "name": "a", "answer": "10.0.0.1" }]),
            ],
            24_000,
        ),
        (
            "address-is-declined-in-order",
            vec![
                json!([1, "air/leased", { "address": "10.0.0.2", "lease_s": 20 }]),
                json!([2, "sntp/answered", { "device": null, "offset_s": 0 }]),
                json!([3, "air/address_asked", { "message": "decline", "wanted": "10.0.0.2" }]),
                json!([1_003, "air/address_asked", { "message": "discover" }]),
            ],
            1_004,
        ),
        (
            "address-is-probed-by-nobody",
            vec![
                json!([1, "air/leased", { "address": "10.0.0.2", "unprobed": true }]),
                json!([2, "air/address_probed", { "address": "10.0.0.2", "sender": "10.0.0.2" }]),
            ],
            3,
        ),
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
            "time-refusal-heeded",
            vec![
                json!([1, "sntp/answered", { "device": null, "kiss_of_death": "RATE" }]),
                time(5_000, "answered"),
            ],
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
            "connects-from-its-address",
            vec![leased(1, "10.0.0.2"), told_time(2), opened_tcp(3, "10.0.0.3:4000")],
            4,
        ),
        (
            "asks-the-name-server-of-its-network",
            vec![
                json!([1, "air/leased", { "address": "10.0.0.2", "name_server": "10.0.0.1" }]),
                told_time(2),
                json!([3, "air/name_asked", {
                    "name": "broker.example", "answer": "10.0.0.9", "server": "8.8.8.8",
                }]),
            ],
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
                opened_tcp(10_005, "10.0.0.2:4000"),
            ],
            10_006,
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
                left(2_000, 201),
            ],
            70_000,
        ),
        (
            "stays-in-its-network",
            vec![
                leased(1, "10.0.0.2"),
                told_time(2),
                left(3_000, 8),
            ],
            7_000,
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
    ]
}

#[test]
fn a_lease_that_is_renewed_lasts_on() {
    let leased =
        |s: u64| json!([s * 1_000, "air/leased", { "address": "10.0.0.2", "lease_s": 20 }]);
    let asked = |s: u64| json!([s * 1_000, "air/address_asked", { "message": "request" }]);
    let used = json!([30_000, "air/name_asked", { "name": "a", "answer": "10.0.0.1" }]);
    let told = json!([1, "sntp/answered", { "device": null, "offset_s": 0 }]);
    let rows = [
        told,
        leased(1),
        asked(11),
        leased(11),
        asked(21),
        leased(21),
        used,
    ];
    assert_eq!(broken(&rows, 31_000), BTreeSet::new());
}

#[test]
fn an_address_that_is_refused_is_used_no_more() {
    let leased = json!([1, "air/leased", { "address": "10.0.0.2", "lease_s": 20 }]);
    let told = json!([1, "sntp/answered", { "device": null, "offset_s": 0 }]);
    let asked = json!([10_000, "air/address_asked", { "message": "request", "answer": "nak" }]);
    let used = |ms: u64| json!([ms, "air/name_asked", { "name": "a", "answer": "10.0.0.1" }]);
    let rows = |ms: u64| [leased.clone(), told.clone(), asked.clone(), used(ms)];
    assert_eq!(broken(&rows(11_000), 21_000), BTreeSet::new());
    let expected = BTreeSet::from(["address-is-used-no-longer-than-leased"]);
    assert_eq!(broken(&rows(13_000), 21_000), expected);
}

#[test]
fn a_declined_address_is_the_one_that_was_leased() {
    let rows = |wanted: &str| {
        [
            json!([1, "air/leased", { "address": "10.0.0.2", "lease_s": 20 }]),
            json!([1, "sntp/answered", { "device": null, "offset_s": 0 }]),
            json!([2, "air/address_asked", { "message": "decline", "wanted": wanted }]),
            json!([10_100, "air/address_asked", { "message": "discover" }]),
        ]
    };
    assert_eq!(broken(&rows("10.0.0.2"), 21_000), BTreeSet::new());
    let expected = BTreeSet::from(["address-is-declined-in-order"]);
    assert_eq!(broken(&rows("10.0.0.1"), 21_000), expected);
}

#[test]
fn a_station_that_a_fault_kept_away_has_a_minute_once_it_is_over() {
    let fault = |ms: u64, on: bool| json!([ms, "engine/fault", { "name": "access_point_off", "on": on, "detail": "" }]);
    let rows = [
        session(1),
        told(2, "home"),
        joined(3, "home"),
        leased(4, "10.0.0.2"),
        told_time(5),
        fault(6, true),
        left(7, 200),
        left(2_000, 201),
        fault(100_000, false),
    ];
    assert_eq!(broken(&rows, 185_000), BTreeSet::new());
    assert_eq!(broken(&rows, 195_000), BTreeSet::from(["joins-again"]));
    let back = [
        &rows[..],
        &[joined(185_000, "home"), leased(185_001, "10.0.0.2")],
    ]
    .concat();
    assert_eq!(broken(&back, 195_000), BTreeSet::new());
}

#[test]
fn what_is_over_as_soon_as_it_happens_excuses_for_half_a_minute_only() {
    let ended = |ms: u64, name: &str| json!([ms, "engine/fault", { "name": name, "on": true, "detail": "" }]);
    let stays_away = |name: &str| {
        let rows = [
            leased(1, "10.0.0.2"),
            json!([2, "mqtt/session_opened", { "connection": 1, "client": "c" }]),
            ended(4, name),
            json!([50_000, "mqtt/connection_closed", { "connection": 1, "client": "c", "end": "lost" }]),
        ];
        broken(&rows, 145_000).contains("mqtt-comes-back")
    };
    assert!(stays_away("session_ended") && stays_away("stations_lost"));
    assert!(!stays_away("internet_off"));
}

#[test]
fn a_station_that_is_switched_off_or_told_has_not_left_of_its_own_accord() {
    let left = || [leased(1, "10.0.0.2"), told_time(2), left(3_000, 8)];
    let expected = BTreeSet::from(["stays-in-its-network"]);
    assert_eq!(broken(&left(), 7_000), expected);
    let off = json!([3_100, "board/power", { "power": "off" }]);
    let switched = [&left()[..], &[off]].concat();
    assert_eq!(broken(&switched, 7_000), BTreeSet::new());
    let mut told = left().to_vec();
    told.insert(2, session(2_000));
    assert_eq!(broken(&told, 7_000), BTreeSet::new());
    // The exchange ends with the answer, which the device may give after it has left.
    told = [&left()[..], &[session(3_050)]].concat();
    assert_eq!(broken(&told, 7_000), BTreeSet::new());
    let fault =
        json!([3_001, "engine/fault", { "name": "stations_lost", "on": true, "detail": "" }]);
    let dismissed = [&left()[..], &[fault]].concat();
    assert_eq!(broken(&dismissed, 7_000), BTreeSet::new());
}

#[test]
fn a_line_of_the_run_before_a_reset_may_come_behind_it() {
    let reset = json!([5_000, "board/power", { "power": "on", "how": "reset" }]);
    let rows = |after: u64| {
        let early = [timed(1, 100), reset.clone(), timed(5_002, 5_100)];
        let late = [timed(5_300, 6), timed(5_400, after)];
        [&early[..], &late[..]].concat()
    };
    assert_eq!(broken(&rows(100), 5_401), BTreeSet::new());
    let mut fallen = rows(100);
    fallen.push(timed(5_500, 20));
    let expected = BTreeSet::from(["device-time-never-falls"]);
    assert_eq!(broken(&fallen, 5_501), expected);
    // Only where it cannot be of the new run.
    let mut young = rows(900);
    young.push(timed(5_900, 800));
    assert_eq!(broken(&young, 5_901), expected);
}

#[test]
fn a_connection_whose_end_could_not_arrive_is_not_open() {
    let fault = |ms: u64, name: &str, on: bool| json!([ms, "engine/fault", { "name": name, "on": on, "detail": "" }]);
    let breaks = |name: &str| {
        let rows = [
            leased(1, "192.168.1.2"),
            opened_tcp(2, "192.168.1.2:1"),
            fault(3, name, true),
            fault(4, name, false),
            opened_tcp(5, "192.168.1.2:2"),
            opened_tcp(6, "192.168.1.2:3"),
        ];
        broken(&rows, 7).contains("one-connection-to-a-service")
    };
    assert!(!breaks("internet_off"));
    assert!(!breaks("broker_moved"));
    assert!(breaks("time_silent"));
}

#[test]
fn the_end_of_a_connection_of_the_run_before_starts_no_wait() {
    let opened = |ms: u64, connection: u64| json!([ms, "mqtt/connection_opened", { "connection": connection }]);
    let failed =
        |ms: u64, connection: u64| handshake(ms, json!({ "ok": false, "connection": connection }));
    let rows = |of_first: u64| {
        let rows = [
            opened(1, 1),
            json!([2, "board/power", { "power": "on" }]),
            opened(1_600, 2),
            failed(1_601, 2),
            failed(3_000, of_first),
        ];
        broken(&rows, 3_001).contains("tls-failed-then-waits")
    };
    assert!(!rows(1));
    assert!(rows(3));
}
