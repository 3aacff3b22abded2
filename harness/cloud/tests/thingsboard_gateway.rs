//! ThingsBoard's gateway API, byte by byte.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod support;

use cloud::thingsboard::{ClaimOutcome, Strategy};
use serde_json::{Map, Value, json};
use support::thingsboard::{World, message};
use support::{Wire, publish, publish_with_id, run, suback, subscribe, with_id};

async fn gateway(world: &World) -> Wire {
    assert!(world.cloud.set_gateway("lamp", true));
    world.device().await
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[test]
fn what_a_gateway_tells_of_devices_is_theirs_and_makes_them() {
    run(async {
        let world = World::usual().await;
        let mut wire = gateway(&world).await;
        wire.send(&publish_with_id(
            1,
            2,
            "v1/gateway/connect",
            r#"{"device":"Device A","type":"thermometer"}"#,
        ))
        .await;
        wire.expect(&with_id(0x40, 2), "connect").await;
        let made = world.seen("gateway_device_connected").await;
        let expected = json!({"gateway": "lamp", "device_name": "Device A", "created": true});
        assert_eq!(made, expected);
        let telemetry = r#"{
            "Device A": [{"ts":1483228800000,"values":{"temperature":42}}, {"ts":1483228801000,"values":{"temperature":43}}],
            "Device B": [{"humidity":80}]
        }"#;
        wire.send(&publish("v1/gateway/telemetry", telemetry)).await;
        let attributes = r#"{"Device A":{"fw":"1.2"},"Device B":{"model":"x"}}"#;
        wire.send(&publish("v1/gateway/attributes", attributes))
            .await;
        wire.quiet("nothing comes of it").await;
        let latest = |name| Value::Object(world.cloud.latest(name));
        assert_eq!(latest("Device A"), json!({"temperature": 43}));
        assert_eq!(latest("Device B"), json!({"humidity": 80}));
        assert_eq!(latest("lamp"), json!({}));
        let client = world.cloud.client_attributes("Device B");
        assert_eq!(Value::Object(client), json!({"model": "x"}));
    });
}

