//! ThingsBoard over MQTT 5.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod support;

use cloud::thingsboard::{Credentials, ThingsBoardSettings};
use serde_json::{Value, json};
use support::peer::{Got, Hello, Peer};
use support::thingsboard::{TOKEN, World};
use support::{packet, run, text};

/// CONNECT of MQTT 5 with a user name, and a password if there is one.
fn connect(username: &str, password: Option<&str>) -> Vec<u8> {
    let flags = 0x82 | if password.is_some() { 0x40 } else { 0 };
    let head = [&text("MQTT")[..], &[5, flags, 0, 0, 0]].concat();
    let password = password.map(text).unwrap_or_default();
    packet(0x10, &[&head, &text("c"), &text(username), &password])
}

async fn greeted(world: &World, connect: &[u8]) -> (Peer, Got) {
    let mut peer = Peer::silent(world.broker.address(), 5).await;
    peer.send(connect).await;
    let connack = peer.next().await.unwrap();
    assert_eq!(connack.head, 0x20);
    (peer, connack)
}

async fn device(world: &World) -> Peer {
    let (peer, connack) = greeted(world, &connect(TOKEN, None)).await;
    assert_eq!(connack.codes, [0]);
    peer
}

#[test]
fn a_refusal_tells_a_wrong_password_from_what_is_not_known() {
    run(async {
        let world = World::usual().await;
        let basic = Credentials::MqttBasic {
            client_id: None,
            username: Some("fan".into()),
            password: Some("right".into()),
        };
        assert!(world.cloud.add_device("fan", Some(basic)));
        for (username, password, code) in [
            ("fan", Some("right"), 0),
            ("fan", Some("wrong"), 0x86),
            ("nobody", None, 0x87),
        ] {
            let (_, connack) = greeted(&world, &connect(username, password)).await;
            assert_eq!(connack.codes, [code], "{username} {password:?}");
        }
        let refused = world.seen("authentication_refused").await;
        assert_eq!(refused["code"], 0x86);
    });
}

#[test]
fn an_unknown_topic_is_refused_and_the_session_goes_on() {
    run(async {
        let world = World::usual().await;
        let mut peer = device(&world).await;
        let filters = [
            ("#", 1),
            ("v1/devices/me/#", 1),
            ("v1/devices/me/attributes", 2),
        ];
        assert_eq!(peer.subscribe(&filters).await, [0x8f, 0x8f, 1]);
        assert_eq!(peer.publish("x", "{}", 1, 0, &[]).await, 0x90);
        let telemetry = "v1/devices/me/telemetry";
        assert_eq!(peer.publish(telemetry, r#"{"a":1}"#, 1, 0, &[]).await, 0);
        assert_eq!(world.cloud.latest("lamp")["a"], 1);
    });
}

#[test]
fn a_payload_that_cannot_be_read_is_refused_at_qos_1_and_closes_at_qos_0() {
    run(async {
        let world = World::usual().await;
        let mut peer = device(&world).await;
        let telemetry = "v1/devices/me/telemetry";
        assert_eq!(peer.publish(telemetry, "{", 1, 0, &[]).await, 0x99);
        let malformed = world.seen("payload_malformed").await;
        assert_eq!(malformed["closes"], false);
        peer.publish_with(telemetry, "{", 0, 0, &[]).await;
        let got = peer.next().await.unwrap();
        assert_eq!((got.head, got.codes), (0xe0, vec![0x99]));
        assert_eq!(peer.next().await, None);
    });
}

#[test]
fn before_5_a_payload_that_cannot_be_read_closes_at_qos_0_whatever_the_profile_says() {
    run(async {
        let world = World::new(ThingsBoardSettings {
            acknowledges_malformed: true,
            ..ThingsBoardSettings::default()
        })
        .await;
        let telemetry = "v1/devices/me/telemetry";
        let mut wire = world.device().await;
        wire.send(&support::publish_with_id(1, 1, telemetry, "{"))
            .await;
        wire.expect(&support::with_id(0x40, 1), "acknowledged")
            .await;
        wire.send(&support::publish(telemetry, "{")).await;
        wire.closed("not acknowledged").await;
    });
}

#[test]
fn a_session_for_provisioning_ends_at_another_topic_with_its_reason() {
    run(async {
        let world = World::usual().await;
        let (mut peer, connack) = greeted(&world, &connect("provision", None)).await;
        assert_eq!(connack.codes, [0]);
        let filters = [("v1/devices/me/attributes", 1), ("/provision/response", 1)];
        assert_eq!(peer.subscribe(&filters).await, [0x8f, 1]);
        peer.publish_with("v1/devices/me/telemetry", "{}", 1, 0, &[])
            .await;
        let got = peer.next().await.unwrap();
        assert_eq!((got.head, got.codes), (0xe0, vec![0x90]));
    });
}

#[test]
fn calls_go_both_ways() {
    run(async {
        let world = World::usual().await;
        let mut peer = device(&world).await;
        world.cloud.answer_calls("getTime", json!({"time": 1}));
        peer.subscribe(&[
            ("v1/devices/me/rpc/request/+", 1),
            ("v1/devices/me/rpc/response/+", 1),
        ])
        .await;
        let request = world.cloud.call("lamp", "blink", json!({"n": 2})).unwrap();
        let call = peer.message().await.unwrap();
        assert_eq!(call.topic, format!("v1/devices/me/rpc/request/{request}"));
        let said: Value = serde_json::from_str(&call.payload).unwrap();
        assert_eq!(said, json!({"method": "blink", "params": {"n": 2}}));
        let answer = format!("v1/devices/me/rpc/response/{request}");
        assert_eq!(peer.publish(&answer, r#"{"ok":true}"#, 1, 0, &[]).await, 0);
        let answered = world.seen("rpc_answered").await;
        assert_eq!(
            (&answered["answer"], &answered["expected"]),
            (&json!({"ok": true}), &json!(true))
        );
        let ask = r#"{"method":"getTime","params":{}}"#;
        peer.publish_with("v1/devices/me/rpc/request/7", ask, 1, 0, &[])
            .await;
        let reply = peer.message().await.unwrap();
        assert_eq!(
            (reply.topic.as_str(), reply.payload.as_str()),
            ("v1/devices/me/rpc/response/7", r#"{"time":1}"#)
        );
    });
}

#[test]
fn session_present_is_what_it_is_before_5() {
    run(async {
        let world = World::usual().await;
        let hello = Hello {
            clean: false,
            ..Hello::new(5, "nobody")
        };
        let (_, connack) = Peer::greet(world.broker.address(), &hello).await;
        let connack = connack.unwrap();
        assert_eq!((connack.codes, connack.session_present), (vec![0x87], true));
    });
}
