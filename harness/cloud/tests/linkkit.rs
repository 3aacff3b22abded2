//! A device and phones at the Linkkit stand-in.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod support;

use std::time::Duration;

use cloud::linkkit::codes;
use cloud::{
    BindOutcome, Broker, BrokerSettings, Linkkit, LinkkitDevice, LinkkitSettings, MatchReply, Rules,
};
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha1::Sha1;
use support::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use trace::{Source, Trace};

const TOKEN: &str = "4786F0F6E1CC7BF86017FD4D1429EE4F";
const OTHER: &str = "B52C577E55DE6B3CAF5B0C882410D8BF";
const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../fixtures/vectors/linkkit.json")).unwrap()
}

fn vector(name: &str) -> String {
    vectors()[name].as_str().unwrap().to_owned()
}

struct World {
    broker: Broker,
    linkkit: Linkkit,
    trace: Trace,
}

impl World {
    async fn new(settings: LinkkitSettings) -> Self {
        let (broker, trace) = broker(BrokerSettings::plain()).await;
        let devices = vec![
            LinkkitDevice {
                device: "lamp".into(),
                product_key: vector("productKey"),
                device_name: vector("deviceName"),
                device_secret: vector("deviceSecret"),
            },
            LinkkitDevice {
                device: "fan".into(),
                product_key: vector("productKey"),
                device_name: "fan".into(),
                device_secret: "another secret".into(),
            },
        ];
        let settings = LinkkitSettings {
            devices,
            ..settings
        };
        let linkkit = Linkkit::start(settings, &broker, trace.clone())
            .await
            .unwrap();
        Self {
            broker,
            linkkit,
            trace,
        }
    }

    async fn device(&self) -> Wire {
        let packet = &vectors()["v3.x (signmethod=hmacsha256)"];
        let packet = packet["mqtt_connect_packet_keepalive60_clean"].as_str();
        let mut wire = Wire::to(&self.broker).await;
        wire.send(&hex::decode(packet.unwrap()).unwrap()).await;
        wire.expect(&CONNACK, "connack").await;
        wire.send(&subscribe(1, &[(&vector("match_reply_topic"), 0)]))
            .await;
        wire.expect(&suback(1, &[0]), "suback").await;
        wire
    }

    fn bind(&self, account: &str, token: &str) -> BindOutcome {
        self.linkkit
            .bind(account, &vector("productKey"), &vector("deviceName"), token)
            .outcome()
    }

    async fn linkkit_event(&self, kind: &str) -> Value {
        event_of(&self.trace, Source::Cloud, kind).await
    }
}

fn report(id: u32, token: &str) -> String {
    json!({
        "id": id.to_string(),
        "version": "1.0",
        "method": "thing.awss.enrollee.match",
        "params": { "token": token },
    })
    .to_string()
}

