//! What MQTT 5 demands of a broker, byte by byte, and what the trace says of it.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod support;

use std::time::Duration;

use cloud::{BadPacket, Broker, BrokerSettings, Faults, Reply};
use serde_json::json;
use support::peer::*;
use support::*;
use trace::{Source, Trace};

/// CONNACK of success without its properties.
async fn greeted(broker: &Broker, id: &str) -> Peer {
    Peer::open(broker.address(), &Hello::new(5, id)).await.0
}

/// CONNECT of MQTT 5 with these flags and these bytes behind the keep-alive.
fn connect5(flags: u8, rest: &[&[u8]]) -> Vec<u8> {
    let head = [&text("MQTT")[..], &[5, flags, 0, 0]].concat();
    packet(0x10, &[&head, &rest.concat()])
}

/// The broker says no more and closes, and the trace tells why.
async fn closes_for_violation(mut peer: Peer, trace: &Trace, name: &str, code: u8) {
    assert_eq!(peer.next().await, None, "{name}");
    drop(peer);
    let closed = event_of(trace, Source::Mqtt, "connection_closed").await;
    assert_eq!(
        (&closed["end"], &closed["code"]),
        (&json!("violation"), &json!(code)),
        "{name}"
    );
}

#[test]
fn a_connect_that_breaks_the_standard_is_answered_by_its_reason() {
    run(async {
        for (name, bytes, code) in [
            ("the reserved flag", connect5(3, &[&[0], &text("c")]), 0x81),
            ("cut in its properties", connect5(2, &[&[9, 0x11]]), 0x81),
            ("no properties", connect5(2, &[]), 0x81),
            (
                "an unknown property",
                connect5(2, &[&[2, 0x7e, 0], &text("c")]),
                0x81,
            ),
            (
                "a property twice",
                connect5(2, &[&[6, 0x21, 0, 1, 0x21, 0, 1], &text("c")]),
                0x82,
            ),
            (
                "a property of another packet",
                connect5(2, &[&[3, 0x13, 0, 1], &text("c")]),
                0x82,
            ),
            (
                "receive maximum 0",
                connect5(2, &[&[3, 0x21, 0, 0], &text("c")]),
                0x82,
            ),
            (
                "authentication data alone",
                connect5(2, &[&[3, 0x16, 0, 0], &text("c")]),
                0x82,
            ),
            (
                "a will of QoS 3",
                connect5(0x1e, &[&[0], &text("c"), &[0], &text("w"), &text("")]),
                0x81,
            ),
            (
                "a will to a wildcard",
                connect5(6, &[&[0], &text("c"), &[0], &text("#"), &text("")]),
                0x90,
            ),
            (
                "bytes behind the end",
                connect5(2, &[&[0], &text("c"), b"x"]),
                0x81,
            ),
        ] {
            let (broker, trace) = plain_broker().await;
            let mut peer = Peer::silent(broker.address(), 5).await;
            peer.send(&bytes).await;
            let got = peer
                .next()
                .await
                .unwrap_or_else(|| panic!("{name}: no CONNACK"));
            assert_eq!((got.head, got.codes[0]), (0x20, code), "{name}");
            closes_for_violation(peer, &trace, name, code).await;
        }
    });
}

