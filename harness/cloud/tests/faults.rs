//! What the broker does wrong on purpose.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod support;

use std::time::Duration;

use cloud::{BadPacket, Broker, BrokerSettings, Down, EndedBy, Faults, Limits, Publish, Reply};
use support::*;
use trace::{Source, Trace};

const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

async fn faulty(faults: Faults) -> (Broker, Trace) {
    let settings = BrokerSettings {
        faults,
        ..BrokerSettings::plain()
    };
    broker(settings).await
}

#[test]
fn connack_has_the_code_that_the_scenario_wants() {
    run(async {
        let older = (1..=5).map(|code| (code, code));
        // Reasons of MQTT 5, as far as there are such codes here.
        let newer = [
            (0x84, 1),
            (0x85, 2),
            (0x86, 4),
            (0x87, 5),
            (0x88, 3),
            (0x97, 3),
        ];
        for (asked, code) in older.chain(newer) {
            let (broker, trace) = faulty(Faults {
                connack: Some(asked),
                ..Faults::default()
            })
            .await;
            let mut wire = Wire::to(&broker).await;
            wire.send(&connect("c")).await;
            wire.expect(&[0x20, 2, 0, code], "connack").await;
            wire.closed("refused").await;
            let refused = event_of(&trace, Source::Mqtt, "connect_refused").await;
            assert_eq!(refused["code"], code);
        }
    });
}

#[test]
fn connect_is_never_answered() {
    run(async {
        let (broker, trace) = faulty(Faults {
            connect: Reply::Never,
            ..Faults::default()
        })
        .await;
        let mut wire = Wire::to(&broker).await;
        wire.send(&connect("c")).await;
        event_of(&trace, Source::Mqtt, "connect").await;
        let clock = trace.clock().clone();
        let waited = clock.timeout(Duration::from_secs(300), wire.packet()).await;
        assert!(waited.is_err(), "something came");
    });
}

#[test]
fn connect_is_answered_by_a_reset() {
    run(async {
        let (broker, _) = faulty(Faults {
            connect: Reply::Reset,
            ..Faults::default()
        })
        .await;
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(broker.address())
            .await
            .unwrap();
        stream.write_all(&connect("c")).await.unwrap();
        let error = stream.read_u8().await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    });
}

#[test]
fn subscriptions_are_refused_by_topic() {
    run(async {
        let (broker, _) = faulty(Faults {
            refuse_subscriptions: vec!["/sys/+/+/thing/awss/enrollee/match_reply".into()],
            ..Faults::default()
        })
        .await;
        let mut wire = Wire::connected(&broker, "c").await;
        let reply = "/sys/pk/dn/thing/awss/enrollee/match_reply";
        wire.send(&subscribe(1, &[(reply, 0), ("other", 1)])).await;
        wire.expect(&suback(1, &[0x80, 1]), "suback").await;
        broker.publish(Publish::new(reply, "lost"));
        broker.publish(Publish::new("other", "found"));
        wire.expect(&publish("other", "found"), "the granted one")
            .await;
    });
}

#[test]
fn silence_on_subscribe_publish_and_ping() {
    run(async {
        let (broker, _) = faulty(Faults {
            subscribe: Reply::Never,
            publish: Reply::Never,
            ping: Reply::Never,
            ..Faults::default()
        })
        .await;
        let mut wire = Wire::connected(&broker, "c").await;
        wire.send(&subscribe(1, &[("t", 0)])).await;
        wire.send(&publish_with_id(1, 1, "t", "x")).await;
        wire.send(&publish_with_id(2, 2, "t", "x")).await;
        wire.send(&[0xc0, 0]).await;
        // UNSUBSCRIBE is still answered, and nothing came before that.
        wire.send(&unsubscribe(3, &["t"])).await;
        wire.expect(&with_id(0xb0, 3), "unsuback").await;
    });
}

#[test]
fn messages_are_withheld_until_the_fault_is_taken_back() {
    run(async {
        let (broker, trace) = faulty(Faults {
            withhold_messages: true,
            ..Faults::default()
        })
        .await;
        let mut wire = Wire::connected(&broker, "c").await;
        wire.send(&subscribe(1, &[("t", 0)])).await;
        wire.expect(&suback(1, &[0]), "suback").await;
        broker.publish(Publish::new("t", "late"));
        trace.clock().sleep(Duration::from_secs(30)).await;
        wire.quiet("withheld").await;
        broker.set_faults(Faults::default());
        wire.expect(&publish("t", "late"), "late").await;
    });
}

