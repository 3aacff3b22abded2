//! MQTT sessions: how they begin, what ends them, and what comes then.

use device::board::{CertificateProblems, TlsFailure};
use embassy_time::Timer;

use crate::broker::Seen;
use crate::world::World;
use crate::{log, time};

/// Runs the world for so many seconds.
fn run(world: &World, seconds: u64) {
    time::run(world.powered(async |_| Timer::after_secs(seconds).await));
}

#[test]
fn a_session_sends_telemetry_once_and_stays() {
    let world = World::new();
    run(&world, 50);
    let seen: Vec<_> = world
        .broker
        .seen()
        .into_iter()
        .map(|(_, seen)| seen)
        .collect();
    let expected = [
        Seen::Connect {
            client_id: "device-1".into(),
            username: Some("user".into()),
        },
        Seen::Publish {
            topic: "v1/devices/me/telemetry".into(),
            payload: r#"{"temperature":25}"#.into(),
            qos: 1,
        },
    ];
    assert_eq!(seen, expected);
    log::assert_in_order(&[
        "Certificate verified.",
        "Transport connected to mqtts://192.168.43.1:1883",
        "MQTT_EVENT_CONNECTED",
        r#"[Telemetry][Tx] {"temperature":25}"#,
        "sent publish successful, msg_id=1",
        "MQTT_EVENT_PUBLISHED, msg_id=1",
    ]);
}

#[test]
fn pings_keep_a_session() {
    let mut world = World::new();
    world.cloud().keep_alive_s = 20;
    run(&world, 65);
    let pings = world
        .broker
        .seen()
        .into_iter()
        .filter(|(_, seen)| *seen == Seen::Ping);
    let pings: Vec<u64> = pings.map(|(ms, _)| ms / 1_000).collect();
    assert_eq!(pings, [10, 20, 30, 40, 50, 60]);
    assert_eq!(world.broker.connects().len(), 1);
}

#[test]
fn a_broker_that_answers_no_ping_is_left() {
    let mut world = World::new();
    world.cloud().keep_alive_s = 20;
    world.broker.answers_pings.set(false);
    run(&world, 25);
    log::assert_in_order(&[
        "No PING_RESP, disconnected",
        "MQTT_EVENT_DISCONNECTED",
        "Reconnect after 1000 ms",
        "MQTT_EVENT_CONNECTED",
    ]);
}

#[test]
fn after_failures_the_delay_doubles_up_to_the_longest() {
    let world = World::new();
    world.broker.cuts.set(true);
    run(&world, 20);
    let connects: Vec<u64> = world.broker.connects().iter().map(|ms| ms / 100).collect();
    assert_eq!(connects, [0, 10, 30, 70, 120, 170]);
    log::assert_in_order(&[
        "esp_mqtt_connect: mqtt_message_receive() returned -1",
        "MQTT connect failed",
        "MQTT_EVENT_DISCONNECTED",
        "Reconnect after 1000 ms",
        "Reconnect after 2000 ms",
        "Reconnect after 4000 ms",
        "Reconnect after 5000 ms",
        "Reconnect after 5000 ms",
    ]);
}

#[test]
fn refusals_are_told_in_esp_mqtts_words() {
    for (code, text) in [
        (1, "Connection refused, bad protocol"),
        (2, "Connection refused, Unknow reason"),
        (3, "Connection refused, server unavailable"),
        (4, "Connection refused, bad username or password"),
        (5, "Connection refused, not authorized"),
        (99, "Connection refused, Unknow reason"),
    ] {
        let before = log::count(text);
        let world = World::new();
        world.broker.connack.set(Some(code));
        run(&world, 1);
        assert!(log::count(text) > before, "{code}");
        log::assert_in_order(&[text, "MQTT connect failed", "MQTT_EVENT_DISCONNECTED"]);
    }
    assert_eq!(log::count("MQTT_EVENT_CONNECTED"), 0);
}

#[test]
fn a_silent_broker_is_given_up_after_the_network_timeout() {
    let world = World::new();
    world.broker.connack.set(None);
    run(&world, 12);
    log::assert_in_order(&[
        "esp_mqtt_connect: mqtt_message_receive() returned 0",
        "MQTT connect failed",
    ]);
    assert_eq!(world.broker.connects().len(), 2);
}