#[test]
fn what_breaks_the_standard_later_is_answered_by_disconnect() {
    run(async {
        let topic = text("t");
        for (name, bytes, code) in [
            ("a second CONNECT", Hello::new(5, "c").bytes(), 0x82),
            ("QoS 3", packet(0x36, &[&topic, &[0, 1, 0]]), 0x81),
            (
                "a topic with a wildcard",
                packet(0x30, &[&text("a/#"), &[0]]),
                0x90,
            ),
            (
                "no topic and no alias",
                packet(0x30, &[&text(""), &[0]]),
                0x90,
            ),
            (
                "an alias above the maximum",
                packet(0x30, &[&topic, &[3, 0x23, 0, 11]]),
                0x94,
            ),
            (
                "an alias of nothing",
                packet(0x30, &[&text(""), &[3, 0x23, 0, 3]]),
                0x82,
            ),
            (
                "a subscription identifier in PUBLISH",
                packet(0x30, &[&topic, &[2, 0x0b, 1]]),
                0x82,
            ),
            (
                "a response topic with a wildcard",
                packet(0x30, &[&topic, &block(&[named(8, "+")])]),
                0x82,
            ),
            (
                "retain handling 3",
                packet(0x82, &[&[0, 1, 0], &topic, &[0x30]]),
                0x81,
            ),
            (
                "reserved options",
                packet(0x82, &[&[0, 1, 0], &topic, &[0x40]]),
                0x81,
            ),
            (
                "no local and shared",
                packet(0x82, &[&[0, 1, 0], &text("$share/g/t"), &[4]]),
                0x82,
            ),
            (
                "subscription identifier 0",
                packet(0x82, &[&[0, 1, 2, 0x0b, 0], &topic, &[0]]),
                0x82,
            ),
            (
                "SUBSCRIBE without a filter",
                packet(0x82, &[&[0, 1, 0]]),
                0x82,
            ),
            ("AUTH", packet(0xf0, &[&[0x18, 0]]), 0x82),
            (
                "a code that PUBACK cannot have",
                packet(0x40, &[&[0, 1, 0x92]]),
                0x81,
            ),
            (
                "a server reference",
                packet(0xe0, &[&[0], &block(&[named(0x1c, "x")])]),
                0x82,
            ),
            ("a packet that only brokers send", packet(0xd0, &[]), 0x82),
            (
                "a packet of 256 MB",
                vec![0x30, 0xff, 0xff, 0xff, 0x7f],
                0x95,
            ),
            (
                "an endless length",
                vec![0x30, 0xff, 0xff, 0xff, 0xff, 1],
                0x81,
            ),
        ] {
            let (broker, trace) = plain_broker().await;
            let mut peer = greeted(&broker, "c").await;
            peer.send(&bytes).await;
            let got = peer
                .next()
                .await
                .unwrap_or_else(|| panic!("{name}: no DISCONNECT"));
            assert_eq!((got.head, got.codes[0]), (0xe0, code), "{name}: {got:?}");
            assert!(got.named(0x1f).is_some(), "{name}: a reason in words");
            closes_for_violation(peer, &trace, name, code).await;
        }
    });
}

#[test]
fn a_refusal_has_the_reason_code_that_says_the_same() {
    run(async {
        // §3.2.2.2
        let reasons = [
            0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95,
            0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f,
        ];
        let same = reasons.iter().map(|reason| (*reason, *reason));
        let older = [(1, 0x84), (2, 0x85), (3, 0x88), (4, 0x86), (5, 0x87)];
        for (asked, code) in older.into_iter().chain(same) {
            let (broker, trace) = plain_broker().await;
            broker.set_faults(Faults {
                connack: Some(asked),
                ..Faults::default()
            });
            let (_, got) = Peer::greet(broker.address(), &Hello::new(5, "c")).await;
            let got = got.unwrap();
            assert_eq!(
                (got.head, got.codes, got.session_present),
                (0x20, vec![code], false)
            );
            let refused = event_of(&trace, Source::Mqtt, "connect_refused").await;
            assert_eq!(refused["code"], code);
        }
    });
}

#[test]
fn disconnect_tells_every_reason_that_a_broker_may_have() {
    run(async {
        // §3.14.2.1
        for reason in [
            0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95,
            0x96, 0x97, 0x98, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
        ] {
            let (broker, trace) = plain_broker().await;
            let mut peer = greeted(&broker, "c").await;
            broker.end_sessions(cloud::EndedBy::Reason(reason));
            let got = peer.next().await.unwrap();
            assert_eq!((got.head, got.codes), (0xe0, vec![reason]));
            assert!(peer.next().await.is_none(), "{reason:#x}: it is still open");
            // The broker waits for the client to close, too.
            drop(peer);
            let closed = event_of(&trace, Source::Mqtt, "connection_closed").await;
            assert_eq!(
                (&closed["end"], &closed["code"]),
                (&json!("closed"), &json!(reason))
            );
        }
    });
}

#[test]
fn the_trace_tells_the_version_and_the_properties() {
    run(async {
        let (broker, trace) = plain_broker().await;
        let hello = Hello::new(5, "c").with(Prop::Long(SESSION_EXPIRY, 7));
        let (mut peer, _) = Peer::open(broker.address(), &hello).await;
        let opened = event_of(&trace, Source::Mqtt, "session_opened").await;
        assert_eq!(
            (&opened["protocol"], &opened["session_expiry_s"]),
            (&json!("5"), &json!(7))
        );
        let connect = event_of(&trace, Source::Mqtt, "connect").await;
        assert_eq!(connect["properties"], json!({ "session_expiry_s": 7 }));
        let connack = event_of(&trace, Source::Mqtt, "connack").await;
        assert_eq!(connack["properties"]["topic_alias_maximum"], 10);
        peer.subscribe_with(
            &[("t", 1 | 4 | 8 | 0x10)],
            &[Prop::Variable(SUBSCRIPTION_ID, 9)],
        )
        .await;
        let subscribe = event_of(&trace, Source::Mqtt, "subscribe").await;
        assert_eq!(subscribe["properties"], json!({ "subscription_ids": [9] }));
        let filter = json!([{
            "filter": "t", "qos": 1, "no_local": true, "retain_as_published": true,
            "retain_handling": 1,
        }]);
        assert_eq!(subscribe["filters"], filter);
        // Where an alias stands for it, the topic is shown all the same.
        let alias = Prop::Short(ALIAS, 2);
        peer.publish_with("secret/topic", "one", 0, 0, std::slice::from_ref(&alias))
            .await;
        peer.publish_with("", "two", 0, 0, &[alias, user("k", "v")])
            .await;
        let two = event(&trace, |e| {
            e.kind == "publish" && e.data["payload"] == "two"
        })
        .await;
        assert_eq!(two.data["topic"], "secret/topic");
        let properties = json!({ "topic_alias": 2, "user_properties": [["k", "v"]] });
        assert_eq!(two.data["properties"], properties);
        peer.leave(0x81, &[]).await;
        let closed = event_of(&trace, Source::Mqtt, "connection_closed").await;
        assert_eq!(
            (&closed["end"], &closed["code"]),
            (&json!("disconnected"), &json!(0x81))
        );
    });
}

