//! Binding, from the session to the phone.

use std::net::Ipv4Addr;

use embassy_time::Timer;

use crate::broker::{Replies, Seen};
use crate::world::{DEVICE, World};
use crate::{log, time};

pub const REPORT: &str = "/sys/a1GQc8iJOWI/test01/ts/thing/awss/enrollee/match";
const REPLY: &str = "/sys/a1GQc8iJOWI/test01/thing/awss/enrollee/match_reply";

/// Tokens reported, in order.
pub fn reported(world: &World) -> Vec<String> {
    let reports = world.broker.published(REPORT);
    let read = |report: &String| -> serde_json::Value { serde_json::from_str(report).unwrap() };
    let reports = reports.iter().map(read);
    reports
        .map(|report| report["params"]["token"].as_str().unwrap().into())
        .collect()
}

#[test]
fn the_road_to_the_first_notification_is_logged_as_the_sdk_does() {
    let world = World::with_binding();
    let heard = time::run(world.powered(async |phone| phone.hear(5_000).await));
    let heard = heard.expect("a notification");
    assert_eq!((heard.from, heard.to), (DEVICE, Ipv4Addr::BROADCAST));
    assert_eq!(heard.header, [0x54, 2, 0, 1, 4, 3, 2, 1]);
    let token = heard.json["params"]["token"].as_str().unwrap().to_string();
    assert_eq!(reported(&world), std::slice::from_ref(&token));
    assert!(matches!(
        &world.broker.seen()[0].1,
        Seen::Connect { client_id, username: Some(username) }
            if client_id.starts_with("a1GQc8iJOWI.test01|securemode=2,") && username == "test01&a1GQc8iJOWI"
    ));
    log::assert_in_order(&[
        "Guider SecMode : 2 (TLS + Direct)",
        "MQTT init success!",
        "Loading the CA root certificate ...",
        "Connecting to /192.168.43.1/1883...",
        "connecting IP_ADDRESS: 192.168.43.1",
        "Performing the SSL/TLS handshake...",
        "certificate verification result: 0x00",
        "mqtt connect success!",
        "no rst",
        &format!("mqtt subscribe packet sent,topic = {REPLY}!"),
        &format!("sub {REPLY} success"),
        &format!(
            r#"report token:{{"id":"0","version":"1.0","method":"thing.awss.enrollee.match","params":{{"token":"{token}"}}}}"#
        ),
        "report token res:",
        &format!("Topic Name : {REPLY}"),
        "topic be matched",
        "awss_report_token_reply",
        "bcast ip = 255.255.255.255",
        "topic:/sys/device/info/notify",
        r#"payload:{"id":"0","version":"1.0","method":"device.info.notify""#,
        "send notify success",
    ]);
    log::assert_in_order(&[
        "Register new resource /sys/device/info/get success, count: 1",
        "Register new resource /sys/a1GQc8iJOWI/test01/device/info/get success, count: 2",
    ]);
}

#[test]
fn a_phones_token_is_reported_once_and_then_the_devices_own() {
    let world = World::with_binding();
    let token = "4786F0F6E1CC7BF86017FD4D1429EE4F";
    let handed = device::handover::Token::from_hex(token.as_bytes()).unwrap();
    world.handover.leave(handed);
    world.broker.replies.set(Replies::Never);
    time::run(world.powered(async |phone| phone.hear(20_000).await));
    assert_eq!(reported(&world), [token]);
    time::run(world.powered(async |phone| phone.hear(20_000).await));
    let tokens = reported(&world);
    assert_eq!(tokens.len(), 2);
    assert_ne!(tokens[1], token);
}

#[test]
fn a_silent_cloud_is_told_three_times_and_then_given_up() {
    let world = World::with_binding();
    world.broker.replies.set(Replies::Never);
    let heard = time::run(world.powered(async |phone| phone.hear(200_000).await));
    assert_eq!(heard, None);
    let tokens = reported(&world);
    assert_eq!(tokens.len(), 3);
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(log::count("try 4 times fail"), 1);
}

