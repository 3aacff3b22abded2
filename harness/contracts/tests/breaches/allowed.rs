//! What looks like a breach and is none, beside what is one.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::events::{
    self, broken, connack, connect, connect_kept, from_client, joined, leased, line, notify,
    puback, publish, replied, report,
};

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
fn a_device_that_asks_for_its_credentials_may_have_another_name_afterwards() {
    let opened = |ms: u64, client: &str, username: &str| json!([ms, "mqtt/session_opened", { "connection": ms, "client": client, "username": username }]);
    let closed = |ms: u64| json!([ms, "mqtt/connection_closed", { "connection": ms - 1, "end": "disconnected" }]);
    let asks = [
        opened(1, "ESP32_1", "provision"),
        closed(2),
        opened(3, "dev1", "alice"),
    ];
    assert_eq!(broken(&asks, 4), BTreeSet::new());
    let changes = [
        opened(1, "ESP32_1", "bob"),
        closed(2),
        opened(3, "dev1", "alice"),
    ];
    assert_eq!(broken(&changes, 4), BTreeSet::from(["mqtt-one-client-id"]));
}

#[test]
fn a_pubrec_that_refuses_gives_the_packet_identifier_back() {
    let exact = |ms: u64, id: u64| {
        events::from_client(ms, "publish", json!({ "topic": "u", "qos": 2, "id": id }))
    };
    let received = |ms: u64, id: u64, code: u64| {
        events::to_client(ms, "pubrec", json!({ "id": id, "code": code }))
    };
    let twice = |code: u64| {
        let rows = [
            events::connect(1),
            events::connack(2),
            exact(3, 1),
            received(4, 1, code),
            exact(5, 2),
            received(6, 2, code),
            exact(7, 1),
        ];
        broken(&rows, 8)
    };
    assert_eq!(twice(0x97), BTreeSet::new());
    assert!(twice(0).contains("mqtt-packet-id-is-free"));
}

