//! The ThingsBoard stand-in, byte by byte over MQTT and HTTP.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod support;

use std::time::Duration;

use cloud::thingsboard::{
    ClaimOutcome, Credentials, ProvisionProfile, Strategy, ThingsBoard, ThingsBoardSettings,
};
use cloud::{Broker, CloudFault, Fake};
use serde_json::{Map, Value, json};
use support::{
    Wire, connect_with, event_of, plain_broker, publish, publish_with_id, run, suback, subscribe,
    text, with_id,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use trace::{Source, Trace};

const FACTS: &str = include_str!("../src/thingsboard/facts.json");
const TOKEN: &str = "A1_TEST_TOKEN";

fn facts() -> Value {
    serde_json::from_str(FACTS).unwrap()
}

struct World {
    broker: Broker,
    trace: Trace,
    cloud: ThingsBoard,
}

impl World {
    async fn new(settings: ThingsBoardSettings) -> Self {
        let (broker, trace) = plain_broker().await;
        let cloud = ThingsBoard::start(settings, &broker, trace.clone())
            .await
            .unwrap();
        let token = Credentials::AccessToken(TOKEN.into());
        assert!(cloud.add_device("lamp", Some(token)));
        Self {
            broker,
            trace,
            cloud,
        }
    }

    async fn usual() -> Self {
        Self::new(ThingsBoardSettings::default()).await
    }

    async fn provisioning(strategy: Strategy) -> Self {
        Self::new(ThingsBoardSettings {
            provisioning: Some(ProvisionProfile {
                key: "the key".into(),
                secret: "the secret".into(),
                strategy,
            }),
            ..ThingsBoardSettings::default()
        })
        .await
    }

    /// The answer to a CONNECT.
    async fn connack(&self, connect: &[u8]) -> (Wire, [u8; 2]) {
        let mut wire = Wire::to(&self.broker).await;
        wire.send(connect).await;
        let connack = wire.packet().await.unwrap();
        assert_eq!(connack[..2], [0x20, 2]);
        (wire, [connack[2], connack[3]])
    }

    async fn device(&self) -> Wire {
        let (wire, answer) = self.connack(&by_name("c", TOKEN)).await;
        assert_eq!(answer, [0, 0]);
        wire
    }

    async fn provisioner(&self) -> Wire {
        let (mut wire, answer) = self.connack(&by_name("c", "provision")).await;
        assert_eq!(answer, [0, 0]);
        wire.send(&subscribe(1, &[("/provision/response", 1)]))
            .await;
        wire.expect(&suback(1, &[1]), "suback").await;
        wire
    }

    async fn seen(&self, kind: &str) -> Value {
        event_of(&self.trace, Source::Cloud, kind).await
    }

    /// Status and body of a request of `customer`.
    async fn http(&self, method: &str, path: &str, customer: &str, body: &str) -> (u16, Value) {
        let mut socket = tokio::net::TcpStream::connect(self.cloud.account_api())
            .await
            .unwrap();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\n{customer}Content-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.unwrap();
        let status = answer[9..12].parse().unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        (status, serde_json::from_str(body).unwrap_or_default())
    }
}

/// CONNECT of a clean session with a user name.
fn by_name(client: &str, username: &str) -> Vec<u8> {
    connect_with(0x82, 0, &[&text(client), &text(username)])
}

fn with_password(client: &str, username: &str, password: &str) -> Vec<u8> {
    let fields = [text(client), text(username), text(password)];
    connect_with(0xc2, 0, &[&fields.concat()])
}

/// The topic and the payload of a PUBLISH, which is acknowledged if it wants to be.
async fn message(wire: &mut Wire) -> (String, Value) {
    let packet = wire.packet().await.unwrap();
    assert_eq!(packet[0] & 0xf0, 0x30, "{packet:02x?}");
    let mut at = 1
        + packet[1..]
            .iter()
            .position(|byte| byte & 0x80 == 0)
            .unwrap()
        + 1;
    let length = usize::from(u16::from_be_bytes([packet[at], packet[at + 1]]));
    at += 2;
    let topic = String::from_utf8(packet[at..at + length].to_vec()).unwrap();
    at += length;
    if packet[0] & 0b110 != 0 {
        wire.send(&with_id(
            0x40,
            u16::from_be_bytes([packet[at], packet[at + 1]]),
        ))
        .await;
        at += 2;
    }
    let body = String::from_utf8_lossy(&packet[at..]).into_owned();
    let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
    (topic, body)
}

#[test]
fn a_connect_is_answered_by_the_number_that_thingsboard_has_for_it() {
    run(async {
        let world = World::provisioning(Strategy::AllowCreate).await;
        let basic = |client_id: Option<&str>, username: Option<&str>| Credentials::MqttBasic {
            client_id: client_id.map(Into::into),
            username: username.map(Into::into),
            password: Some("secret".into()),
        };
        world
            .cloud
            .add_device("both", Some(basic(Some("dev1"), Some("alice"))));
        world
            .cloud
            .add_device("name", Some(basic(None, Some("bob"))));
        let id_only = Credentials::MqttBasic {
            client_id: Some("dev2".into()),
            username: None,
            password: None,
        };
        world.cloud.add_device("id", Some(id_only));
        let given = |name: &str| hex::decode(facts()[name].as_str().unwrap()).unwrap();
        let anonymous = connect_with(0x02, 0, &[&text("")]);
        for (what, connect, code) in [
            (
                "no certificate, no user name",
                given("connect_packet_x509_no_user"),
                5,
            ),
            ("the token", given("connect_packet_access_token"), 0),
            (
                "provision as user name",
                given("connect_packet_provision"),
                0,
            ),
            ("provision as client id", by_name("provision", "nobody"), 0),
            ("a wrong token", by_name("c", "A1_TEST_TOKEM"), 5),
            ("nothing at all", anonymous, 5),
            (
                "client id and user name",
                with_password("dev1", "alice", "secret"),
                0,
            ),
            // Never 4.
            (
                "a wrong password",
                with_password("dev1", "alice", "secrex"),
                5,
            ),
            (
                "another client id",
                with_password("dev3", "alice", "secret"),
                5,
            ),
            ("user name alone", with_password("any", "bob", "secret"), 0),
            ("its wrong password", with_password("any", "bob", "x"), 5),
            (
                "client id alone",
                connect_with(0x02, 0, &[&text("dev2")]),
                0,
            ),
            (
                "a client id alone that is unknown",
                connect_with(0x02, 0, &[&text("dev9")]),
                5,
            ),
        ] {
            let (mut wire, answer) = world.connack(&connect).await;
            assert_eq!(answer, [0, code], "{what}");
            if code != 0 {
                wire.closed(what).await;
            }
        }
        let refused = world.seen("authentication_refused").await;
        assert_eq!(refused["code"], 5);
    });
}

#[test]
fn session_present_is_the_opposite_of_clean_session_in_every_case() {
    run(async {
        let world = World::usual().await;
        for (username, flags, answer) in [
            (TOKEN, 0x80, [1, 0]),
            (TOKEN, 0x82, [0, 0]),
            ("wrong", 0x80, [1, 5]),
            ("wrong", 0x82, [0, 5]),
        ] {
            let connect = connect_with(flags, 0, &[&text("c"), &text(username)]);
            assert_eq!(
                world.connack(&connect).await.1,
                answer,
                "{username} {flags:#x}"
            );
        }
    });
}

#[test]
fn filters_outside_the_device_api_are_refused_and_others_granted_at_most_at_1() {
    run(async {
        let world = World::usual().await;
        let mut wire = world.device().await;
        for (filter, qos, code) in [
            ("#", 0, 0x80),
            ("v1/devices/me/#", 1, 0x80),
            ("v1/devices/me/telemetry", 0, 0x80),
            ("v1/devices/me/rpc/request/+", 2, 1),
            ("v1/devices/me/attributes", 0, 0),
            ("v2/fw/response/+/chunk/+", 1, 1),
        ] {
            wire.send(&subscribe(7, &[(filter, qos)])).await;
            wire.expect(&suback(7, &[code]), filter).await;
        }
    });
}

#[test]
fn it_is_no_broker_between_its_devices() {
    run(async {
        let world = World::usual().await;
        let other = Credentials::AccessToken("other token".into());
        assert!(world.cloud.add_device("fan", Some(other)));
        let mut lamp = world.device().await;
        let (mut fan, _) = world.connack(&by_name("fan", "other token")).await;
        for wire in [&mut lamp, &mut fan] {
            wire.send(&subscribe(1, &[("v1/devices/me/attributes", 1)]))
                .await;
            wire.expect(&suback(1, &[1]), "suback").await;
        }
        lamp.send(&publish_with_id(
            1,
            9,
            "v1/devices/me/attributes",
            "{\"a\":1}",
        ))
        .await;
        lamp.expect(&with_id(0x40, 9), "puback").await;
        lamp.quiet("its own attributes").await;
        fan.quiet("another's attributes").await;
        let shared: Map<_, _> = [("on".to_owned(), json!(true))].into_iter().collect();
        assert!(world.cloud.set_shared("fan", shared));
        let told = ("v1/devices/me/attributes".to_owned(), json!({"on": true}));
        assert_eq!(message(&mut fan).await, told);
        lamp.quiet("another's shared attributes").await;
    });
}

#[test]
fn telemetry_is_kept_and_the_latest_can_be_asked_for() {
    run(async {
        let world = World::usual().await;
        let mut wire = world.device().await;
        let payload = facts()["telemetry"]["payload"].as_str().unwrap().to_owned();
        let topic = facts()["telemetry"]["topic"].as_str().unwrap().to_owned();
        wire.send(&publish_with_id(1, 3, &topic, &payload)).await;
        wire.expect(&with_id(0x40, 3), "puback").await;
        wire.send(&publish("v2/t", r#"[{"ts":5,"values":{"humidity":27}}]"#))
            .await;
        wire.quiet("telemetry at QoS 0").await;
        let latest = json!({"temprature": 25, "humidity": 27});
        assert_eq!(Value::Object(world.cloud.latest("lamp")), latest);
        let seen = world.seen("telemetry_received").await;
        assert_eq!(seen["latest"], json!({"temprature": 25, "humidity": 26}));
    });
}

#[test]
fn a_payload_that_cannot_be_read_closes_the_session_and_is_not_acknowledged() {
    run(async {
        let world = World::usual().await;
        for topic in [
            "v1/devices/me/telemetry",
            "v1/devices/me/attributes",
            "v1/devices/me/attributes/request/1",
            "v1/devices/me/rpc/request/1",
            "v1/devices/me/claim",
            "v2/fw/request/1/chunk/0",
        ] {
            let mut wire = world.device().await;
            wire.send(&publish_with_id(1, 9, topic, "{")).await;
            wire.closed(topic).await;
        }
        let closed = event_of(&world.trace, Source::Mqtt, "connection_closed").await;
        assert_eq!(closed["end"], "closed");
        let mut wire = world.device().await;
        wire.send(&publish_with_id(1, 9, "v1/devices/me/nothing", "{"))
            .await;
        wire.expect(&with_id(0x40, 9), "an unknown topic").await;
        wire.quiet("the session goes on").await;
    });
}

#[test]
fn a_device_profile_may_have_malformed_payloads_acknowledged() {
    run(async {
        let world = World::new(ThingsBoardSettings {
            acknowledges_malformed: true,
            ..ThingsBoardSettings::default()
        })
        .await;
        let mut wire = world.device().await;
        wire.send(&publish_with_id(1, 9, "v1/devices/me/telemetry", "{"))
            .await;
        wire.expect(&with_id(0x40, 9), "puback").await;
        assert_eq!(world.seen("payload_malformed").await["closes"], false);
    });
}

#[test]
fn attributes_are_answered_in_the_form_in_which_they_were_asked_for() {
    run(async {
        let world = World::usual().await;
        let shared = json!({"on": true, "level": 3});
        let shared = shared.as_object().unwrap().clone();
        assert!(world.cloud.set_shared("lamp", shared));
        let mut wire = world.device().await;
        wire.send(&publish(
            "v1/devices/me/attributes",
            r#"{"fw":"1.2","hw":7}"#,
        ))
        .await;
        for (filter, asked, answered) in [
            (
                "v1/devices/me/attributes/response/+",
                "v1/devices/me/attributes/request/1",
                "v1/devices/me/attributes/response/1",
            ),
            ("v2/a/res/+", "v2/a/req/2", "v2/a/res/2"),
            ("v2/a/res/j/+", "v2/a/req/j/3", "v2/a/res/j/3"),
        ] {
            wire.send(&subscribe(1, &[(filter, 1)])).await;
            wire.expect(&suback(1, &[1]), filter).await;
            wire.send(&publish(
                asked,
                r#"{"clientKeys":"fw,none","sharedKeys":"on"}"#,
            ))
            .await;
            let answer = json!({"client": {"fw": "1.2"}, "shared": {"on": true}});
            assert_eq!(message(&mut wire).await, (answered.to_owned(), answer));
        }
        wire.send(&publish("v2/a/req/4", r#"{"sharedKeys":"none"}"#))
            .await;
        assert_eq!(message(&mut wire).await, ("v2/a/res/4".into(), json!({})));
        wire.send(&publish("v2/a/req/5", "{}")).await;
        let all = json!({
            "client": {"fw": "1.2", "hw": 7},
            "shared": {"on": true, "level": 3},
        });
        assert_eq!(message(&mut wire).await, ("v2/a/res/5".into(), all));
        wire.send(&subscribe(2, &[("v2/a", 1)])).await;
        wire.expect(&suback(2, &[1]), "v2/a").await;
        let gone: Map<_, _> = [("level".to_owned(), Value::Null)].into_iter().collect();
        assert!(world.cloud.set_shared("lamp", gone));
        let deleted = json!({"deleted": ["level"]});
        assert_eq!(message(&mut wire).await, ("v2/a".into(), deleted));
    });
}

#[test]
fn an_answer_comes_without_a_subscription_too() {
    run(async {
        let world = World::usual().await;
        let mut wire = world.device().await;
        wire.send(&publish("v1/devices/me/attributes/request/1", "{}"))
            .await;
        let answer = ("v1/devices/me/attributes/response/1".to_owned(), json!({}));
        assert_eq!(message(&mut wire).await, answer);
        let shared: Map<_, _> = [("on".to_owned(), json!(true))].into_iter().collect();
        assert!(world.cloud.set_shared("lamp", shared));
        wire.quiet("a change that it has not subscribed to").await;
    });
}

#[test]
fn calls_go_both_ways() {
    run(async {
        let world = World::usual().await;
        let mut wire = world.device().await;
        assert_eq!(world.cloud.call("lamp", "blink", json!({})), None);
        wire.send(&subscribe(
            1,
            &[("v2/r/req/+", 1), ("v1/devices/me/rpc/response/+", 1)],
        ))
        .await;
        wire.expect(&suback(1, &[1, 1]), "suback").await;
        let request = world.cloud.call("lamp", "blink", json!({"n": 2})).unwrap();
        let call = json!({"method": "blink", "params": {"n": 2}});
        assert_eq!(
            message(&mut wire).await,
            (format!("v2/r/req/{request}"), call)
        );
        wire.send(&publish(&format!("v2/r/res/{request}"), r#"{"ok":true}"#))
            .await;
        let answered = world.seen("rpc_answered").await;
        assert_eq!(
            (&answered["expected"], &answered["answer"]["ok"]),
            (&json!(true), &json!(true))
        );

        world.cloud.answer_calls("getTime", json!(1_700_000_000));
        let call = r#"{"method":"getTime","params":{}}"#;
        wire.send(&publish("v1/devices/me/rpc/request/4", call))
            .await;
        let answer = (
            "v1/devices/me/rpc/response/4".to_owned(),
            json!(1_700_000_000),
        );
        assert_eq!(message(&mut wire).await, answer);
        world.cloud.set_fault(&CloudFault::Unanswered, true);
        wire.send(&publish("v1/devices/me/rpc/request/5", call))
            .await;
        wire.quiet("a call that is not answered").await;
        world.cloud.set_fault(&CloudFault::Unanswered, false);
        wire.send(&publish(
            "v1/devices/me/rpc/request/6",
            r#"{"method":"none","params":{}}"#,
        ))
        .await;
        wire.quiet("a method that the rule chain does not know")
            .await;
    });
}

#[test]
fn firmware_comes_in_chunks_of_the_size_that_was_asked_for() {
    run(async {
        let world = World::usual().await;
        let mut wire = world.device().await;
        wire.send(&subscribe(
            1,
            &[("v2/fw/response/+/chunk/+", 1), ("v2/fw/error", 1)],
        ))
        .await;
        wire.expect(&suback(1, &[1, 1]), "suback").await;
        wire.send(&publish("v2/fw/request/1/chunk/0", "4")).await;
        assert_eq!(message(&mut wire).await.0, "v2/fw/error");
        world.cloud.set_firmware("abcdefghij");
        for (chunk, asked, part) in [
            (0, "4", "abcd"),
            (1, "", "efgh"),
            (2, "", "ij"),
            (3, "", ""),
        ] {
            wire.send(&publish(&format!("v2/fw/request/1/chunk/{chunk}"), asked))
                .await;
            let topic = format!("v2/fw/response/1/chunk/{chunk}");
            assert_eq!(message(&mut wire).await, (topic, json!(part)));
        }
        let far = u64::MAX;
        wire.send(&publish(&format!("v2/fw/request/1/chunk/{far}"), ""))
            .await;
        assert_eq!(message(&mut wire).await.1, json!(""));
        wire.send(&publish("v2/fw/request/1/chunk/0", "999999999"))
            .await;
        assert_eq!(message(&mut wire).await.0, "v2/fw/error");
    });
}

#[test]
fn a_session_for_provisioning_is_for_that_alone() {
    run(async {
        let world = World::provisioning(Strategy::AllowCreate).await;
        let mut wire = world.provisioner().await;
        wire.send(&subscribe(2, &[("v1/devices/me/attributes", 0)]))
            .await;
        wire.expect(&suback(2, &[0x80]), "another subscription")
            .await;
        wire.quiet("a ping").await;
        wire.send(&publish_with_id(1, 9, "v1/devices/me/telemetry", "{}"))
            .await;
        wire.closed("another topic").await;
    });
}

#[test]
fn a_device_gets_the_credentials_that_it_asks_for() {
    run(async {
        let world = World::provisioning(Strategy::AllowCreate).await;
        let ours = r#""provisionDeviceKey":"the key","provisionDeviceSecret":"the secret""#;
        let certificate = facts()["certificate_pem"].as_str().unwrap().to_owned();
        let normalised = facts()["credentials_value"].clone();
        let hash = json!(certificate).to_string();
        let success = |value: Value, kind: &str| json!({"credentialsValue": value, "credentialsType": kind, "status": "SUCCESS"});
        let failure = json!({"errorMsg": "Failed to provision device!", "status": "FAILURE"});
        let not_found = json!({"errorMsg": "Provision data was not found!", "status": "NOT_FOUND"});
        let rows = [
            (
                format!(r#"{{"deviceName":"a",{ours},"credentialsType":"ACCESS_TOKEN","token":"own token"}}"#),
                success(json!("own token"), "ACCESS_TOKEN"),
            ),
            (
                format!(r#"{{"deviceName":"b",{ours},"credentialsType":"MQTT_BASIC","clientId":"c","username":"u","password":"p"}}"#),
                success(json!({"clientId": "c", "userName": "u", "password": "p"}), "MQTT_BASIC"),
            ),
            (
                format!(r#"{{"deviceName":"x",{ours},"credentialsType":"X509_CERTIFICATE","hash":{hash}}}"#),
                success(normalised, "X509_CERTIFICATE"),
            ),
            // The name, then the credentials, then what is in them.
            (format!(r#"{{"deviceName":"a",{ours}}}"#), failure.clone()),
            (format!(r#"{{"deviceName":"lamp",{ours}}}"#), failure.clone()),
            (format!(r#"{{"deviceName":"d",{ours},"token":"own token"}}"#), failure.clone()),
            (format!(r#"{{"deviceName":" ",{ours}}}"#), failure.clone()),
            (format!(r#"{{"deviceName":"d",{ours},"credentialsType":"MQTT_BASIC"}}"#), failure.clone()),
            (format!(r#"{{"deviceName":"d",{ours},"credentialsType":"X509_CERTIFICATE"}}"#), failure),
            (
                r#"{"deviceName":"d","provisionDeviceKey":"the key","provisionDeviceSecret":"x"}"#.into(),
                not_found.clone(),
            ),
            (
                r#"{"deviceName":"d","provisionDeviceKey":"x","provisionDeviceSecret":"the secret"}"#.into(),
                not_found.clone(),
            ),
            (r#"{"deviceName":"d"}"#.into(), not_found),
        ];
        let mut wire = world.provisioner().await;
        for (request, answer) in rows {
            wire.send(&publish("/provision/request", &request)).await;
            let answered = ("/provision/response".to_owned(), answer);
            assert_eq!(message(&mut wire).await, answered, "{request}");
        }
        // Without a name and a token, both are made up.
        wire.send(&publish("/provision/request", &format!("{{{ours}}}")))
            .await;
        let (_, answer) = message(&mut wire).await;
        let token = answer["credentialsValue"].as_str().unwrap();
        assert_eq!(token.len(), 20);
        let (_, connack) = world.connack(&by_name("new", token)).await;
        assert_eq!(connack, [0, 0]);
        let (_, connack) = world.connack(&with_password("c", "u", "p")).await;
        assert_eq!(connack, [0, 0]);
        let text = format!("{:?}", world.trace.since(0));
        for secret in ["the secret", "own token", token] {
            assert!(!text.contains(secret), "{secret}");
        }
    });
}

#[test]
fn a_device_that_is_waited_for_is_told_its_credentials_once() {
    run(async {
        let world = World::provisioning(Strategy::CheckPreProvisioned).await;
        let mut wire = world.provisioner().await;
        let request = |name: &str| {
            let request = json!({
                "deviceName": name,
                "provisionDeviceKey": "the key",
                "provisionDeviceSecret": "the secret",
            });
            publish("/provision/request", &request.to_string())
        };
        for (name, status, value) in [
            ("nothing", "FAILURE", Value::Null),
            ("lamp", "SUCCESS", json!(TOKEN)),
            ("lamp", "FAILURE", Value::Null),
        ] {
            wire.send(&request(name)).await;
            let (_, answer) = message(&mut wire).await;
            assert_eq!(
                (&answer["status"], &answer["credentialsValue"]),
                (&json!(status), &value)
            );
        }
    });
}

#[test]
fn customers_claim_over_http() {
    run(async {
        let world = World::usual().await;
        let mut wire = world.device().await;
        let path = "/api/customer/device/lamp/claim";
        let bob = "X-Authorization: Bearer bob\r\n";
        let eve = "X-Authorization: Bearer eve\r\n";
        let body = r#"{"secretKey":"value"}"#;
        assert_eq!(
            world.http("POST", path, bob, body).await,
            (400, json!("FAILURE"))
        );
        let claim = facts()["claim"]["payload"].as_str().unwrap().to_owned();
        wire.send(&publish("v1/devices/me/claim", &claim)).await;
        wire.quiet("claim message").await;
        assert_eq!(world.http("POST", path, "", body).await.0, 401);
        assert_eq!(world.http("GET", path, bob, "").await.0, 405);
        assert_eq!(
            world
                .http("POST", "/api/customer/device/x/claim", bob, body)
                .await
                .0,
            404
        );
        assert_eq!(world.http("POST", "/api/else", bob, body).await.0, 404);
        assert_eq!(world.http("POST", path, bob, "{").await.0, 400);
        let (status, answer) = world
            .http("POST", "/api/customer/device/l%61mp/claim", bob, body)
            .await;
        assert_eq!((status, &answer["response"]), (200, &json!("SUCCESS")));
        assert_eq!(world.cloud.customer("lamp").as_deref(), Some("bob"));
        assert_eq!(
            world.http("POST", path, eve, body).await,
            (400, json!("CLAIMED"))
        );
        assert_eq!(world.http("DELETE", path, bob, "").await.0, 200);
        assert_eq!(world.cloud.customer("lamp"), None);
        assert_eq!(
            world.http("POST", path, eve, body).await,
            (400, json!("FAILURE"))
        );
        assert_eq!(
            world
                .http("DELETE", "/api/customer/device/x/claim", bob, "")
                .await
                .0,
            404
        );
        let text = format!("{:?}", world.trace.since(0));
        assert!(!text.contains("\"value\""), "{text}");
    });
}

#[test]
fn claiming_may_need_an_attribute_of_the_device() {
    run(async {
        let world = World::new(ThingsBoardSettings {
            claiming_by_default: false,
            ..ThingsBoardSettings::default()
        })
        .await;
        let mut wire = world.device().await;
        for (allowed, outcome) in [
            (false, ClaimOutcome::Failure),
            (true, ClaimOutcome::Success),
        ] {
            world.cloud.allow_claiming("lamp", allowed);
            wire.send(&publish("v1/devices/me/claim", r#"{"secretKey":"value"}"#))
                .await;
            wire.quiet("claim message").await;
            assert_eq!(world.cloud.claim("bob", "lamp", "value"), Some(outcome));
        }
        assert!(world.cloud.unclaim("lamp"));
        // It is removed once the device is claimed.
        wire.send(&publish("v1/devices/me/claim", "")).await;
        wire.quiet("claim message").await;
        assert_eq!(
            world.cloud.claim("bob", "lamp", ""),
            Some(ClaimOutcome::Failure)
        );
    });
}

#[test]
fn a_claim_ends_with_its_time_in_the_lab() {
    run(async {
        let world = World::usual().await;
        let mut wire = world.device().await;
        wire.send(&publish(
            "v1/devices/me/claim",
            r#"{"secretKey":"k","durationMs":1000}"#,
        ))
        .await;
        wire.quiet("claim message").await;
        world.trace.clock().sleep(Duration::from_secs(2)).await;
        assert_eq!(
            world.cloud.claim("bob", "lamp", "k"),
            Some(ClaimOutcome::Failure)
        );
        let refused = world.seen("claim_refused").await;
        assert_eq!(refused["evicted"], true);
    });
}

#[test]
fn hostile_bytes_end_a_session_or_are_ignored_and_nothing_else() {
    run(async {
        let world = World::provisioning(Strategy::AllowCreate).await;
        let deep = "[".repeat(60_000);
        let wide = format!(
            "{{{}}}",
            (0..9000)
                .map(|n| format!("\"k{n}\":1"))
                .collect::<Vec<_>>()
                .join(",")
        );
        let topics = [
            "v1/devices/me/telemetry",
            "v1/devices/me/attributes",
            "v1/devices/me/attributes/request/9223372036854775807",
            "v1/devices/me/rpc/response/-1",
            "v1/devices/me/rpc/request/99999999999999999999",
            "v1/devices/me/claim",
            "v2/fw/request/1/chunk/18446744073709551615",
            "/provision/request",
        ];
        for topic in topics {
            for payload in ["", "\0", "\u{feff}{}", "{\"ts\":1e999}", &deep, &wide] {
                for username in [TOKEN, "provision"] {
                    let (mut wire, _) = world.connack(&by_name("h", username)).await;
                    wire.send(&publish(topic, payload)).await;
                    wire.send(&[0xe0, 0]).await;
                    while wire.packet().await.is_some() {}
                }
            }
        }
        world.broker.probe().await.unwrap();
        assert!(world.cloud.latest("lamp").len() <= 1000);
        let mut wire = world.device().await;
        wire.quiet("a device afterwards").await;
    });
}