#[test]
fn a_confirmable_query_gets_an_acknowledgement_and_then_the_token() {
    let world = World::with_binding();
    time::run(world.powered(async |phone| {
        // Before the first notification, which waits for the first poll.
        Timer::after_millis(200).await;
        phone.query(DEVICE, 0x44).await;
        let acknowledgement = phone.hear(100).await.expect("an acknowledgement");
        assert_eq!(acknowledgement.header, [0x60, 0, 0x12, 0x34]);
        let answer = phone.hear(100).await.expect("an answer");
        assert_eq!(answer.header, [0x54, 0x45, 0x12, 0x34, 10, 11, 12, 13]);
        assert_eq!(answer.json["id"], 123);
        Timer::after_millis(100).await;
        let tokens = reported(&world);
        assert_eq!(answer.json["data"]["token"], tokens[0]);
        assert_eq!(tokens.len(), 2);
        assert_ne!(tokens[0], tokens[1]);
    }));
    log::assert_in_order(&[
        "Request path is /sys/device/info/get",
        "Found the resource: /sys/device/info/get",
        "no rst",
        r#"sending message to app: {"id":123,"code":200,"data":{"#,
        "update token",
        r#"report token:{"id":"1""#,
    ]);
}

#[test]
fn a_query_to_the_multicast_group_and_to_the_broadcast_address_is_heard() {
    for to in [
        Ipv4Addr::new(224, 0, 1, 187),
        Ipv4Addr::BROADCAST,
        Ipv4Addr::new(192, 168, 43, 255),
    ] {
        let world = World::with_binding();
        time::run(world.powered(async |phone| {
            Timer::after_millis(200).await;
            phone.query(to, 0x54).await;
            let answer = phone.hear_answer().await;
            assert_eq!((answer.from, &answer.json["code"]), (DEVICE, &200.into()));
        }));
    }
}

#[test]
fn a_query_before_the_session_is_answered_when_the_cloud_has_replied() {
    let world = World::with_binding();
    world.lost_requests.set(2);
    time::run(world.powered(async |phone| {
        phone.query(DEVICE, 0x54).await;
        assert_eq!(phone.hear(5_000).await, None);
        let answer = phone.hear(3_000).await.expect("an answer");
        assert_eq!(answer.json["code"], 200);
        assert_eq!(answer.json["data"]["token"], reported(&world)[0]);
    }));
    log::assert_in_order(&[
        "Request path is /sys/device/info/get",
        "try to report token to cloud",
        "mqtt connect success!",
        "sending message to app",
    ]);
}

#[test]
fn a_phone_that_vanishes_keeps_no_other_from_its_answer() {
    let world = World::with_binding();
    time::run(world.powered(async |phone| {
        Timer::after_millis(200).await;
        world.ask_and_vanish().await;
        Timer::after_secs(5).await;
        phone.query(DEVICE, 0x54).await;
        let answer = phone.hear_answer().await;
        assert_eq!(answer.json["data"]["token"], reported(&world)[1]);
    }));
}

#[test]
fn an_acknowledged_notification_rotates_the_token() {
    let world = World::with_binding();
    time::run(world.powered(async |phone| {
        let heard = phone.hear(5_000).await.expect("a notification");
        let mut answer = vec![0x54, 0x45, 0, 1];
        answer.extend(&heard.header[4..]);
        answer.extend(b"\xc1\x32\xff{\"id\":123,\"code\":200,\"data\":{}}");
        phone.send(DEVICE, &answer).await;
        assert_eq!(phone.hear(60_000).await, None);
    }));
    let tokens = reported(&world);
    assert_eq!(tokens.len(), 2);
    assert_ne!(tokens[0], tokens[1]);
}

#[test]
fn a_refused_subscription_is_logged_and_the_reply_is_dropped() {
    let world = World::with_binding();
    world.broker.suback.set(0x80);
    let heard = time::run(world.powered(async |phone| phone.hear(100_000).await));
    assert_eq!(heard, None);
    log::assert_in_order(&[
        &format!("sub {REPLY} fail"),
        "report token:",
        "NO matching any topic, call default handle function",
        "try 4 times fail",
    ]);
}

#[test]
fn garbage_on_the_coap_port_is_dropped() {
    let world = World::with_binding();
    time::run(world.powered(async |phone| {
        Timer::after_millis(200).await;
        phone.send(DEVICE, b"\x4f\xff").await;
        phone.send(DEVICE, &[0x40; 1_400]).await;
        phone.query(DEVICE, 0x54).await;
        let answer = phone.hear(100).await.expect("an answer");
        assert_eq!(answer.json["code"], 200);
    }));
    assert_eq!(log::count("dropped"), 2);
}

#[test]
fn a_lost_session_keeps_a_fresh_token() {
    let world = World::with_binding();
    time::run(world.powered(async |_| {
        Timer::after_secs(5).await;
        world.set_link(false);
        Timer::after_secs(1).await;
        world.set_link(true);
        Timer::after_secs(20).await;
    }));
    assert!(world.broker.connects().len() > 1);
    assert_eq!(reported(&world).len(), 1);
}