#[test]
fn a_server_that_is_trusted_itself_is_no_stranger() {
    let handshake = json!([1, "tls/handshake", { "connection": 1, "ok": true, "shown": "server-self-signed", "offered": ["TLS 1.3"], "server_name": "broker.example", "client_certificate": { "subject": { "common_name": "dut" } } }]);
    let rows = [handshake];
    assert_eq!(broken(&rows, 2), BTreeSet::from(["tls-trusts-no-stranger"]));
    assert_eq!(
        events::broken_with(&rows, 2, |facts| {
            if let Some(cloud) = &mut facts.cloud {
                cloud.trusts_broker_itself = true;
            }
        }),
        BTreeSet::new()
    );
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

#[test]
fn what_a_cut_connection_may_have_lost_is_rightly_sent_again() {
    let after = |end: &str| {
        let closed =
            json!([3, "mqtt/connection_closed", { "connection": 1, "client": "c", "end": end }]);
        let rows = [
            connect(1),
            connack(2),
            closed,
            connect(4),
            connack(5),
            publish(6, 1, true),
        ];
        broken(&rows, 7)
    };
    for end in ["lost", "keep-alive", "fault"] {
        assert_eq!(after(end), BTreeSet::new(), "{end}");
    }
    let orderly = BTreeSet::from(["mqtt-dup-means-again"]);
    assert_eq!(after("disconnected"), orderly);
}

#[test]
fn what_is_not_acknowledged_comes_again_as_the_standard_has_it() {
    let back = |rows: &[Value]| {
        let closed =
            json!([6, "mqtt/connection_closed", { "connection": 1, "client": "c", "end": "lost" }]);
        let before = [
            connect_kept(1),
            connack(2),
            publish(3, 1, false),
            publish(4, 2, false),
            puback(5, 1),
            publish(5, 3, false),
            closed,
            connect_kept(7),
            connack(8),
            json!([8, "mqtt/session_opened", { "connection": 1, "client": "c" }]),
        ];
        let rows = [&before[..], rows].concat();
        events::broken_with(&rows, 20_000, |facts| {
            facts.telemetry = None;
            facts.linkkit = None;
            if let Some(cloud) = &mut facts.cloud {
                cloud.clean_session = false;
            }
        })
    };
    let again = BTreeSet::from(["mqtt-unacknowledged-comes-again"]);
    assert_eq!(
        back(&[
            publish(9, 2, true),
            publish(9, 3, true),
            publish(9, 4, false)
        ]),
        BTreeSet::new()
    );
    assert_eq!(back(&[publish(9, 2, true)]), again);
    assert_eq!(back(&[publish(9, 3, true), publish(9, 2, true)]), again);
    assert_eq!(back(&[publish(9, 2, false), publish(9, 3, true)]), again);
    let other = from_client(
        9,
        "publish",
        json!({ "topic": "u", "qos": 1, "id": 2, "duplicate": true }),
    );
    assert_eq!(back(&[other, publish(9, 3, true)]), again);
}

#[test]
fn a_device_without_power_owes_no_ping_and_one_that_left_no_session() {
    let off = json!([3, "board/power", { "power": "off" }]);
    let rows = [connect(1), connack(2), off];
    assert_eq!(broken(&rows, 70_000), BTreeSet::new());

    let opened = json!([2, "mqtt/session_opened", { "connection": 1, "client": "c" }]);
    let left = |end: &str| {
        let closed =
            json!([4, "mqtt/connection_closed", { "connection": 1, "client": "c", "end": end }]);
        let leased = json!([1, "air/leased", { "address": "10.0.0.2" }]);
        let told = json!([1, "sntp/answered", { "device": null, "offset_s": 0 }]);
        broken(&[leased, told, opened.clone(), closed], 95_000)
    };
    assert_eq!(left("disconnected"), BTreeSet::new());
    assert_eq!(left("fault"), BTreeSet::from(["mqtt-comes-back"]));
}

#[test]
fn a_message_that_was_sent_again_may_cross_its_acknowledgement() {
    // In air that is sound it would have arrived long before.
    let late = json!([1, "engine/fault", { "name": "frames", "on": true, "detail": "" }]);
    let rows = |ms: u64| {
        [
            late.clone(),
            connect(1),
            connack(2),
            publish(3, 1, false),
            puback(4, 1),
            publish(ms, 1, true),
        ]
    };
    let expected = BTreeSet::from(["mqtt-dup-means-again"]);
    assert_eq!(broken(&rows(59_900), 59_901), BTreeSet::new());
    assert_eq!(broken(&rows(60_005), 60_006), expected);
}

#[test]
fn what_a_device_said_once_it_says_each_time() {
    let connected = |ms: u64| line(ms, "app", "MQTT_EVENT_CONNECTED");
    let disconnected = |ms: u64| line(ms, "app", "MQTT_EVENT_DISCONNECTED");
    let closed =
        |ms: u64| json!([ms, "mqtt/connection_closed", { "connection": 1, "end": "fault" }]);
    let opened = |ms: u64| events::opened(ms, "c");
    let first = [opened(1), connected(2), closed(3), disconnected(4)];
    let rows = |more: &[Value]| broken(&[&first[..], more].concat(), 4_000);
    let unsaid = BTreeSet::from(["says-connected-only-if-in-session"]);
    assert_eq!(rows(&[opened(5)]), unsaid);
    assert_eq!(rows(&[opened(5), connected(6)]), BTreeSet::new());
    // A device that says nothing of sessions owes nothing.
    assert_eq!(broken(&[opened(1)], 4_000), BTreeSet::new());
    let off = json!([6, "board/power", { "power": "off" }]);
    assert_eq!(rows(&[opened(5), off]), BTreeSet::new());
}

#[test]
fn delays_grow_from_the_first_one_to_the_longest() {
    let says =
        |ms: u64, delay: u64| line(ms, "mqtt_client", &format!("Reconnect after {delay} ms"));
    let begin = [leased(0, "10.0.0.2"), events::told_time(0)];
    let after = |delays: &[u64]| {
        let lines = delays.iter().zip(1..).map(|(delay, ms)| says(ms, *delay));
        let rows: Vec<_> = begin.iter().cloned().chain(lines).collect();
        broken(&rows, 10)
    };
    let wrong = BTreeSet::from(["says-delay-that-it-keeps"]);
    assert_eq!(
        after(&[10_000, 20_000, 40_000, 60_000, 60_000]),
        BTreeSet::new()
    );
    for delays in [
        &[20_000][..],
        &[10_000, 10_000],
        &[10_000, 20_000, 40_000, 80_000],
    ] {
        assert_eq!(after(delays), wrong, "{delays:?}");
    }
    // A session that the broker has opened may be over before the device hears of it.
    let again = |between: &[Value], delay: u64| {
        let rows = [&begin[..], &[says(1, 10_000)], between, &[says(9, delay)]].concat();
        broken(&rows, 10).contains("says-delay-that-it-keeps")
    };
    let opened = events::opened(3, "c");
    let connected = line(4, "app", "MQTT_EVENT_CONNECTED");
    let both = [opened, connected];
    assert!(!again(&both[..1], 10_000) && !again(&both[..1], 20_000));
    assert!(!again(&both, 10_000) && again(&both, 20_000));
}

#[test]
fn an_esp8266_shows_the_time_in_its_zone() {
    let shows = |text: &str| {
        let told = json!([1, "sntp/answered", { "device": null, "offset_s": 0, "unix_s": 1_795_910_399_u64 }]);
        let rows = [
            json!([0, "board/power", { "power": "on" }]),
            told,
            line(2_001, "esp8266", &format!("CW:{text}")),
        ];
        broken(&rows, 2_002)
    };
    assert_eq!(shows("Sun Nov 29 08:00:01 2026"), BTreeSet::new());
    let wrong = BTreeSet::from(["says-time-of-its-zone"]);
    for text in [
        "Sun Nov 29 00:00:01 2026",
        "Mon Nov 29 08:00:01 2026",
        "now",
    ] {
        assert_eq!(shows(text), wrong, "{text}");
    }
}

#[test]
fn a_token_is_told_no_longer_than_it_lives() {
    let rows = |ms: u64| {
        [
            report(1, json!("0"), "A"),
            replied(2),
            notify(ms, 1, "A", 0),
        ]
    };
    assert_eq!(broken(&rows(45_100), 45_101), BTreeSet::new());
    let expected = BTreeSet::from(["linkkit-remaining-time-is-true"]);
    assert_eq!(broken(&rows(56_000), 56_001), expected);
}

#[test]
fn nobody_publishes_who_has_left_the_network_of_the_session() {
    let opened = |ms: u64| json!([ms, "mqtt/session_opened", { "client": "c" }]);
    let sent = || line(10, "app", "sent publish successful, msg_id=7");
    let is_broken = |rows: &[Value]| broken(rows, 60_000).contains("says-sent-only-if-published");
    assert!(is_broken(&[opened(1), sent()]));
    // What nobody would acknowledge has no number, and is owed to none.
    let sent_once = |ms: u64| line(ms, "app", "sent publish successful, msg_id=0");
    assert!(is_broken(&[opened(1), sent_once(10)]));
    for gone in [
        json!([5, "air/left", { "access_point": "home" }]),
        json!([5, "mqtt/connection_closed", { "connection": 1, "end": "fault" }]),
        line(5, "app", "MQTT_EVENT_DISCONNECTED"),
    ] {
        assert!(!is_broken(&[opened(1), gone.clone(), sent()]));
        // It is owed to the next session.
        let owed = [opened(1), gone.clone(), sent(), opened(20)];
        assert!(is_broken(&owed));
        let again = json!([21, "mqtt/publish", { "direction": "in", "id": 7, "qos": 1, "duplicate": true }]);
        assert!(!is_broken(&[&owed[..], &[again]].concat()));
        for sent_once in [sent_once(4), sent_once(10)] {
            let mut rows = [opened(1), sent_once, gone.clone(), opened(20)];
            rows.sort_by_key(|row| row[0].as_u64());
            assert!(!is_broken(&rows));
        }
    }
}

#[test]
fn who_has_left_its_network_keeps_nothing_alive() {
    let opened = json!([3, "mqtt/session_opened", { "client": "c", "connection": 1 }]);
    let session = [connect(1), connack(2), opened];
    let is_broken = |rows: &[Value]| broken(rows, 90_000).contains("mqtt-keeps-alive");
    assert!(is_broken(&session));
    let left = json!([9, "air/left", { "access_point": "home" }]);
    assert!(!is_broken(&[&session[..], &[left]].concat()));
}

#[test]
fn an_access_point_is_off_until_it_is_on_itself() {
    let fault = |ms: u64, on: bool| json!([ms, "engine/fault", { "name": "access_point_off", "on": on, "detail": "" }]);
    let rows = |both: bool| {
        let mut rows = vec![
            joined(1, "home"),
            leased(2, "10.0.0.2"),
            fault(3, true),
            fault(4, true),
            json!([5, "air/left", { "access_point": "home" }]),
            fault(6, false),
        ];
        rows.extend(both.then(|| fault(7, false)));
        rows
    };
    let is_broken = |both| broken(&rows(both), 200_000).contains("joins-again");
    assert!(is_broken(true));
    assert!(!is_broken(false));
}

#[test]
fn a_phone_that_gets_an_address_asks_for_no_time() {
    let leased = |device: Value| json!([1, "air/leased", { "device": device, "access_point": "home", "to": "x", "address": "10.0.0.2" }]);
    let is_broken = |row| broken(&[row], 60_000).contains("time-is-asked-for");
    assert!(is_broken(leased(json!("dut"))));
    assert!(!is_broken(leased(Value::Null)));
}

#[test]
fn an_acknowledgement_that_was_lost_is_said_when_it_comes_again() {
    let opened = |ms: u64| json!([ms, "mqtt/session_opened", { "client": "c" }]);
    let puback = |ms: u64| json!([ms, "mqtt/puback", { "direction": "out", "id": 7 }]);
    let said = |ms: u64, id: u64| line(ms, "app", &format!("MQTT_EVENT_PUBLISHED, msg_id={id}"));
    let speaks = [
        opened(1),
        json!([2, "mqtt/puback", { "direction": "out", "id": 3 }]),
        said(3, 3),
    ];
    let fault = |ms: u64, on: bool| json!([ms, "engine/fault", { "name": "handshake_stalled", "on": on, "detail": "" }]);
    let lost = [
        fault(5, true),
        puback(6),
        fault(30_000, false),
        puback(150_000),
    ];
    let is_broken =
        |rows: &[Value]| broken(rows, 160_000).contains("says-published-only-if-acknowledged");
    assert!(is_broken(&[&speaks[..], &lost].concat()));
    assert!(!is_broken(
        &[&speaks[..], &lost, &[said(150_001, 7)]].concat()
    ));
}

#[test]
fn a_report_was_on_its_way_before_it_came() {
    let rows = |left_ms: u64| {
        [
            report(1, json!("0"), "A"),
            replied(2),
            notify(10_001, 1, "A", left_ms),
        ]
    };
    // 35 s are left since it came, and up to 2 s less since it was sent; of the rest, a second and a twentieth.
    assert_eq!(broken(&rows(31_600), 10_002), BTreeSet::new());
    assert_eq!(broken(&rows(36_400), 10_002), BTreeSet::new());
    let expected = BTreeSet::from(["linkkit-remaining-time-is-true"]);
    assert_eq!(broken(&rows(31_400), 10_002), expected);
    assert_eq!(broken(&rows(36_600), 10_002), expected);
}

#[test]
fn a_report_that_has_waited_for_its_connection_says_nothing_of_how_fast_the_next_one_is() {
    let opened = |ms: u64| json!([ms, "mqtt/session_opened", { "client": "d" }]);
    let rows = |again: u64| {
        [
            opened(1),
            report(2, json!("0"), "A"),
            opened(again),
            report(50_000, json!("1"), "A"),
            report(70_000, json!("2"), "A"),
        ]
    };
    let is_too_fast = |rows: &[Value]| broken(rows, 70_001).contains("linkkit-reports-are-few");
    assert!(!is_too_fast(&rows(49_990)));
    assert!(is_too_fast(&rows(40_000)));
    // The first connection cannot have been waited for by what was sent before.
    let first = [
        opened(49_990),
        report(50_000, json!("0"), "A"),
        report(70_000, json!("1"), "A"),
    ];
    assert!(is_too_fast(&first));
}

#[test]
fn the_first_of_two_reports_may_be_kept_on_its_way() {
    let is_too_fast = |second: u64| {
        let rows = [
            report(1_000, json!("0"), "A"),
            report(second, json!("1"), "A"),
        ];
        broken(&rows, second + 1).contains("linkkit-reports-are-few")
    };
    // The interval is half a minute, less a tenth.
    assert!(!is_too_fast(27_500));
    assert!(is_too_fast(26_000));
}

#[test]
fn what_a_phone_is_told_has_the_cipher_of_the_profile_and_the_type_0() {
    let said = |field: &str, value: u64| {
        let mut row = json!([3, "coap/received", {
            "phone": "alice", "from": "192.168.1.2:5683", "type": "NON", "code": "0.02",
            "message_id": 7, "message_token": "aa", "content_format": 50,
            "json": { "method": "device.info.notify", "params": {} },
        }]);
        row[2]["json"]["params"][field] = value.into();
        broken(&[row], 4)
    };
    assert_eq!(said("cipherType", 3), BTreeSet::new());
    assert_eq!(said("type", 0), BTreeSet::new());
    let expected = BTreeSet::from(["linkkit-tells-its-own-name"]);
    assert_eq!(said("cipherType", 4), expected);
    assert_eq!(said("type", 1), expected);
}

#[test]
fn an_answer_whose_acknowledgement_was_lost_may_come_again() {
    let answered = json!([5, "cloud/rpc_answered", {
        "device_name": "d", "request": 0, "expected": false, "answer": {},
    }]);
    let again = |duplicate: bool| {
        let topic = "v1/devices/me/rpc/response/0";
        let data = json!({ "topic": topic, "qos": 1, "id": 1, "duplicate": duplicate });
        broken(&[from_client(4, "publish", data), answered.clone()], 6)
            .contains("thingsboard-answers-a-call-once")
    };
    assert!(again(false));
    assert!(!again(true));
}

#[test]
fn storage_is_written_soon_after_a_phone_has_spoken_and_not_long_after() {
    let looked = |ms: u64, written: bool| {
        json!([ms, "board/resources", {
            "memory_kib": 2_000, "threads": 1, "files": 9, "storage_written": written,
        }])
    };
    let rows = |written: [bool; 3]| {
        let rows = [
            events::powered(0),
            looked(1, false),
            events::session(9_000),
            looked(10_001, written[0]),
            looked(20_001, written[1]),
            looked(30_001, written[2]),
        ];
        broken(&rows, 31_002)
    };
    assert_eq!(rows([true, true, false]), BTreeSet::new());
    let expected = BTreeSet::from(["storage-is-written-only-when-told"]);
    assert_eq!(rows([true, false, true]), expected);
    // What a phone has asked for ends after it was written for it.
    let ends = |ms: u64| {
        let rows = [
            events::powered(0),
            looked(1, false),
            looked(10_001, true),
            events::session(ms),
        ];
        broken(&rows, 15_000)
    };
    assert_eq!(ends(10_002), BTreeSet::new());
    assert_eq!(ends(11_100), expected);
}

#[test]
fn what_a_phone_is_told_comes_from_coaps_port_at_the_leased_address() {
    let from = |from: &str| {
        let rows = [
            leased(1, "192.168.1.2"),
            events::told_time(2),
            json!([3, "coap/received", {
                "phone": "alice", "from": from, "type": "NON", "code": "0.02",
                "message_id": 7, "message_token": "aa", "content_format": 50, "json": {},
            }]),
        ];
        broken(&rows, 4)
    };
    assert_eq!(from("192.168.1.2:5683"), BTreeSet::new());
    let expected = BTreeSet::from(["linkkit-tells-its-own-name"]);
    for other in ["192.168.1.2:5684", "192.168.1.3:5683", "192.168.1.22:5683"] {
        assert_eq!(from(other), expected, "{other}");
    }
}

#[test]
fn a_session_that_was_not_heard_since_a_fault_may_be_taken_over() {
    let fault = |ms: u64, on: bool| json!([ms, "engine/fault", { "name": "internet_off", "on": on, "detail": "" }]);
    let taken_over = |heard: Option<u64>| {
        let mut rows = vec![events::opened(1, "c"), fault(2, true), fault(1_000, false)];
        rows.extend(heard.map(|ms| from_client(ms, "pingreq", json!({}))));
        rows.push(
            json!([40_000, "mqtt/connection_closed", { "connection": 1, "end": "taken-over" }]),
        );
        broken(&rows, 40_001).contains("mqtt-takes-over-nothing")
    };
    assert!(!taken_over(None));
    assert!(taken_over(Some(32_000)));
}

#[test]
fn what_goes_while_a_device_is_switched_off_goes_with_its_power() {
    let began = [
        json!([1, "air/soft_ap_started", { "ssid": "PROV_1" }]),
        json!([2, "air/ble_connected", { "central": "alice" }]),
    ];
    let went = [
        json!([11, "air/soft_ap_stopped", { "ssid": "PROV_1" }]),
        json!([12, "air/ble_disconnected", { "central": "alice", "reason": 8, "carried": 600 }]),
    ];
    let off = [json!([5_000, "board/power", { "power": "off", "how": "switched off" }])];
    let switching = [json!([10, "board/switching", { "how": "power off" }])];
    let rows = |parts: &[&[Value]]| broken(&parts.concat(), 6_000);
    assert_eq!(rows(&[&began, &switching, &went, &off]), BTreeSet::new());
    let expected = BTreeSet::from(["ble-link-is-ended-in-order", "service-stays-until-success"]);
    assert_eq!(rows(&[&began, &went, &off]), expected);
}
