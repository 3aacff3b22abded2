//! ThingsBoard's CONNECT and device API, byte by byte.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod support;

use cloud::thingsboard::{Credentials, Strategy, ThingsBoardSettings};
use cloud::{CloudFault, Fake};
use serde_json::{Map, Value, json};
use support::thingsboard::{TOKEN, World, by_name, facts, message, with_password};
use support::{
    connect_with, event_of, publish, publish_with_id, run, suback, subscribe, text, with_id,
};
use trace::Source;

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
            ("provision as client id", by_name("provision", "anyone"), 0),
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