#[test]
fn acknowledgements_say_what_became_of_a_message() {
    run(async {
        let (broker, _) = plain_broker().await;
        let mut peer = greeted(&broker, "c").await;
        for qos in [1, 2] {
            let id = peer.publish_with("nobody", "x", qos, 0, &[]).await;
            let got = peer.next().await.unwrap();
            assert_eq!(
                (got.id, got.codes.as_slice()),
                (id, &[0x10][..]),
                "QoS {qos}"
            );
        }
        // What was never sent is not known.
        peer.send(&with_id(0x62, 77)).await;
        let got = peer.next().await.unwrap();
        assert_eq!((got.head, got.id, got.codes), (0x70, 77, vec![0x92]));
        peer.send(&with_id(0x50, 78)).await;
        let got = peer.next().await.unwrap();
        assert_eq!((got.head, got.id, got.codes), (0x62, 78, vec![0x92]));
    });
}

#[test]
fn a_client_that_refuses_a_message_is_not_sent_it_again() {
    run(async {
        let (broker, _) = plain_broker().await;
        let kept = Hello::new(5, "c").kept();
        let (mut peer, _) = Peer::open(broker.address(), &kept).await;
        peer.subscribe(&[("t", 2)]).await;
        let mut other = greeted(&broker, "p").await;
        other.publish("t", "x", 2, 0, &[]).await;
        let got = peer.next().await.unwrap();
        peer.send(&packet(0x50, &[&got.id.to_be_bytes(), &[0x97]]))
            .await;
        peer.send(&[0xc0, 0]).await;
        // No PUBREL in between.
        assert_eq!(peer.next().await.unwrap().head, 0xd0);
        drop(peer);
        let (mut peer, _) = Peer::open(broker.address(), &kept).await;
        peer.send(&[0xc0, 0]).await;
        assert_eq!(peer.next().await.unwrap().head, 0xd0);
    });
}

#[test]
fn aliases_are_given_to_a_client_that_takes_them() {
    run(async {
        let (broker, _) = plain_broker().await;
        let hello = Hello::new(5, "c").with(Prop::Short(ALIAS_MAXIMUM, 1));
        let (mut peer, _) = Peer::open(broker.address(), &hello).await;
        peer.subscribe(&[("#", 0)]).await;
        for topic in ["a", "a", "b"] {
            peer.publish_with(topic, topic, 0, 0, &[]).await;
        }
        let mut got = Vec::new();
        for _ in 0..3 {
            let message = peer.next().await.unwrap();
            got.push((message.topic.clone(), message.number(ALIAS)));
        }
        let own = |topic: &str, alias| (topic.to_owned(), alias);
        assert_eq!(got, [own("a", Some(1)), own("", Some(1)), own("b", None)]);
    });
}

#[test]
fn subscriptions_are_refused_by_their_reason() {
    run(async {
        let (broker, _) = plain_broker().await;
        broker.set_faults(Faults {
            refuse_subscriptions: vec!["no/#".to_owned()],
            ..Faults::default()
        });
        let mut peer = greeted(&broker, "c").await;
        let filters = [("a/#/b", 1), ("$share/g", 1), ("no/x", 1), ("a/#", 1)];
        assert_eq!(peer.subscribe(&filters).await, [0x8f, 0x8f, 0x80, 1]);
    });
}

