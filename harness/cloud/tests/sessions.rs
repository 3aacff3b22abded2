//! Several clients, sessions that outlive connections, wills, and time.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod support;

use std::time::Duration;

use cloud::{BrokerSettings, ListenerSettings, Reply, StartError};
use support::*;
use trace::Source;

const RESUMED: [u8; 4] = [0x20, 2, 1, 0];
const FRESH: [u8; 4] = [0x20, 2, 0, 0];

fn with_will(id: &str, flags: u8, keep_alive: u16) -> Vec<u8> {
    connect_with(
        flags,
        keep_alive,
        &[&text(id), &text("will"), &text("gone")],
    )
}

#[test]
fn a_will_is_published_when_a_connection_breaks_and_not_after_disconnect() {
    run(async {
        let (broker, _) = plain_broker().await;
        let mut watcher = Wire::connected(&broker, "watcher").await;
        watcher.send(&subscribe(1, &[("#", 1)])).await;
        watcher.expect(&suback(1, &[1]), "suback").await;

        let mut polite = Wire::to(&broker).await;
        polite.send(&with_will("polite", 0x06, 0)).await;
        polite.expect(&FRESH, "polite").await;
        polite.send(&[0xe0, 0]).await;
        polite.closed("polite").await;

        let mut broken = Wire::to(&broker).await;
        broken.send(&with_will("broken", 0x06, 0)).await;
        broken.expect(&FRESH, "broken").await;
        broken.hang_up().await;

        watcher.expect(&publish("will", "gone"), "the will").await;
        watcher.quiet("one will only").await;
    });
}

#[test]
fn a_will_has_its_qos_and_is_retained_if_it_says_so() {
    run(async {
        let (broker, _) = plain_broker().await;
        let mut broken = Wire::to(&broker).await;
        // QoS 1, retained.
        broken.send(&with_will("broken", 0x2e, 0)).await;
        broken.expect(&FRESH, "broken").await;
        broken.hang_up().await;
        while !broker.sessions().is_empty() {
            tokio::task::yield_now().await;
        }
        let mut late = Wire::connected(&broker, "late").await;
        late.send(&subscribe(1, &[("will", 2)])).await;
        late.expect(&suback(1, &[2]), "suback").await;
        let expected = packet(0x33, &[&text("will"), &[0, 1], b"gone"]);
        late.expect(&expected, "the will").await;
    });
}

#[test]
fn silence_of_one_and_a_half_keep_alives_ends_a_connection() {
    run(async {
        let (broker, trace) = plain_broker().await;
        let mut watcher = Wire::connected(&broker, "watcher").await;
        watcher.send(&subscribe(1, &[("will", 0)])).await;
        watcher.expect(&suback(1, &[0]), "suback").await;
        let mut silent = Wire::from_lab(&broker, &trace).await;
        silent.send(&with_will("silent", 0x06, 20)).await;
        silent.expect(&FRESH, "silent").await;
        let began = trace.clock().now();
        // A ping after 20 s keeps it for another 30 s.
        trace.clock().sleep(Duration::from_secs(20)).await;
        silent.quiet("still there").await;
        watcher.expect(&publish("will", "gone"), "the will").await;
        let lasted = trace.clock().now().since(began).as_secs_f64();
        assert!((50.0..53.0).contains(&lasted), "{lasted}");
        silent.closed("silent").await;
        let closed = event(&trace, |e| e.kind == "connection_closed").await;
        assert_eq!(closed.data["end"], "keep-alive");
    });
}

#[test]
fn a_second_connection_takes_the_client_id_over() {
    run(async {
        let (broker, trace) = plain_broker().await;
        let mut watcher = Wire::connected(&broker, "watcher").await;
        watcher.send(&subscribe(1, &[("will", 0)])).await;
        watcher.expect(&suback(1, &[0]), "suback").await;
        let mut first = Wire::to(&broker).await;
        first.send(&with_will("same", 0x06, 0)).await;
        first.expect(&FRESH, "first").await;
        let mut second = Wire::connected(&broker, "same").await;
        first.closed("first").await;
        watcher.expect(&publish("will", "gone"), "the will").await;
        second.quiet("second").await;
        let closed = event_of(&trace, Source::Mqtt, "connection_closed").await;
        assert_eq!(closed["end"], "taken-over");
    });
}

