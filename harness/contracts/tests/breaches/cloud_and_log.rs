//! What breaks the contracts on CoAP, Linkkit and the log.

use serde_json::{Value, json};

use super::Breaking;
use super::events::{
    connack, connect, from_client, get, joined, leased, left, line, notify, opened, opened_tcp,
    powered, puback, publish, refused, replied, report, session, told, told_time,
};

pub fn breaking() -> Vec<Breaking> {
    vec![
        (
            "coap-message-id-is-new",
            vec![
                report(1, json!("0"), "T"),
                replied(2),
                notify(3, 7, "T", 44_900),
                json!([4, "coap/received", {
                    "phone": "alice", "from": "10.0.0.2:5683", "type": "NON", "code": "0.02",
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
            "coap-can-be-read",
            vec![
                leased(1, "192.168.1.2"),
                told_time(2),
                json!([3, "coap/garbage", {
                    "device": null, "phone": "alice", "from": "192.168.1.2:5683", "reason": "version 2",
                    "bytes": "90011234",
                }]),
            ],
            4,
        ),
        (
            "coap-says-that-it-is-json",
            vec![json!([1, "coap/received", {
                "phone": "alice", "from": "192.168.1.2:5683", "type": "NON", "code": "0.02",
                "message_id": 7, "message_token": "aa", "content_format": 0,
                "json": { "method": "device.info.notify" },
            }])],
            2,
        ),
        (
            "says-lease-only-if-given",
            vec![line(
                1,
                "esp_netif_lwip",
                "DHCP server assigned IP to a client, IP is: 192.168.4.2",
            )],
            2_000,
        ),
        (
            "linkkit-report-ids-count",
            vec![report(1, json!("3"), "A"), report(2, json!("3"), "B")],
            3,
        ),
        (
            "linkkit-token-is-spelled-in-capitals",
            vec![json!([1, "linkkit/token_reported", {
                "id": "1", "token": "A", "capital_hex": false,
            }])],
            2,
        ),
        (
            "linkkit-reports-at-qos-1",
            vec![
                connect(1),
                connack(2),
                from_client(
                    3,
                    "publish",
                    json!({ "topic": "/sys/k/n/thing/awss/enrollee/match", "qos": 0 }),
                ),
            ],
            4,
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
                line(
                    5,
                    "esp_netif_handlers",
                    "sta ip: 10.0.0.9, mask: 255.0.0.0, gw: 10.0.0.1",
                ),
            ],
            2_000,
        ),
        (
            "says-mask-and-router-only-if-told",
            vec![
                session(1),
                told(2, "home"),
                joined(3, "home"),
                json!([4, "air/leased", {
                    "address": "10.0.0.2", "mask": "255.0.0.0", "router": "10.0.0.1",
                }]),
                line(
                    5,
                    "esp_netif_handlers",
                    "sta ip: 10.0.0.2, mask: 255.255.255.0, gw: 10.0.0.1",
                ),
            ],
            2_000,
        ),
        (
            "says-the-network-that-it-joins",
            vec![
                session(1),
                told(2, "home"),
                line(3, "wifi_prov_mgr", "Found Wi-Fi SSID     : hom"),
                joined(4, "home"),
                leased(5, "10.0.0.2"),
                told_time(6),
            ],
            7,
        ),
        (
            "says-connected-with-its-address",
            vec![
                session(1),
                told(2, "home"),
                joined(3, "home"),
                leased(4, "10.0.0.2"),
                line(5, "app", "Connected with IP Address:10.0.0.1"),
            ],
            2_000,
        ),
        (
            "says-disconnected-only-if-it-left",
            vec![
                left(1, 201),
                line(2, "app", "Disconnected. Connecting to the AP again..."),
                line(3, "app", "Disconnected. Connecting to the AP again..."),
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
            "says-sent-only-if-published",
            vec![
                connect(1),
                connack(2),
                opened(3, "c"),
                line(4, "app", "sent publish successful, msg_id=7"),
            ],
            20_000,
        ),
        (
            "says-disconnected-in-turn",
            vec![
                opened(1, "c"),
                line(2, "app", "MQTT_EVENT_CONNECTED"),
                json!([3, "mqtt/connection_closed", { "connection": 1, "end": "lost" }]),
                opened(4, "c"),
                line(5, "app", "MQTT_EVENT_CONNECTED"),
            ],
            6,
        ),
        (
            "says-refusal-as-the-broker-did",
            vec![
                refused(1),
                line(
                    2,
                    "mqtt_client",
                    "Connection refused, bad username or password",
                ),
            ],
            2_000,
        ),
        (
            "says-delay-that-it-keeps",
            vec![
                leased(0, "10.0.0.2"),
                told_time(0),
                line(1, "mqtt_client", "Reconnect after 10000 ms"),
                opened_tcp(5_000, "10.0.0.2:1"),
            ],
            5_001,
        ),
        (
            "says-flags-and-words-that-agree",
            vec![line(
                1,
                "esp-tls-mbedtls",
                "verification info: 0x200  ! The certificate validity has expired",
            )],
            2,
        ),
        (
            "says-time-of-its-zone",
            vec![
                powered(0),
                line(1, "esp8266", "CW:Thu Jan  1 00:00:00 1970"),
            ],
            2,
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
        ("says-no-key", vec![line(1, "app", "key: <key of dut>")], 2),
        (
            "thingsboard-subscribes-first",
            vec![
                connect(1),
                connack(2),
                opened(3, "c"),
                from_client(
                    4,
                    "publish",
                    json!({ "topic": "/provision/request", "qos": 1, "id": 1 }),
                ),
                puback(5, 1),
            ],
            4,
        ),
        (
            "thingsboard-numbers-its-requests",
            vec![
                connect(1),
                connack(2),
                opened(3, "c"),
                from_client(
                    4,
                    "subscribe",
                    json!({ "id": 1, "filters": [{ "filter": "v1/devices/me/rpc/response/+", "qos": 1 }] }),
                ),
                call_of_the_devices(5, 2),
                puback(6, 2),
                call_of_the_devices(7, 3),
            ],
            8,
        ),
        (
            "thingsboard-answers-a-call-once",
            vec![json!([1, "cloud/rpc_answered", {
                "device_name": "d", "request": 7, "expected": false, "answer": {},
            }])],
            2,
        ),
        (
            "linkkit-says-how-it-comes",
            vec![
                json!([1, "tls/handshake", { "connection": 1, "ok": true }]),
                json!([2, "linkkit/connect_accepted", {
                    "connection": 1, "product_key": "p", "device_name": "d", "secure_mode": "3",
                }]),
            ],
            2,
        ),
        (
            "linkkit-reports-once-connected",
            vec![
                powered(0),
                opened(1, "c"),
                from_client(
                    2,
                    "connect",
                    json!({ "keep_alive_s": 60, "clean_session": true }),
                ),
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
                    "message_id": 7, "message_token": "aa", "content_format": 50,
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
    ]
}

/// The first call of a device's, in this packet.
fn call_of_the_devices(ms: u64, id: u64) -> Value {
    from_client(
        ms,
        "publish",
        json!({ "topic": "v1/devices/me/rpc/request/1", "qos": 1, "id": id }),
    )
}