#[test]
fn garbage_from_the_broker_ends_the_session_and_nothing_else() {
    let world = World::new();
    world
        .broker
        .garbage
        .borrow_mut()
        .extend([0x30, 2, 0xff, 0xff]);
    run(&world, 2);
    log::assert_in_order(&["a malformed packet, aborting connection", "Reconnect after"]);
    assert!(world.broker.connects().len() > 1);
}

#[test]
fn a_refused_certificate_is_told_with_its_flags() {
    let world = World::new();
    let problems = CertificateProblems::NOT_TRUSTED;
    *world.tls.handshake.borrow_mut() = Some(TlsFailure::Certificate(problems));
    run(&world, 1);
    log::assert_in_order(&[
        "mbedtls_ssl_handshake returned -0x2700",
        "Failed to verify peer certificate!",
        "verification info: 0x8  ! The certificate is not correctly signed by the trusted CA",
        "Failed to open new connection",
        "Failed to open a new connection",
        "Error transport connect",
        "MQTT_EVENT_ERROR",
        "Last error reported from esp-tls: 0x801a",
        "Last tls stack error number: 0x2700",
        "Last certificate verification flags: 0x8",
        "MQTT_EVENT_DISCONNECTED",
    ]);
    assert!(world.broker.connects().is_empty());
}

#[test]
fn an_alert_after_the_handshake_is_a_read_error() {
    let world = World::new();
    *world.tls.read.borrow_mut() = Some(TlsFailure::AlertReceived(116));
    run(&world, 1);
    log::assert_in_order(&[
        "Certificate verified.",
        "is a fatal alert message (msg 116)",
        "read error :-0x7780:",
        "esp_mqtt_connect: mqtt_message_receive() returned -1",
        "MQTT connect failed",
    ]);
}

#[test]
fn a_name_without_an_address_is_told() {
    let mut world = World::new();
    world.cloud().host = "broker.example".into();
    run(&world, 30);
    log::assert_in_order(&[
        "couldn't get hostname for :broker.example: getaddrinfo() returns 202",
        "Failed to open new connection",
        "Last error reported from esp-tls: 0x8001",
    ]);
}

#[test]
fn a_closed_port_is_told() {
    let mut world = World::new();
    world.cloud().port = 1;
    run(&world, 1);
    log::assert_in_order(&[
        "delayed connect error: Connection reset by peer",
        "Last error reported from esp-tls: 0x8004",
        "Last error captured as transport's socket errno: 0x68",
    ]);
}

#[test]
fn without_tls_there_is_no_handshake() {
    let mut world = World::new();
    world.cloud().tls = false;
    run(&world, 1);
    assert_eq!(world.tls.asked.get(), None);
    log::assert_in_order(&["Transport connected to mqtt://", "MQTT_EVENT_CONNECTED"]);
}

#[test]
fn a_message_without_puback_is_complained_about() {
    let world = World::new();
    world.broker.acknowledges.set(false);
    run(&world, 11);
    assert_eq!(log::count("no PUBACK for msg_id=1"), 1);
    assert_eq!(log::count("MQTT_EVENT_PUBLISHED"), 0);
}

#[test]
fn a_lost_network_ends_the_session_and_a_new_one_begins_with_the_network() {
    let world = World::new();
    time::run(world.powered(async |_| {
        Timer::after_secs(5).await;
        world.set_link(false);
        Timer::after_secs(60).await;
        assert_eq!(log::count("MQTT_EVENT_DISCONNECTED"), 1);
        assert_eq!(world.broker.connects().len(), 1);
        world.set_link(true);
        Timer::after_secs(30).await;
    }));
    assert!(world.broker.connects().len() > 1);
    assert!(world.broker.published("v1/devices/me/telemetry").len() > 1);
}

#[test]
fn a_device_without_a_broker_only_sets_its_clock() {
    let mut world = World::new();
    world.factory.cloud = None;
    run(&world, 10);
    assert_eq!(log::count("Time is set"), 1);
    assert_eq!(world.broker.seen(), []);
}
