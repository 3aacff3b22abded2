//! ThingsBoard's device API where the device profile is of protobuf.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod support;

use cloud::thingsboard::{
    ClaimOutcome, Credentials, PayloadFormat, ProvisionProfile, Strategy, ThingsBoardSettings,
};
use serde_json::{Value, json};
use support::thingsboard::{TOKEN, World, by_name, message};
use support::{event, packet, publish, python, run, suback, subscribe, text, with_id};
use trace::Source;

const LONG: &str = "v1/devices/me/telemetry";
/// `temperature` of 25.
const READING: [u8; 9] = [0x09, 0, 0, 0, 0, 0, 0, 0x39, 0x40];

async fn world(payload: PayloadFormat) -> World {
    World::new(ThingsBoardSettings {
        payload,
        ..ThingsBoardSettings::default()
    })
    .await
}

/// A PUBLISH by quality of service 1, of identifier 9.
fn publish_bytes(topic: &str, payload: &[u8]) -> Vec<u8> {
    packet(0x32, &[&text(topic), &[0, 9], payload])
}

/// Whether telemetry is taken, and otherwise why it is not.
async fn takes(world: &World, topic: &str, payload: &[u8]) -> Result<Value, String> {
    let mut wire = world.device().await;
    let seen = world.trace.since(0).len();
    wire.send(&publish_bytes(topic, payload)).await;
    let told = event(&world.trace, |e| {
        e.seq >= seen as u64
            && ["telemetry_received", "payload_malformed"].contains(&e.kind.as_ref())
    })
    .await;
    if told.kind == "telemetry_received" {
        wire.expect(&with_id(0x40, 9), topic).await;
        return Ok(told.data["values"].clone());
    }
    // Without an acknowledgement.
    wire.closed(topic).await;
    assert_eq!(told.data["closes"], true);
    Err(told.data["reason"].as_str().unwrap().to_owned())
}

#[test]
fn a_topic_and_the_profile_say_how_a_payload_is_read() {
    use PayloadFormat::{Json, Protobuf, ProtobufOrJson, ProtobufOrJsonDown};
    let read = Ok(json!({"temperature": 25.0}));
    let text = br#"{"temperature":25.0}"#;
    let cut = Err("the protobuf message ends within a field".to_owned());
    let no_json = Err("it is no JSON".to_owned());
    let no_schema = Err("the device profile has no schema for protobuf".to_owned());
    run(async {
        for (format, topic, of_protobuf, of_json) in [
            (Json, LONG, &no_json, &read),
            (Json, "v2/t/p", &no_schema, &no_schema),
            (Protobuf, LONG, &read, &cut),
            (Protobuf, "v2/t", &read, &cut),
            (Protobuf, "v2/t/p", &read, &cut),
            (Protobuf, "v2/t/j", &no_json, &read),
            (ProtobufOrJson, LONG, &read, &read),
            (ProtobufOrJson, "v2/t", &read, &read),
            (ProtobufOrJson, "v2/t/p", &read, &cut),
            (ProtobufOrJsonDown, LONG, &read, &read),
        ] {
            let world = world(format).await;
            let told = takes(&world, topic, &READING).await;
            assert_eq!(&told, of_protobuf, "{format:?} {topic}");
            let told = takes(&world, topic, text).await;
            assert_eq!(&told, of_json, "{format:?} {topic}");
        }
    });
}

#[test]
fn what_is_neither_protobuf_nor_json_closes_the_session_or_is_acknowledged() {
    run(async {
        let both = world(PayloadFormat::ProtobufOrJson).await;
        let neither = takes(&both, LONG, b"{").await;
        assert_eq!(neither, Err("it is no JSON".to_owned()));
        let lenient = World::new(ThingsBoardSettings {
            payload: PayloadFormat::Protobuf,
            acknowledges_malformed: true,
            ..ThingsBoardSettings::default()
        })
        .await;
        let mut wire = lenient.device().await;
        wire.send(&publish_bytes(LONG, &READING[..5])).await;
        wire.expect(&with_id(0x40, 9), "puback").await;
        let told = lenient.seen("payload_malformed").await;
        assert_eq!(
            (&told["closes"], &told["topic"]),
            (&json!(false), &json!(LONG))
        );
    });
}