#[test]
fn attributes_of_a_device_are_answered_and_changes_told_by_its_gateway() {
    run(async {
        let world = World::usual().await;
        let mut wire = gateway(&world).await;
        for filter in ["v1/gateway/attributes", "v1/gateway/attributes/response"] {
            wire.send(&subscribe(1, &[(filter, 1)])).await;
            wire.expect(&suback(1, &[1]), filter).await;
        }
        wire.send(&publish("v1/gateway/attributes", r#"{"A":{"fw":"1.2"}}"#))
            .await;
        wire.quiet("attributes").await;
        assert!(
            world
                .cloud
                .set_shared("A", object(json!({"on": true, "level": 3})))
        );
        let topic = "v1/gateway/attributes".to_owned();
        let told = json!({"device": "A", "data": {"on": true, "level": 3}});
        assert_eq!(message(&mut wire).await, (topic, told));
        for (asked, answered) in [
            (
                r#"{"id":1,"device":"A","client":true,"key":"fw"}"#,
                json!({"id": 1, "device": "A", "value": "1.2"}),
            ),
            (
                r#"{"id":2,"device":"A","client":false,"keys":["on","level","none"]}"#,
                json!({"id": 2, "device": "A", "values": {"on": true, "level": 3}}),
            ),
            (
                r#"{"id":3,"device":"A","client":true,"key":"none"}"#,
                json!({"id": 3, "device": "A"}),
            ),
        ] {
            wire.send(&publish("v1/gateway/attributes/request", asked))
                .await;
            let topic = "v1/gateway/attributes/response".to_owned();
            assert_eq!(message(&mut wire).await, (topic, answered), "{asked}");
        }
    });
}

#[test]
fn a_device_is_called_by_its_gateway_as_long_as_it_is_there() {
    run(async {
        let world = World::usual().await;
        let mut wire = gateway(&world).await;
        wire.send(&publish("v1/gateway/connect", r#"{"device":"A"}"#))
            .await;
        wire.quiet("connect").await;
        assert_eq!(world.cloud.call("A", "blink", json!({})), None);
        wire.send(&subscribe(1, &[("v1/gateway/rpc", 1)])).await;
        wire.expect(&suback(1, &[1]), "suback").await;
        let request = world.cloud.call("A", "blink", json!({"n": 2})).unwrap();
        let data = json!({"id": request, "method": "blink", "params": {"n": 2}});
        let call = json!({"device": "A", "data": data});
        assert_eq!(
            message(&mut wire).await,
            ("v1/gateway/rpc".to_owned(), call)
        );
        // The gateway itself has not subscribed to calls of its own.
        assert_eq!(world.cloud.call("lamp", "blink", json!({})), None);
        let answer = json!({"device": "A", "id": request, "data": {"done": true}});
        wire.send(&publish("v1/gateway/rpc", &answer.to_string()))
            .await;
        let answered = world.seen("rpc_answered").await;
        assert_eq!(answered["device_name"], "A");
        assert_eq!(answered["expected"], true);
        assert_eq!(answered["answer"], json!({"done": true}));
        wire.send(&publish("v1/gateway/disconnect", r#"{"device":"A"}"#))
            .await;
        wire.quiet("disconnect").await;
        assert_eq!(world.cloud.call("A", "blink", json!({})), None);
        let gone = world.seen("gateway_device_disconnected").await;
        assert_eq!(gone["was_there"], true);
    });
}

#[test]
fn a_gateway_claims_for_its_devices() {
    run(async {
        let world = World::usual().await;
        let mut wire = gateway(&world).await;
        let claims =
            r#"{"A":{"secretKey":"value A","durationMs":60000},"B":{"secretKey":"value B"}}"#;
        wire.send(&publish("v1/gateway/claim", claims)).await;
        wire.quiet("claims").await;
        let claim = |name, secret| world.cloud.claim("bob", name, secret);
        assert_eq!(claim("A", "value A"), Some(ClaimOutcome::Success));
        assert_eq!(claim("B", "value A"), Some(ClaimOutcome::Failure));
        let stored = format!("{:?}", world.trace.since(0));
        assert!(!stored.contains("value A") && !stored.contains("value B"));
    });
}

#[test]
fn a_device_that_is_no_gateway_is_passed_over_there() {
    run(async {
        let world = World::usual().await;
        let mut wire = world.device().await;
        wire.send(&publish_with_id(
            1,
            5,
            "v1/gateway/telemetry",
            r#"{"A":[{"t":1}]}"#,
        ))
        .await;
        wire.expect(&with_id(0x40, 5), "puback").await;
        wire.quiet("the session goes on").await;
        let unknown = world.seen("topic_unknown").await;
        assert_eq!(unknown["closes"], false);
        assert_eq!(Value::Object(world.cloud.latest("A")), json!({}));
    });
}

#[test]
fn what_a_gateway_says_wrong_closes_its_session() {
    run(async {
        let world = World::usual().await;
        for (topic, payload) in [
            ("v1/gateway/connect", r#"{"name":"A"}"#),
            ("v1/gateway/disconnect", "[]"),
            ("v1/gateway/telemetry", r#"{"A":{"t":1}}"#),
            ("v1/gateway/attributes", r#"{"A":1}"#),
            ("v1/gateway/attributes/request", r#"{"id":1,"device":"A"}"#),
            ("v1/gateway/rpc", r#"{"device":"A","data":{}}"#),
            ("v1/gateway/claim", "{"),
        ] {
            let mut wire = gateway(&world).await;
            wire.send(&publish_with_id(1, 9, topic, payload)).await;
            wire.closed(topic).await;
        }
    });
}

#[test]
fn a_device_that_provisions_itself_as_a_gateway_is_one() {
    run(async {
        let world = World::provisioning(Strategy::AllowCreate).await;
        let mut wire = world.provisioner().await;
        let request = json!({
            "deviceName": "new", "provisionDeviceKey": "the key", "provisionDeviceSecret": "the secret",
            "credentialsType": "ACCESS_TOKEN", "token": "its token", "gateway": true,
        });
        wire.send(&publish("/provision/request", &request.to_string()))
            .await;
        assert_eq!(message(&mut wire).await.1["status"], "SUCCESS");
        let connect = support::thingsboard::by_name("g", "its token");
        let (mut wire, _) = world.connack(&connect).await;
        wire.send(&publish("v1/gateway/telemetry", r#"{"A":[{"t":1}]}"#))
            .await;
        wire.quiet("telemetry").await;
        assert_eq!(Value::Object(world.cloud.latest("A")), json!({"t": 1}));
    });
}
