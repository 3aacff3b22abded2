//! What Linkkit's C SDK sends, played against the stand-in byte by byte (`fixtures/linkkit`).

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod support;

use cloud::{BindOutcome, BrokerSettings, Linkkit, LinkkitDevice, LinkkitSettings};
use serde_json::Value;
use support::*;
use trace::{Source, Trace};

const TOKENS: [&str; 3] = [
    "4786F0F6E1CC7BF86017FD4D1429EE4F",
    "B52C577E55DE6B3CAF5B0C882410D8BF",
    "0DD1A5C0FFEE4B1D9A7E3355AA660F12",
];

/// A packet of a session: what the device sends, or what it must be sent.
enum Packet {
    FromDevice(Vec<u8>),
    ToDevice(Vec<u8>),
}

fn session(text: &str) -> Vec<Packet> {
    let lines = text.lines();
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| match line.split_at(2) {
            ("> ", packet) => Packet::FromDevice(hex::decode(packet).unwrap()),
            ("< ", packet) => Packet::ToDevice(hex::decode(packet).unwrap()),
            _ => panic!("a line that is neither: {line}"),
        })
        .collect()
}

fn device() -> LinkkitDevice {
    let vectors: Value =
        serde_json::from_str(include_str!("../../../fixtures/vectors/linkkit.json")).unwrap();
    let vector = |name: &str| vectors[name].as_str().unwrap().to_owned();
    LinkkitDevice {
        device: "lamp".into(),
        product_key: vector("productKey"),
        device_name: vector("deviceName"),
        device_secret: vector("deviceSecret"),
    }
}

/// Plays a session to its end; what the cloud knows then.
async fn play(text: &str) -> (Linkkit, Trace) {
    let (broker, trace) = broker(BrokerSettings::plain()).await;
    let settings = LinkkitSettings {
        devices: vec![device()],
        ..LinkkitSettings::default()
    };
    let linkkit = Linkkit::start(settings, &broker, trace.clone());
    let linkkit = linkkit.await.unwrap();
    let mut wire = Wire::to(&broker).await;
    for (number, packet) in session(text).iter().enumerate() {
        match packet {
            Packet::FromDevice(packet) => wire.send(packet).await,
            Packet::ToDevice(packet) => wire.expect(packet, &format!("packet {number}")).await,
        }
    }
    wire.closed("after DISCONNECT").await;
    (linkkit, trace)
}

fn reports(trace: &Trace) -> Vec<Value> {
    let events = trace.since(0);
    let of_cloud = events.iter().filter(|event| event.source == Source::Cloud);
    let reported = of_cloud.filter(|event| event.kind == "token_reported");
    reported.map(|event| event.data.clone()).collect()
}

#[test]
fn every_version_s_session_is_answered_to_the_byte() {
    for (text, version, method, ts_topic) in [
        (
            include_str!("../../../fixtures/linkkit/sdk-3.0.1.txt"),
            Some("sdk-c-3.0.1"),
            "hmacsha256",
            false,
        ),
        (
            include_str!("../../../fixtures/linkkit/sdk-2.3.0.txt"),
            Some("sdk-c-2.3.0"),
            "hmacsha1",
            false,
        ),
        (
            include_str!("../../../fixtures/linkkit/seed-2019.txt"),
            None,
            "hmacsha1",
            true,
        ),
    ] {
        run(async {
            let (_, trace) = play(text).await;
            let connected = event_of(&trace, Source::Cloud, "connect_accepted").await;
            assert_eq!(
                connected.get("sdk_version").and_then(Value::as_str),
                version
            );
            assert_eq!(connected["sign_method"], method);
            let reports = reports(&trace);
            let ids: Vec<_> = reports.iter().map(|report| &report["id"]).collect();
            // The first one comes twice, the second time with DUP: it is one report.
            assert_eq!(ids, ["0", "1", "2"]);
            let repeats: Vec<_> = reports.iter().map(|report| &report["repeats"]).collect();
            assert_eq!(repeats, [1, 1, 1]);
            assert!(reports.iter().all(|report| report["ts_topic"] == ts_topic));
        });
    }
}

#[test]
fn what_the_sdk_has_reported_binds_once_each_in_any_order() {
    run(async {
        let text = include_str!("../../../fixtures/linkkit/sdk-3.0.1.txt");
        let (linkkit, _trace) = play(text).await;
        let lamp = device();
        let bind = |account, token| {
            let reply = linkkit.bind(account, &lamp.product_key, &lamp.device_name, token);
            reply.outcome()
        };
        assert_eq!(bind("carol", TOKENS[2]), BindOutcome::Bound);
        assert_eq!(bind("alice", TOKENS[0]), BindOutcome::Bound);
        assert_eq!(bind("mallory", TOKENS[0]), BindOutcome::AlreadyUsed);
        assert_eq!(bind("bob", TOKENS[1]), BindOutcome::Bound);
    });
}

#[test]
fn the_reset_of_a_new_device_is_answered_before_its_first_report() {
    run(async {
        let text = include_str!("../../../fixtures/linkkit/sdk-3.0.1.txt");
        let (_linkkit, trace) = play(text).await;
        let reset = event(&trace, |event| event.kind == "reset_replied").await;
        let report = event(&trace, |event| event.kind == "token_reported").await;
        assert!(reset.seq < report.seq);
    });
}