#[test]
fn faults_hold_for_every_version() {
    run(async {
        let (broker, _) = plain_broker().await;
        broker.set_faults(Faults {
            publish: Reply::WrongId,
            ..Faults::default()
        });
        let mut peer = greeted(&broker, "c").await;
        peer.publish_with("t", "x", 1, 0, &[]).await;
        let got = peer.next().await.unwrap();
        assert_eq!((got.head, got.id), (0x40, 0x8001));
        for bad in [
            BadPacket::SecondConnack,
            BadPacket::Oversized,
            BadPacket::UnaskedPuback,
            BadPacket::UnaskedMessage,
            BadPacket::UnaskedAtQosZero,
            BadPacket::UnaskedAgain,
            BadPacket::UnaskedEmpty,
        ] {
            broker.set_faults(Faults {
                bad_packet: Some(bad),
                ..Faults::default()
            });
            // Wrong in one way alone: it can be read.
            let got = peer.next().await.unwrap();
            assert!(matches!(got.kind(), 2..=4), "{bad:?}: {got:?}");
        }
        broker.end_sessions(cloud::EndedBy::Takeover);
        let got = peer.next().await.unwrap();
        assert_eq!((got.head, got.codes), (0xe0, vec![0x8e]));
    });
}

#[test]
fn time_ends_sessions_and_sends_wills_in_lab_time() {
    run(async {
        let (broker, trace) = plain_broker().await;
        let mut watcher = greeted(&broker, "w").await;
        watcher.subscribe(&[("will", 0)]).await;
        let mut hello = Hello::new(5, "c").will("will", "gone");
        hello.props = vec![Prop::Long(SESSION_EXPIRY, 8)];
        hello.will.as_mut().unwrap().2 = vec![Prop::Long(WILL_DELAY, 4)];
        drop(Peer::open(broker.address(), &hello).await);
        let began = trace.clock().now();
        assert_eq!(watcher.next().await.unwrap().payload, "gone");
        let lasted = trace.clock().now().since(began);
        assert!(lasted >= Duration::from_secs(4), "{lasted:?}");
        while broker.sessions().iter().any(|(id, _)| id == "c") {
            tokio::task::yield_now().await;
        }
        let lasted = trace.clock().now().since(began);
        assert!((8..12).contains(&lasted.as_secs()), "{lasted:?}");
    });
}

#[test]
fn sessions_of_all_versions_hear_each_other() {
    run(async {
        let (broker, _) = broker(BrokerSettings::plain()).await;
        let mut four = Peer::open(broker.address(), &Hello::new(4, "four")).await.0;
        let mut five = greeted(&broker, "five").await;
        let mut esp = Wire::to(&broker).await;
        esp.send(&packet(
            0x10,
            &[&text("MQIsdp"), &[3, 2, 0, 0], &text("esp")],
        ))
        .await;
        esp.expect(&[0x20, 2, 0, 0], "3.1").await;
        esp.send(&subscribe(1, &[("t", 1)])).await;
        esp.expect(&suback(1, &[1]), "3.1").await;
        four.subscribe(&[("t", 1)]).await;
        five.subscribe_with(&[("t", 1)], &[Prop::Variable(SUBSCRIPTION_ID, 4)])
            .await;
        five.publish_with("t", "x", 1, 0, &[user("k", "v")]).await;
        // Without properties where there are none.
        esp.expect(&publish_with_id(1, 1, "t", "x"), "3.1").await;
        let got = four.message().await.unwrap();
        assert_eq!((got.payload.as_str(), got.props.len()), ("x", 0));
        let got = five.message().await.unwrap();
        assert_eq!(
            got.props,
            [user("k", "v"), Prop::Variable(SUBSCRIPTION_ID, 4)]
        );
        four.publish_with("t", "y", 1, 0, &[]).await;
        assert_eq!(five.message().await.unwrap().payload, "y");
    });
}

#[test]
fn mqtt_3_1_goes_on_with_a_session_and_is_told_nothing_of_it() {
    run(async {
        let (broker, _) = plain_broker().await;
        let kept = packet(0x10, &[&text("MQIsdp"), &[3, 0, 0, 60], &text("esp")]);
        let mut esp = Wire::to(&broker).await;
        esp.send(&kept).await;
        esp.expect(&[0x20, 2, 0, 0], "the first time").await;
        esp.send(&subscribe(1, &[("t", 1)])).await;
        esp.expect(&suback(1, &[1]), "suback").await;
        esp.send(&[0xe0, 0]).await;
        esp.closed("asleep").await;
        let mut other = greeted(&broker, "p").await;
        assert_eq!(other.publish("t", "x", 1, 0, &[]).await, 0);
        let mut esp = Wire::to(&broker).await;
        esp.send(&kept).await;
        // §3.2 of MQTT 3.1: the byte is reserved.
        esp.expect(&[0x20, 2, 0, 0], "again").await;
        esp.expect(&publish_with_id(1, 1, "t", "x"), "kept").await;
    });
}
