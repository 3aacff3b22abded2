//! Every contract is broken by what breaks it, and by nothing that stands beside it.

mod allowed;
mod cloud_and_log;
mod events;
mod goes_on;
mod network;
mod pace_and_randomness;
mod services;
mod sessions;
mod web_and_service;

use std::collections::BTreeSet;
use std::time::Duration;

use contracts::{ALL, Contracts, Facts};
use serde_json::{Value, json};

use events::{
    broken, config, connack, connect, event, from_client, handshake, leased, line, notify, puback,
    publish, replied, report, session, status, told,
};

/// A contract, events that break it alone, and when they are judged for the last time, in ms.
type Breaking = (&'static str, Vec<Value>, u64);

fn breaking() -> impl Iterator<Item = Breaking> {
    let network = network::breaking().into_iter();
    network
        .chain(sessions::breaking())
        .chain(cloud_and_log::breaking())
        .chain(pace_and_randomness::breaking())
        .chain(web_and_service::breaking())
        .chain(services::breaking())
        .chain(goes_on::breaking())
}

#[test]
fn each_contract_is_broken_by_what_breaks_it_and_no_other_is() {
    for (id, rows, until) in breaking() {
        let seen = events::broken_with(&rows, until, |facts| match id {
            "linkkit-reports-when-its-token-is-over" => facts.telemetry = None,
            "telemetry-counts-the-time" => {
                facts.linkkit = None;
                let telemetry = facts.telemetry.as_mut().expect("it has some");
                telemetry.every = Duration::from_secs(20);
            }
            "telemetry-keeps-its-interval" | "telemetry-counts-on" => {
                let telemetry = facts.telemetry.as_mut().expect("it has some");
                telemetry.every = Duration::from_secs(20);
            }
            "mqtt-subscribes-again" | "mqtt-leaves-with-goodbye" => {
                facts.linkkit = None;
                facts.telemetry = None;
            }
            "prov-failure-follows-a-try" => facts.attempts = None,
            "ble-link-ends-with-the-service" | "says-stopped-in-time" => facts.service = None,
            "mqtt-name-and-will-as-told" => {
                let cloud = facts.cloud.as_mut().expect("it has one");
                cloud.client_id = Some("whole".into());
            }
            "mqtt-unacknowledged-comes-again" => {
                let cloud = facts.cloud.as_mut().expect("it has one");
                cloud.clean_session = false;
                facts.linkkit = None;
            }
            _ => {}
        });
        assert_eq!(seen, BTreeSet::from([id]), "{id}");
    }
}

#[test]
fn no_contract_is_without_a_breach_here() {
    let tried: BTreeSet<_> = breaking().map(|(id, ..)| id).collect();
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
        leased(1_004, "10.0.0.2"),
        line(
            1_005,
            "esp_netif_handlers",
            "sta ip: 10.0.0.2, mask: 255.0.0.0, gw: 10.0.0.1",
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
        notify(1_513, 9, "A", 44_498),
        line(1_514, "app", "MQTT_EVENT_PUBLISHED, msg_id=1"),
        json!([2_006, "air/soft_ap_stopped", { "ssid": "PROV_1" }]),
        line(2_006, "wifi_prov_mgr", "Provisioning stopped"),
        from_client(50_000, "pingreq", json!({})),
    ];
    assert_eq!(broken(&rows, 60_000), BTreeSet::new());
}

#[test]
fn a_device_that_left_its_network_knows_of_the_end_before_the_broker() {
    let said = |ms: u64| line(ms, "app", "MQTT_EVENT_DISCONNECTED");
    let opened = |ms: u64| json!([ms, "mqtt/session_opened", { "connection": 1, "client": "c" }]);
    let connected = |ms: u64| line(ms, "app", "MQTT_EVENT_CONNECTED");
    let left = |ms: u64| json!([ms, "air/left", { "reason": 3 }]);
    let id = "says-disconnected-in-turn";
    let before = [opened(1), connected(2), left(3), said(4)];
    assert!(!broken(&before, 60_000).contains(id));
    let after = [opened(1), connected(2), said(3), left(4)];
    assert!(!broken(&after, 60_000).contains(id));
    let stays = [opened(1), connected(2), said(3)];
    assert!(broken(&stays, 60_000).contains(id));
}

#[test]
fn telling_begins_at_once_with_another_session() {
    let opened = |ms: u64| json!([ms, "mqtt/session_opened", { "connection": 2, "client": "c" }]);
    let again = [
        notify(1, 7, "A", 44_000),
        opened(2),
        notify(3, 8, "A", 43_998),
    ];
    let id = "linkkit-notifications-are-few";
    assert!(!broken(&again, 4).contains(id));
    let hasty = [notify(1, 7, "A", 44_000), notify(3, 8, "A", 43_998)];
    assert!(broken(&hasty, 4).contains(id));
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
    let claim = line(
        1,
        "esp_netif_handlers",
        "sta ip: 10.0.0.9, mask: 255.0.0.0, gw: 10.0.0.1",
    );
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
