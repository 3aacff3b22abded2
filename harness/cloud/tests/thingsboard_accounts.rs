//! How devices of ThingsBoard get their credentials, and customers their devices.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod support;

use std::time::Duration;

use cloud::thingsboard::{ClaimOutcome, Strategy, ThingsBoardSettings};
use serde_json::{Value, json};
use support::thingsboard::{TOKEN, World, by_name, facts, message, with_password};
use support::{publish, publish_with_id, run, suback, subscribe};

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