#[test]
fn a_persistent_session_keeps_subscriptions_and_messages_in_order() {
    run(async {
        let (broker, _) = plain_broker().await;
        let persistent = connect_with(0, 0, &[&text("sleeper")]);
        let mut sleeper = Wire::to(&broker).await;
        sleeper.send(&persistent).await;
        sleeper.expect(&FRESH, "new").await;
        sleeper.send(&subscribe(1, &[("t", 1), ("zero", 1)])).await;
        sleeper.expect(&suback(1, &[1, 1]), "suback").await;
        sleeper.send(&[0xe0, 0]).await;
        sleeper.closed("asleep").await;

        let mut speaker = Wire::connected(&broker, "speaker").await;
        speaker.send(&publish("zero", "lost")).await;
        for number in 1..=5 {
            let message = publish_with_id(1, number, "t", &number.to_string());
            speaker.send(&message).await;
            speaker.expect(&with_id(0x40, number), "puback").await;
        }

        let mut sleeper = Wire::to(&broker).await;
        sleeper.send(&persistent).await;
        sleeper.expect(&RESUMED, "resumed").await;
        for number in 1..=5 {
            let message = publish_with_id(1, number, "t", &number.to_string());
            sleeper.expect(&message, "kept").await;
        }
        // Only the first three are acknowledged.
        for number in 1..=3 {
            sleeper.send(&with_id(0x40, number)).await;
        }
        sleeper.quiet("acknowledged").await;
        sleeper.hang_up().await;
        while broker.sessions().contains(&("sleeper".into(), true)) {
            tokio::task::yield_now().await;
        }
        let mut sleeper = Wire::to(&broker).await;
        sleeper.send(&persistent).await;
        sleeper.expect(&RESUMED, "resumed again").await;
        for number in 4_u16..=5 {
            let again = packet(
                0x3a,
                &[
                    &text("t"),
                    &number.to_be_bytes(),
                    number.to_string().as_bytes(),
                ],
            );
            sleeper.expect(&again, "again, as a duplicate").await;
        }
        // A clean session forgets all of it.
        let mut clean = Wire::connected(&broker, "sleeper").await;
        clean.quiet("clean").await;
    });
}

#[test]
fn every_message_reaches_every_subscriber_in_order() {
    run(async {
        let (broker, _) = plain_broker().await;
        let mut subscribers = Vec::new();
        for number in 0..5 {
            let mut wire = Wire::connected(&broker, &format!("s{number}")).await;
            wire.send(&subscribe(1, &[("t/#", number % 3)])).await;
            wire.expect(&suback(1, &[number % 3]), "suback").await;
            subscribers.push(wire);
        }
        let mut speaker = Wire::connected(&broker, "speaker").await;
        let total = 60_u16;
        for number in 1..=total {
            let message = publish_with_id(1, number, "t/x", &number.to_string());
            speaker.send(&message).await;
            speaker.expect(&with_id(0x40, number), "puback").await;
        }
        for (at, wire) in subscribers.iter_mut().enumerate() {
            for number in 1..=total {
                let payload = number.to_string();
                let expected = match at % 3 {
                    0 => publish("t/x", &payload),
                    _ => publish_with_id(1, number, "t/x", &payload),
                };
                wire.expect(&expected, "in order").await;
            }
        }
    });
}

#[test]
fn a_broker_off_loopback_demands_client_certificates() {
    run(async {
        let settings = BrokerSettings {
            listeners: vec![ListenerSettings {
                address: "0.0.0.0:0".parse().unwrap(),
                tls: None,
            }],
            ..BrokerSettings::default()
        };
        let trace = trace::Trace::in_memory(clock::Clock::start(1.0));
        let refused = cloud::Broker::start(settings, trace, cloud::Devices::default()).await;
        assert!(matches!(refused, Err(StartError::Exposed { .. })));
    });
}

#[test]
fn a_taken_port_is_named() {
    run(async {
        let (first, trace) = plain_broker().await;
        let settings = BrokerSettings {
            listeners: vec![ListenerSettings {
                address: first.address(),
                tls: None,
            }],
            ..BrokerSettings::default()
        };
        let refused = cloud::Broker::start(settings, trace, cloud::Devices::default()).await;
        let error = refused.err().unwrap().to_string();
        assert!(error.contains(&first.address().to_string()), "{error}");
    });
}

#[test]
fn a_broker_that_is_dropped_frees_its_port_and_ends_its_connections() {
    run(async {
        let (broker, _) = plain_broker().await;
        let address = broker.address();
        let mut wire = Wire::connected(&broker, "c").await;
        drop(broker);
        wire.closed("dropped").await;
        let again = tokio::net::TcpListener::bind(address).await;
        assert!(again.is_ok(), "{again:?}");
    });
}

#[test]
fn a_client_that_never_says_connect_is_let_go() {
    run(async {
        let (broker, trace) = plain_broker().await;
        let mut wire = Wire::from_lab(&broker, &trace).await;
        wire.closed("silent").await;
        let closed = event_of(&trace, Source::Mqtt, "connection_closed").await;
        assert_eq!(closed["end"], "timed-out");
    });
}

#[test]
fn garbage_never_hurts_the_broker() {
    run(async {
        let (broker, _) = plain_broker().await;
        // A fixed seed: xorshift.
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for round in 0..300 {
            let mut wire = Wire::to(&broker).await;
            if round % 2 == 0 {
                wire.send(&connect("garbage")).await;
                wire.packet().await;
            }
            let mut bytes: Vec<u8> = (0..random() % 60).map(|_| random() as u8).collect();
            // Half of them with a length that fits, so that they are read to the end.
            if bytes.len() > 2 && round % 4 < 2 {
                bytes[1] = bytes.len() as u8 - 2;
            }
            wire.send(&bytes).await;
            wire.hang_up().await;
        }
        let mut wire = Wire::connected(&broker, "after").await;
        wire.quiet("after").await;
        broker.probe().await.unwrap();
    });
}

#[test]
fn a_probe_leaves_no_trace_and_is_blind_to_faults() {
    run(async {
        let (broker, trace) = plain_broker().await;
        let before = trace.len();
        broker.set_faults(cloud::Faults {
            connect: Reply::Never,
            connack: Some(5),
            withhold_messages: true,
            ..cloud::Faults::default()
        });
        for _ in 0..3 {
            broker.probe().await.unwrap();
        }
        assert_eq!(trace.len(), before);
    });
}