#[test]
fn a_call_with_parameters_that_are_no_text_is_not_told_in_protobuf() {
    run(async {
        let world = world(PayloadFormat::Protobuf).await;
        let mut wire = world.device().await;
        wire.send(&subscribe(1, &[("v1/devices/me/rpc/request/+", 1)]))
            .await;
        wire.expect(&suback(1, &[1]), "suback").await;
        assert_eq!(world.cloud.call("lamp", "blink", json!({"n": 2})), None);
        assert_eq!(world.seen("rpc_not_sent").await["method"], "blink");
        wire.quiet("a call that cannot be told").await;
        let request = world.cloud.call("lamp", "blink", json!(2));
        assert_eq!(request, Some(0), "nothing was numbered before");
        let (topic, body) = message(&mut wire).await;
        assert_eq!(topic, "v1/devices/me/rpc/request/0");
        // `method`, `requestId`, which is there although it is 0, and `params`.
        assert_eq!(body, "\n\u{5}blink\u{10}\0\u{1a}\u{1}2");
    });
}

#[test]
fn answers_by_the_long_topics_may_be_json_all_the_same() {
    run(async {
        let world = world(PayloadFormat::ProtobufOrJsonDown).await;
        let mut wire = world.device().await;
        let asked = r#"{"method":"getTime","params":{}}"#;
        world.cloud.answer_calls("getTime", json!(5));
        for (topic, answered, body) in [
            (
                "v1/devices/me/rpc/request/1",
                "v1/devices/me/rpc/response/1",
                json!(5),
            ),
            // `requestId` and `payload`.
            ("v2/r/req/2", "v2/r/res/2", json!("\u{8}\u{2}\u{12}\u{1}5")),
            ("v2/r/req/j/3", "v2/r/res/j/3", json!(5)),
        ] {
            wire.send(&publish(topic, asked)).await;
            assert_eq!(message(&mut wire).await, (answered.to_owned(), body));
        }
    });
}

#[test]
fn secrets_in_protobuf_are_named_in_the_trace() {
    run(async {
        let world = world(PayloadFormat::Protobuf).await;
        let mut wire = world.device().await;
        wire.send(&publish_bytes("v1/devices/me/claim", b"\n\x0bopen sesame"))
            .await;
        wire.expect(&with_id(0x40, 9), "puback").await;
        let (mut wire, _) = world.connack(&by_name("p", "provision")).await;
        let secret = b"\x1a\x18\n\x07the key\x12\rthe sixth day";
        wire.send(&publish_bytes("/provision/request", secret))
            .await;
        assert_eq!(world.seen("provision_refused").await["status"], "NOT_FOUND");
        for event in world.trace.since(0) {
            let shown = serde_json::to_string(&event.data).unwrap();
            for secret in [&b"open sesame"[..], b"the sixth day"] {
                let text = std::str::from_utf8(secret).unwrap();
                assert!(!shown.contains(text), "{shown}");
                assert!(!shown.contains(&hex::encode(secret)), "{shown}");
            }
        }
    });
}

/// Whose paho-mqtt is used.
const PACKAGES: &str = "thingsboard";

fn is_missing() -> bool {
    let modules = "google.protobuf, paho.mqtt.client";
    python::is_missing(PACKAGES, modules, "protobuf for Python")
}