#[test]
fn a_connection_can_be_broken_from_outside() {
    run(async {
        let (broker, trace) = plain_broker().await;
        let mut wire = Wire::connected(&broker, "c").await;
        assert!(broker.disconnect("c"));
        wire.closed("broken").await;
        let closed = event_of(&trace, Source::Mqtt, "connection_closed").await;
        assert_eq!(closed["end"], "fault");
        assert!(!broker.disconnect("nobody"));
    });
}

#[test]
fn a_refusal_arrives_although_the_client_has_sent_more() {
    run(async {
        for _ in 0..20 {
            let (broker, _) = faulty(Faults {
                connack: Some(4),
                ..Faults::default()
            })
            .await;
            let mut wire = Wire::to(&broker).await;
            // Unread bytes would make the kernel reset the connection.
            let more = publish("t", &"x".repeat(20_000));
            wire.send(&[connect("c"), more].concat()).await;
            wire.expect(&[0x20, 2, 0, 4], "connack").await;
            wire.closed("refused").await;
        }
    });
}

#[test]
fn a_client_that_takes_nothing_loses_messages_loudly_and_holds_nobody_up() {
    run(async {
        let settings = BrokerSettings {
            limits: Limits {
                queue: 50,
                ..Limits::default()
            },
            ..BrokerSettings::plain()
        };
        let (broker, trace) = broker(settings).await;
        let persistent = connect_with(0, 0, &[&text("sleeper")]);
        let mut sleeper = Wire::to(&broker).await;
        sleeper.send(&persistent).await;
        sleeper.expect(&CONNACK, "connack").await;
        sleeper.send(&subscribe(1, &[("t", 1)])).await;
        sleeper.expect(&suback(1, &[1]), "suback").await;
        sleeper.send(&[0xe0, 0]).await;
        sleeper.closed("asleep").await;
        let mut speaker = Wire::connected(&broker, "speaker").await;
        for id in 1..=60 {
            speaker.send(&publish_with_id(1, id, "t", "x")).await;
            speaker.expect(&with_id(0x40, id), "puback").await;
        }
        let dropped = event(&trace, |e| e.kind == "dropped").await;
        assert_eq!(dropped.data["client"], "sleeper");
    });
}

#[test]
fn a_password_and_a_named_secret_never_reach_the_trace() {
    run(async {
        let (broker, trace) = plain_broker().await;
        trace.secrets().add("passphrase home", "correct horse");
        let mut wire = Wire::to(&broker).await;
        let login = connect_with(0xc2, 0, &[&text("c"), &text("u"), &text("hunter22")]);
        wire.send(&login).await;
        wire.expect(&CONNACK, "connack").await;
        wire.send(&publish("t", "{\"pass\":\"correct horse\"}"))
            .await;
        wire.quiet("sent").await;
        let all = format!("{:?}", trace.since(0));
        assert!(!all.contains("hunter22") && !all.contains(&hex::encode("hunter22")));
        assert!(!all.contains("correct horse") && all.contains("<passphrase home>"));
    });
}

#[test]
fn answers_come_late_and_in_the_order_in_which_they_are_due() {
    run(async {
        let late = |seconds| Reply::After(Duration::from_secs(seconds));
        let (broker, trace) = faulty(Faults {
            connect: late(4),
            subscribe: late(9),
            publish: late(3),
            ping: late(6),
            ..Faults::default()
        })
        .await;
        let clock = trace.clock();
        let start = clock.now();
        let since = || (clock.now() - start).as_secs();
        let mut wire = Wire::to(&broker).await;
        wire.send(&connect("c")).await;
        wire.expect(&CONNACK, "connack").await;
        assert!((4..9).contains(&since()), "{}", since());
        wire.send(&subscribe(1, &[("t", 0)])).await;
        wire.send(&publish_with_id(1, 2, "t", "x")).await;
        wire.send(&[0xc0, 0]).await;
        // Delivery is not held back; only answers are.
        wire.expect(&publish("t", "x"), "the message").await;
        wire.expect(&with_id(0x40, 2), "puback").await;
        wire.expect(&[0xd0, 0], "pingresp").await;
        wire.expect(&suback(1, &[0]), "suback").await;
        assert!((13..20).contains(&since()), "{}", since());
    });
}