fn reply(id: &str, code: u16) -> Vec<u8> {
    let body = format!(r#"{{"id":"{id}","code":{code},"data":{{}}}}"#);
    publish(&vector("match_reply_topic"), &body)
}

#[test]
fn a_report_is_answered_in_both_spellings_of_its_topic() {
    run(async {
        let world = World::new(LinkkitSettings::default()).await;
        let mut device = world.device().await;
        let plain = vector("match_topic");
        let odd = plain.replace("/thing/", "/ts/thing/");
        device
            .send(&publish_with_id(
                1,
                9,
                &plain,
                &vector("match_payload_first"),
            ))
            .await;
        device.expect(&with_id(0x40, 9), "puback").await;
        device.expect(&reply("0", 200), "first").await;
        device.send(&publish(&odd, &report(1, OTHER))).await;
        device.expect(&reply("1", 200), "second").await;

        let reported = world.linkkit_event("token_reported").await;
        assert_eq!(reported.pointer("/params/token"), Some(&"<token 1>".into()));
        assert_eq!(reported["token"], "<token 1>");
        assert_eq!(
            reported.pointer("/report/method"),
            Some(&"thing.awss.enrollee.match".into())
        );
        assert_eq!(reported["count"], 1);
        let named = event(&world.trace, |e| e.kind == "token_reported").await;
        assert_eq!(named.device.as_deref(), Some("lamp"));
        let replied = world.linkkit_event("match_replied").await;
        assert_eq!(
            (&replied["id"], &replied["code"]),
            (&"0".into(), &200.into())
        );
    });
}

#[test]
fn a_report_may_bring_the_rest_of_its_buffer() {
    run(async {
        let world = World::new(LinkkitSettings::default()).await;
        let mut device = world.device().await;
        // As the C SDK 2.3.0 sends it: 256 bytes, whatever the report's length.
        let mut padded = report(0, TOKEN);
        padded.extend(std::iter::repeat_n('\0', 256 - padded.len()));
        device.send(&publish(&vector("match_topic"), &padded)).await;
        device.expect(&reply("0", 200), "the answer").await;
        assert_eq!(world.bind("alice", TOKEN), BindOutcome::Bound);
        assert_eq!(world.bind("alice", TOKEN), BindOutcome::AlreadyUsed);
        let text = format!("{:?}", world.trace.since(0));
        assert!(!text.contains(TOKEN), "{text}");

        let topic = vector("match_topic").replace("awss/enrollee/match", "reset");
        let replies = topic.clone() + "_reply";
        device.send(&subscribe(2, &[(&replies, 0)])).await;
        device.expect(&suback(2, &[0]), "suback").await;
        let reset = r#"{"id":"7", "version":"1.0", "method":"thing.reset", "params":{}}"#;
        device
            .send(&publish(&topic, &format!("{reset}\0\0\0")))
            .await;
        let body = r#"{"id":"7","code":200,"data":{}}"#;
        device.expect(&publish(&replies, body), "the answer").await;
    });
}

const POST: &str = r#"{"id":"7","version":"1.0","params":{"temperature":21.5},"method":"thing.event.property.post"}"#;

fn post_topic() -> String {
    vector("match_topic").replace("awss/enrollee/match", "event/property/post")
}

const POST_REPLY: &str = r#"{"code":200,"data":{},"id":"7","message":"success","method":"thing.event.property.post","version":"1.0"}"#;

#[test]
fn a_property_is_answered_to_those_who_subscribe() {
    run(async {
        let world = World::new(LinkkitSettings::default()).await;
        let mut device = world.device().await;
        device.send(&publish(&post_topic(), POST)).await;
        device.quiet("no answer without a subscription").await;
        let replies = post_topic() + "_reply";
        device.send(&subscribe(2, &[(&replies, 0)])).await;
        device.expect(&suback(2, &[0]), "suback").await;
        device.send(&publish(&post_topic(), POST)).await;
        let expected = publish(&replies, POST_REPLY);
        device.expect(&expected, "the answer").await;
        device.send(&publish(&post_topic(), "nothing")).await;
        device.quiet("no answer to what is no JSON").await;
    });
}

/// What Alibaba's SDK for Python 1.2.13 sends for the device `fan`.
#[test]
fn a_device_that_asks_for_it_is_answered_without_a_subscription() {
    run(async {
        let world = World::new(LinkkitSettings::default()).await;
        let (product_key, name) = (vector("productKey"), "fan");
        let id = format!("{product_key}&{name}");
        let source = format!("clientId{id}deviceName{name}productKey{product_key}timestamp789");
        let mut sign = Hmac::<Sha1>::new_from_slice(b"another secret").unwrap();
        sign.update(source.as_bytes());
        let parameters = "securemode=2,signmethod=hmacsha1,ext=1,_ss=1,lan=Python,_v=1.2.13,";
        let client_id = format!("{id}|{parameters}timestamp=789|");
        let username = format!("{name}&{product_key}");
        let password = hex::encode(sign.finalize().into_bytes());
        let fields = [text(client_id), text(username), text(password)];
        let fields: Vec<&[u8]> = fields.iter().map(|field| &field[..]).collect();
        let mut wire = Wire::to(&world.broker).await;
        wire.send(&connect_with(0xC2, 60, &fields)).await;
        wire.expect(&CONNACK, "connack").await;

        let of_fan = |topic: String| topic.replace(&vector("deviceName"), name);
        let topic = of_fan(post_topic());
        wire.send(&publish(&topic, POST)).await;
        let expected = publish(&(topic + "_reply"), POST_REPLY);
        wire.expect(&expected, "the answer to the property").await;

        let topic = of_fan(vector("match_topic"));
        let match_reply = r#"{"id":"0","code":200,"data":{}}"#;
        wire.send(&publish(&topic, &report(0, TOKEN))).await;
        let expected = publish(&(topic.clone() + "_reply"), match_reply);
        wire.expect(&expected, "the answer to the report").await;
        // Subscribed as well, it is answered once.
        let filter = topic.clone() + "_reply";
        wire.send(&subscribe(1, &[(&filter, 0)])).await;
        wire.expect(&suback(1, &[0]), "suback").await;
        wire.send(&publish(&topic, &report(0, TOKEN))).await;
        wire.expect(&expected, "the answer").await;
        wire.quiet("no second one").await;
    });
}

#[test]
fn a_keep_alive_that_the_cloud_does_not_take_is_refused_and_named() {
    run(async {
        let world = World::new(LinkkitSettings::default()).await;
        let vector = &vectors()["v3.x (signmethod=hmacsha256)"];
        let field = |name: &str| text(vector[name].as_str().unwrap());
        let fields = [field("clientId"), field("username"), field("password")];
        let fields: Vec<&[u8]> = fields.iter().map(|field| &field[..]).collect();
        let mut wire = Wire::to(&world.broker).await;
        wire.send(&connect_with(0xC2, 15, &fields)).await;
        wire.expect(&[0x20, 2, 0, 3], "connack").await;
        let refused = world.linkkit_event("connect_refused").await;
        assert_eq!(
            refused["reason"],
            "the keep-alive is 15 s, not 30 to 1200 s"
        );
    });
}

#[test]
fn no_token_is_ever_stored_not_even_in_packets_or_broken_reports() {
    run(async {
        let world = World::new(LinkkitSettings::default()).await;
        let mut device = world.device().await;
        let topic = vector("match_topic");
        device.send(&publish(&topic, &report(0, TOKEN))).await;
        device.expect(&reply("0", 200), "reply").await;
        let broken = format!(r#"{{"id":"1","params":{{"token":"{OTHER}""#);
        device.send(&publish(&topic, &broken)).await;
        device.quiet("broken").await;
        world.bind("mallory", "0123456789ABCDEF0123456789ABCDEF");
        let all = format!("{:?}", world.trace.since(0));
        for token in [TOKEN, OTHER, "0123456789ABCDEF0123456789ABCDEF"] {
            assert!(!all.contains(token), "{token}");
        }
        let malformed = world.linkkit_event("report_malformed").await;
        assert_eq!(malformed["reason"], "it is no JSON");
    });
}

#[test]
fn the_cloud_answers_reports_as_the_scenario_wants() {
    run(async {
        for (policy, expected, then) in [
            (MatchReply::Never, None, BindOutcome::Bound),
            (
                MatchReply::Code(400),
                Some(reply("0", 400)),
                BindOutcome::Unknown,
            ),
            (
                MatchReply::WrongId,
                Some(reply("-1", 200)),
                BindOutcome::Bound,
            ),
        ] {
            let world = World::new(LinkkitSettings {
                match_reply: policy,
                ..LinkkitSettings::default()
            })
            .await;
            let mut device = world.device().await;
            let topic = vector("match_topic");
            device.send(&publish(&topic, &report(0, TOKEN))).await;
            match expected {
                Some(reply) => device.expect(&reply, "reply").await,
                None => device.quiet("no reply").await,
            }
            assert_eq!(world.bind("alice", TOKEN), then, "{policy:?}");
        }
    });
}

#[test]
fn a_late_answer_comes_late_by_the_clock_of_the_lab() {
    run(async {
        let world = World::new(LinkkitSettings {
            match_reply: MatchReply::After(Duration::from_secs(40)),
            ..LinkkitSettings::default()
        })
        .await;
        let mut device = world.device().await;
        let began = world.trace.clock().now();
        device
            .send(&publish(&vector("match_topic"), &report(0, TOKEN)))
            .await;
        device.expect(&reply("0", 200), "reply").await;
        let lasted = world.trace.clock().now().since(began).as_secs_f64();
        assert!((40.0..42.0).contains(&lasted), "{lasted}");
    });
}

#[test]
fn binds_follow_the_rules() {
    run(async {
        let world = World::new(LinkkitSettings {
            rules: Rules {
                token_life: Some(Duration::from_secs(45)),
                ..Rules::default()
            },
            ..LinkkitSettings::default()
        })
        .await;
        assert_eq!(world.bind("alice", TOKEN), BindOutcome::Unknown);
        let mut device = world.device().await;
        let topic = vector("match_topic");
        device.send(&publish(&topic, &report(0, TOKEN))).await;
        device.expect(&reply("0", 200), "reply").await;
        assert_eq!(world.bind("alice", TOKEN), BindOutcome::Bound);
        assert_eq!(world.bind("mallory", TOKEN), BindOutcome::AlreadyUsed);
        assert_eq!(world.bind("alice", TOKEN), BindOutcome::AlreadyUsed);
        device.send(&publish(&topic, &report(1, OTHER))).await;
        device.expect(&reply("1", 200), "reply").await;
        let fan = world
            .linkkit
            .bind("bob", &vector("productKey"), "fan", OTHER);
        assert_eq!(fan.outcome(), BindOutcome::Mismatched);
        world.trace.clock().sleep(Duration::from_secs(46)).await;
        assert_eq!(world.bind("bob", OTHER), BindOutcome::Expired);
        let owners = world
            .linkkit
            .owners(&vector("productKey"), &vector("deviceName"));
        assert_eq!(owners, ["alice"]);
        let refused = world.linkkit_event("bind_refused").await;
        assert_eq!(
            (&refused["outcome"], &refused["code"]),
            (&"unknown".into(), &6201.into())
        );
        assert_eq!(world.linkkit_event("bound").await["account"], "alice");
    });
}

#[test]
fn a_reset_frees_the_device_and_is_answered() {
    run(async {
        let world = World::new(LinkkitSettings::default()).await;
        let mut device = world.device().await;
        device
            .send(&publish(&vector("match_topic"), &report(0, TOKEN)))
            .await;
        device.expect(&reply("0", 200), "reply").await;
        assert_eq!(world.bind("alice", TOKEN), BindOutcome::Bound);
        let base = format!(
            "/sys/{}/{}/thing/reset",
            vector("productKey"),
            vector("deviceName")
        );
        let reply_topic = format!("{base}_reply");
        device.send(&subscribe(2, &[(&reply_topic, 0)])).await;
        device.expect(&suback(2, &[0]), "suback").await;
        device
            .send(&publish(&base, &vector("thing_reset_payload v3.0.1")))
            .await;
        let expected = publish(&reply_topic, r#"{"id":"0","code":200,"data":{}}"#);
        device.expect(&expected, "reset reply").await;
        let reset = world.linkkit_event("reset_reported").await;
        assert_eq!(reset["owners"], json!(["alice"]));
    });
}

#[test]
fn a_wrong_signature_is_refused_by_its_code_and_named() {
    run(async {
        let world = World::new(LinkkitSettings::default()).await;
        let vector = &vectors()["v2.3.0 (signmethod=hmacsha1)"];
        let field = |name: &str| text(vector[name].as_str().unwrap());
        let wrong = text("0".repeat(40));
        let mut wire = Wire::to(&world.broker).await;
        wire.send(&connect_with(
            0xc2,
            60,
            &[&field("clientId"), &field("username"), &wrong],
        ))
        .await;
        wire.expect(&[0x20, 2, 0, 4], "connack").await;
        wire.closed("refused").await;
        let refused = world.linkkit_event("connect_refused").await;
        assert_eq!(refused["code"], 4);
        assert!(refused["reason"].as_str().unwrap().contains("signature"));
        let named = event(&world.trace, |e| {
            e.source == Source::Cloud && e.kind == "connect_refused"
        });
        assert_eq!(named.await.device.as_deref(), Some("lamp"));

        // The right one, with names that are padded by NULs.
        let padded = |name: &str, mark: char| {
            let field = vector[name].as_str().unwrap();
            text(field.replacen(mark, &format!("\0\0{mark}"), 1))
        };
        let mut wire = Wire::to(&world.broker).await;
        wire.send(&connect_with(
            0xc2,
            60,
            &[
                &padded("clientId", '|'),
                &padded("username", '&'),
                &field("password"),
            ],
        ))
        .await;
        wire.expect(&CONNACK, "padded").await;
    });
}

#[test]
fn a_device_is_kept_to_its_own_topics_and_strangers_may_only_watch() {
    run(async {
        let world = World::new(LinkkitSettings::default()).await;
        let foreign = format!(
            "/sys/{}/fan/thing/awss/enrollee/match",
            vector("productKey")
        );
        let mut device = world.device().await;
        device.send(&subscribe(2, &[(&foreign, 0)])).await;
        device.expect(&suback(2, &[0x80]), "foreign").await;
        device
            .send(&publish_with_id(1, 3, &foreign, &report(0, TOKEN)))
            .await;
        device.expect(&with_id(0x40, 3), "acknowledged").await;

        let mut stranger = Wire::connected(&world.broker, "stranger").await;
        stranger.send(&subscribe(1, &[("#", 0)])).await;
        stranger.expect(&suback(1, &[0]), "watching").await;
        stranger
            .send(&publish(&vector("match_topic"), &report(0, TOKEN)))
            .await;
        stranger.quiet("not passed on").await;
        assert_eq!(world.bind("alice", TOKEN), BindOutcome::Unknown);
        let denied = event_of(&world.trace, Source::Mqtt, "denied").await;
        assert_eq!(denied["action"], "subscribe");
    });
}

async fn http(world: &World, request: impl AsRef<[u8]>) -> String {
    let mut stream = TcpStream::connect(world.linkkit.address()).await.unwrap();
    let _ = stream.write_all(request.as_ref()).await;
    let _ = stream.shutdown().await;
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response).await;
    String::from_utf8(response).unwrap()
}

fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn call(token: &str) -> String {
    json!({
        "account": "alice",
        "productKey": vector("productKey"),
        "deviceName": vector("deviceName"),
        "token": token,
    })
    .to_string()
}

#[test]
fn phones_bind_over_http() {
    run(async {
        let world = World::new(LinkkitSettings::default()).await;
        let mut device = world.device().await;
        device
            .send(&publish(&vector("match_topic"), &report(0, TOKEN)))
            .await;
        device.expect(&reply("0", 200), "reply").await;
        let bind = "/awss/token/user/bind";
        let rows = [
            ("/awss/token/check", call(TOKEN), codes::OK),
            ("/awss/token/check", call(OTHER), codes::TOKEN_UNKNOWN),
            (bind, call(TOKEN), codes::OK),
            (bind, call(TOKEN), codes::TOKEN_USED_BY_SAME),
            (bind, call(TOKEN).replace("alice", "bob"), codes::TOKEN_USED),
            (bind, call(""), codes::PARAMETER),
            (bind, call(TOKEN).replace("alice", ""), codes::UNAUTHORIZED),
            (
                bind,
                call(TOKEN).replace("gateway", "x"),
                codes::DEVICE_NOT_FOUND,
            ),
            (
                bind,
                call(TOKEN).replace("a1GQ", "x"),
                codes::PRODUCT_NOT_FOUND,
            ),
            (bind, "[1]".into(), codes::BAD_REQUEST),
            (bind, "{".into(), codes::BAD_REQUEST),
        ];
        // All on one connection, kept alive.
        let mut stream = TcpStream::connect(world.linkkit.address()).await.unwrap();
        for (path, body, code) in rows {
            stream
                .write_all(post(path, &body).as_bytes())
                .await
                .unwrap();
            let mut response = Vec::new();
            while !response.ends_with(b"}") {
                stream.read_buf(&mut response).await.unwrap();
            }
            let response = String::from_utf8(response).unwrap();
            assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
            let (_, json) = response.split_once("\r\n\r\n").unwrap();
            let answer: Value = serde_json::from_str(json).unwrap();
            assert_eq!(answer["code"], code, "{path} {body}");
            assert!(answer["message"].is_string());
        }
        world.linkkit.refuse_binds(Some(codes::TOO_MANY_REQUESTS));
        assert!(http(&world, post(bind, &call(TOKEN))).await.contains("429"));
    });
}

#[test]
fn hostile_http_is_answered_by_its_status() {
    run(async {
        let world = World::new(LinkkitSettings::default()).await;
        let bind = "/awss/token/user/bind";
        let rows = [
            (post("/elsewhere", "{}"), "404"),
            (format!("GET {bind} HTTP/1.1\r\n\r\n"), "405"),
            (format!("POST {bind} HTTP/1.1\r\n\r\n"), "411"),
            (
                format!("POST {bind} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"),
                "411",
            ),
            (
                format!("POST {bind} HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n"),
                "413",
            ),
            (
                format!("POST {bind} HTTP/1.1\r\nContent-Length: -1\r\n\r\n"),
                "400",
            ),
            (
                format!("POST {bind} HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(20_000)),
                "431",
            ),
            ("\0\u{1}garbage\r\n\r\n".to_owned(), "400"),
        ];
        for (request, status) in rows {
            let response = http(&world, &request).await;
            let expected = format!("HTTP/1.1 {status} ");
            assert!(
                response.starts_with(&expected),
                "{request:.60}: {response:.60}"
            );
        }
        // One that never ends is let go by the clock of the lab, if it lives there.
        let mut slow = TcpStream::connect(world.linkkit.address()).await.unwrap();
        let own = slow.local_addr().unwrap();
        let _lives_there = world.trace.clock().inhabitant(own);
        slow.write_all(b"POST").await.unwrap();
        let mut response = String::new();
        slow.read_to_string(&mut response).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 408 "), "{response}");
    });
}