/// What the judge says, line by line; `meanwhile` has to be over before it is.
async fn said(arguments: &[&str], meanwhile: impl Future<Output = ()>) -> Vec<Value> {
    let mut command = python::judge(PACKAGES, "thingsboard_protobuf.py", arguments);
    let mut output = tokio::task::spawn_blocking(move || command.output());
    tokio::select! {
        biased;
        () = meanwhile => {}
        output = &mut output => panic!("{:?}", output.unwrap()),
    }
    let output = output.await.unwrap().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_device_by_googles_protobuf_does_everything_of_the_device_api() {
    if is_missing() {
        return;
    }
    run(async {
        let world = World::in_host_time(ThingsBoardSettings {
            payload: PayloadFormat::Protobuf,
            ..ThingsBoardSettings::default()
        })
        .await;
        let shared =
            json!({"on": true, "level": -3, "ratio": 0.5, "name": "ü", "plan": {"a": [1]}});
        assert!(
            world
                .cloud
                .set_shared("lamp", shared.as_object().unwrap().clone())
        );
        world.cloud.answer_calls("getTime", json!({"time": 1}));
        let port = world.broker.addresses()[0].port().to_string();
        let said = said(&["device", "127.0.0.1", &port, TOKEN], async {
            let claim = world.seen("claim_received").await;
            assert_eq!(
                (&claim["duration_ms"], &claim["stored"]),
                (&json!(60000), &json!(true))
            );
            let change = json!({"on": false, "level": null});
            assert!(
                world
                    .cloud
                    .set_shared("lamp", change.as_object().unwrap().clone())
            );
            assert!(world.cloud.call("lamp", "blink", json!("twice")).is_some());
            let answered = world.seen("rpc_answered").await;
            assert_eq!(answered["answer"], json!({"payload": "done"}));
            assert_eq!(answered["expected"], true);
        })
        .await;
        assert_eq!(
            said,
            [
                json!({"connack": 0}),
                json!({"id": 7, "several": true, "client": {"firmwareVersion": "1.2"}, "shared": shared}),
                json!({"id": 9, "reply": {"time": 1}}),
                json!({"update": {"on": false}}),
                json!({"deleted": ["level"]}),
                json!({"method": "blink", "params": "twice"}),
            ]
        );
        let inner = json!({"key1": "a", "key2": true, "key3": -1.5, "key4": -7, "key5": "ü"});
        let latest = json!({"temperature": 25.5, "innerObject": inner, "humidity": 26.0});
        assert_eq!(Value::from(world.cloud.latest("lamp")), latest);
        let claimed = world.cloud.claim("bob", "lamp", "value");
        assert_eq!(claimed, Some(ClaimOutcome::Success));
        let events = world.trace.since(0);
        assert!(
            !events
                .iter()
                .any(|e| e.source == Source::Cloud && e.kind == "payload_malformed")
        );
    });
}

#[test]
fn a_device_by_googles_protobuf_is_provisioned_in_a_profile_of_json_too() {
    if is_missing() {
        return;
    }
    run(async {
        let world = World::in_host_time(ThingsBoardSettings {
            provisioning: Some(ProvisionProfile {
                key: "the key".into(),
                secret: "the secret".into(),
                strategy: Strategy::AllowCreate,
            }),
            ..ThingsBoardSettings::default()
        })
        .await;
        let port = world.broker.addresses()[0].port().to_string();
        let request = ["provision", "127.0.0.1", &port, "the key"];
        let refused = said(&[&request[..], &["not the secret"]].concat(), async {}).await;
        assert_eq!(
            refused[1],
            json!({"status": "NOT_FOUND", "type": "ACCESS_TOKEN", "value": ""})
        );
        let provisioned = said(&[&request[..], &["the secret"]].concat(), async {}).await;
        let credentials =
            json!({"status": "SUCCESS", "type": "ACCESS_TOKEN", "value": "a token of its own"});
        assert_eq!(provisioned[1], credentials);
        let taken = Credentials::AccessToken("a token of its own".into());
        assert!(!world.cloud.add_device("another", Some(taken)));
    });
}