#[test]
fn acknowledgements_may_have_another_identifier_or_be_a_reset() {
    run(async {
        let (broker, trace) = faulty(Faults {
            subscribe: Reply::WrongId,
            publish: Reply::WrongId,
            ..Faults::default()
        })
        .await;
        let mut wire = Wire::connected(&broker, "c").await;
        wire.send(&subscribe(1, &[("t", 0)])).await;
        wire.expect(&suback(0x8001, &[0]), "suback").await;
        wire.send(&publish_with_id(1, 0x8000, "other", "x")).await;
        wire.expect(&with_id(0x40, 1), "puback").await;
        broker.set_faults(Faults {
            ping: Reply::Reset,
            ..Faults::default()
        });
        wire.send(&[0xc0, 0]).await;
        let closed = event_of(&trace, Source::Mqtt, "connection_closed").await;
        assert_eq!(closed["end"], "fault");
    });
}

#[test]
fn bytes_may_come_one_by_one() {
    run(async {
        let (broker, _) = faulty(Faults {
            single_bytes: true,
            ..Faults::default()
        })
        .await;
        let mut wire = Wire::connected(&broker, "c").await;
        wire.send(&subscribe(1, &[("t", 0)])).await;
        wire.expect(&suback(1, &[0]), "suback").await;
        broker.publish(Publish::new("t", "in pieces"));
        wire.expect(&publish("t", "in pieces"), "whole").await;
    });
}

#[test]
fn a_bad_packet_comes_once_on_every_connection() {
    run(async {
        let (broker, _) = plain_broker().await;
        let mut here = Wire::connected(&broker, "here").await;
        broker.set_faults(Faults {
            bad_packet: Some(BadPacket::QosThree),
            ..Faults::default()
        });
        let bad = [0x36, 5, 0, 1, b't', 0, 1];
        here.expect(&bad, "at once").await;
        let mut later = Wire::connected(&broker, "later").await;
        later.expect(&bad, "behind CONNACK").await;
        later.send(&[0xc0, 0]).await;
        later.expect(&[0xd0, 0], "and then no more").await;
    });
}

#[test]
fn a_broker_that_is_down_refuses_and_comes_back_on_its_port() {
    run(async {
        for (down, present) in [(Down::KeepsSessions, 1), (Down::LosesSessions, 0)] {
            let (broker, trace) = plain_broker().await;
            let mut kept = Wire::to(&broker).await;
            kept.send(&connect_with(0, 60, &[&text("kept")])).await;
            kept.expect(&CONNACK, "a session to be kept").await;
            let mut waiting = Wire::to(&broker).await;
            broker.set_faults(Faults {
                down: Some(down),
                ..Faults::default()
            });
            kept.closed("reset").await;
            waiting.closed("before CONNECT").await;
            let closed = event_of(&trace, Source::Mqtt, "connection_closed").await;
            assert_eq!(closed["detail"], "the broker went down");
            let refused = loop {
                match tokio::net::TcpStream::connect(broker.address()).await {
                    // It was accepted before the listener was gone.
                    Ok(_) => tokio::task::yield_now().await,
                    Err(error) => break error,
                }
            };
            assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
            let taken = std::net::TcpListener::bind(broker.address()).expect_err("it is held");
            assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
            broker.set_faults(Faults::default());
            broker.listens().await.unwrap();
            let mut back = Wire::to(&broker).await;
            back.send(&connect_with(0, 60, &[&text("kept")])).await;
            back.expect(&[0x20, 2, present, 0], "back").await;
            // Closed by the broker first, so that the host knows of the connection for a minute.
            broker.end_sessions(EndedBy::Takeover);
            back.closed("ended").await;
            drop(back);
            let address = broker.address();
            drop(broker);
            let mut free = std::net::TcpListener::bind(address);
            for _ in 0..1000 {
                if free.is_ok() {
                    break;
                }
                tokio::task::yield_now().await;
                free = std::net::TcpListener::bind(address);
            }
            free.expect("nobody has the port any more");
        }
    });
}

#[test]
fn sessions_are_ended_from_outside() {
    run(async {
        for (by, end) in [
            (EndedBy::Reset, "fault"),
            (EndedBy::Takeover, "taken-over"),
            // Without a word before MQTT 5.
            (EndedBy::Reason(0x8b), "closed"),
        ] {
            let (broker, trace) = plain_broker().await;
            let mut wire = Wire::connected(&broker, "c").await;
            broker.end_sessions(by);
            wire.closed("ended").await;
            // The broker waits for the client to close, too.
            drop(wire);
            let closed = event_of(&trace, Source::Mqtt, "connection_closed").await;
            assert_eq!(closed["end"], end);
            assert_eq!(broker.sessions(), []);
        }
    });
}
