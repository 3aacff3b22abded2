//! Facts of MQTT 3.1.1 and 5.

use super::Ask;
use crate::support::peer::{Hello, Peer, pause};
use crate::support::{packet, text};

pub async fn messages_of_every_qos_come_to_their_sender(ask: Ask) {
    let (id, topic) = (ask.name("c"), ask.name("t"));
    let (mut peer, _) = Peer::open(ask.broker, &Hello::new(ask.level, &id)).await;
    assert_eq!(peer.subscribe(&[(&topic, 2)]).await, [2]);
    for qos in 0..=2 {
        peer.publish_with(&topic, &qos.to_string(), qos, 0, &[])
            .await;
        if qos == 2 {
            let id = 3_u16.to_be_bytes();
            peer.send(&packet(0x62, &[&id])).await;
        }
    }
    let got = peer.messages().await;
    let mut got: Vec<_> = got.iter().map(|m| (m.qos(), m.payload.as_str())).collect();
    got.sort_unstable();
    assert_eq!(got, [(0, "0"), (1, "1"), (2, "2")]);
}

pub async fn a_second_connect_ends_the_connection(ask: Ask) {
    let id = ask.name("c");
    let hello = Hello::new(ask.level, &id);
    let (mut peer, _) = Peer::open(ask.broker, &hello).await;
    peer.send(&hello.bytes()).await;
    if let Some(got) = peer.soon(5).await.expect("an end") {
        assert_eq!((got.head, got.codes[0]), (0xe0, 0x82));
        assert_eq!(peer.soon(5).await, Some(None));
    }
}

pub async fn another_protocol_is_refused(ask: Ask) {
    let mut peer = Peer::silent(ask.broker, ask.level).await;
    let head = [&text("hj")[..], &[ask.level, 2, 0, 0]].concat();
    peer.send(&packet(0x10, &[&head, &text(ask.name("c"))]))
        .await;
    assert_eq!(peer.soon(5).await, Some(None));
}

pub async fn retained_messages_come_to_a_later_subscriber_and_can_be_deleted(ask: Ask) {
    let (id, all) = (ask.name("c"), ask.name("+"));
    let (mut peer, _) = Peer::open(ask.broker, &Hello::new(ask.level, &id)).await;
    for qos in 0..=2 {
        let topic = ask.name(&qos.to_string());
        peer.publish(&topic, "kept", qos, 1, &[]).await;
    }
    peer.subscribe(&[(&all, 2)]).await;
    let got = peer.messages().await;
    let mut qoss: Vec<_> = got.iter().map(|m| m.qos()).collect();
    qoss.sort_unstable();
    assert_eq!(qoss, [0, 1, 2]);
    assert!(got.iter().all(|m| m.retain() && m.payload == "kept"));
    peer.unsubscribe(&[&all]).await;
    for qos in 0..=2 {
        let topic = ask.name(&qos.to_string());
        peer.publish(&topic, "", qos, 1, &[]).await;
    }
    peer.subscribe(&[(&all, 2)]).await;
    assert_eq!(peer.messages().await, []);
}

pub async fn a_will_comes_when_a_connection_breaks(ask: Ask) {
    let (watcher, broken, topic) = (ask.name("w"), ask.name("b"), ask.name("will"));
    let (mut watcher, _) = Peer::open(ask.broker, &Hello::new(ask.level, &watcher)).await;
    watcher.subscribe(&[(&topic, 2)]).await;
    let hello = Hello::new(ask.level, &broken).will(&topic, "gone");
    let (broken, _) = Peer::open(ask.broker, &hello).await;
    drop(broken);
    let got = watcher.soon(5).await.flatten().expect("the will");
    assert_eq!((got.payload.as_str(), got.retain()), ("gone", false));
}

pub async fn a_will_does_not_come_after_disconnect(ask: Ask) {
    let (watcher, polite, topic) = (ask.name("w"), ask.name("p"), ask.name("will"));
    let (mut watcher, _) = Peer::open(ask.broker, &Hello::new(ask.level, &watcher)).await;
    watcher.subscribe(&[(&topic, 2)]).await;
    let hello = Hello::new(ask.level, &polite).will(&topic, "gone");
    let (polite, _) = Peer::open(ask.broker, &hello).await;
    polite.leave(0, &[]).await;
    assert_eq!(watcher.messages().await, []);
}

pub async fn messages_wait_for_a_client_that_is_away(ask: Ask) {
    let (sleeper, speaker) = (ask.name("s"), ask.name("p"));
    let (all, topic) = (ask.name("t/+"), ask.name("t/x"));
    let kept = Hello::new(ask.level, &sleeper).kept();
    let (mut peer, connack) = Peer::open(ask.broker, &kept).await;
    assert!(!connack.session_present);
    peer.subscribe(&[(&all, 2)]).await;
    peer.leave(0, &[]).await;
    let (mut other, _) = Peer::open(ask.broker, &Hello::new(ask.level, &speaker)).await;
    for qos in 0..=2 {
        other.publish(&topic, &qos.to_string(), qos, 0, &[]).await;
    }
    let (mut peer, connack) = Peer::open(ask.broker, &kept).await;
    assert!(connack.session_present);
    let got = peer.messages().await;
    // Those of QoS 0 may be kept too.
    let got: Vec<_> = got.iter().filter(|m| m.qos() > 0).collect();
    let got: Vec<_> = got.iter().map(|m| (m.qos(), m.payload.as_str())).collect();
    assert_eq!(got, [(1, "1"), (2, "2")]);
}

pub async fn overlapping_subscriptions_give_the_best_qos(ask: Ask) {
    let id = ask.name("c");
    let (wide, narrow, topic) = (ask.name("#"), ask.name("+"), ask.name("t"));
    let (mut peer, _) = Peer::open(ask.broker, &Hello::new(ask.level, &id)).await;
    peer.subscribe(&[(&wide, 2), (&narrow, 1)]).await;
    let other = ask.name("p");
    let (mut other, _) = Peer::open(ask.broker, &Hello::new(ask.level, &other)).await;
    other.publish(&topic, "x", 2, 0, &[]).await;
    let got = peer.messages().await;
    let mut qoss: Vec<_> = got.iter().map(|m| m.qos()).collect();
    qoss.sort_unstable();
    // One message at the best QoS, or one for each subscription.
    assert!(qoss == [2] || qoss == [1, 2], "{qoss:?}");
}

pub async fn silence_ends_a_connection_and_its_will_comes(ask: Ask) {
    let (watcher, silent, topic) = (ask.name("w"), ask.name("s"), ask.name("will"));
    let (mut watcher, _) = Peer::open(ask.broker, &Hello::new(ask.level, &watcher)).await;
    watcher.subscribe(&[(&topic, 0)]).await;
    let hello = Hello {
        keep_alive: 2,
        ..Hello::new(ask.level, &silent).will(&topic, "silent")
    };
    let (mut silent, _) = Peer::open(ask.broker, &hello).await;
    pause(1500).await;
    assert_eq!(watcher.messages().await, []);
    let got = watcher.soon(10).await.flatten().expect("the will");
    assert_eq!(got.payload, "silent");
    if let Some(got) = silent.soon(5).await.expect("an end") {
        assert_eq!((got.head, got.codes[0]), (0xe0, 0x8d));
    }
}

pub async fn what_was_not_acknowledged_comes_again(ask: Ask) {
    let (id, other, topic) = (ask.name("c"), ask.name("p"), ask.name("t"));
    let kept = Hello::new(ask.level, &id).kept();
    let (mut peer, _) = Peer::open(ask.broker, &kept).await;
    peer.subscribe(&[(&topic, 2)]).await;
    let (mut other, _) = Peer::open(ask.broker, &Hello::new(ask.level, &other)).await;
    for qos in [1, 2] {
        other.publish(&topic, "again", qos, 0, &[]).await;
        let got = peer.soon(5).await.flatten().expect("a message");
        assert_eq!((got.qos(), got.duplicate()), (qos, false));
    }
    drop(peer);
    pause(300).await;
    let (mut peer, connack) = Peer::open(ask.broker, &kept).await;
    assert!(connack.session_present);
    let got = peer.messages().await;
    let got: Vec<_> = got.iter().map(|m| (m.qos(), m.duplicate())).collect();
    assert_eq!(got, [(1, true), (2, true)]);
}

pub async fn wildcards_do_not_reach_topics_with_a_dollar(ask: Ask) {
    let (id, name) = (ask.name("c"), ask.name("t"));
    let (topic, filter) = (format!("$x/{name}"), format!("+/{name}"));
    let (mut peer, _) = Peer::open(ask.broker, &Hello::new(ask.level, &id)).await;
    peer.subscribe(&[(&filter, 2)]).await;
    peer.publish(&topic, "x", 1, 0, &[]).await;
    assert_eq!(peer.messages().await, []);
}

pub async fn what_was_unsubscribed_does_not_come(ask: Ask) {
    let (id, other) = (ask.name("c"), ask.name("p"));
    let topics = ["0", "1", "2"].map(|topic| ask.name(topic));
    let (mut peer, _) = Peer::open(ask.broker, &Hello::new(ask.level, &id)).await;
    for topic in &topics {
        peer.subscribe(&[(topic, 2)]).await;
    }
    peer.unsubscribe(&[&topics[0]]).await;
    let (mut other, _) = Peer::open(ask.broker, &Hello::new(ask.level, &other)).await;
    for topic in &topics {
        other.publish(topic, "x", 1, 0, &[]).await;
    }
    let got = peer.messages().await;
    let got: Vec<_> = got.iter().map(|m| m.topic.as_str()).collect();
    assert_eq!(got, &topics[1..]);
}

pub async fn another_connection_takes_over(ask: Ask) {
    let id = ask.name("c");
    let hello = Hello::new(ask.level, &id);
    let (mut first, _) = Peer::open(ask.broker, &hello).await;
    let (mut second, _) = Peer::open(ask.broker, &hello).await;
    if let Some(got) = first.soon(5).await.expect("an end") {
        assert_eq!((got.head, got.codes[0]), (0xe0, 0x8e));
    }
    second.send(&[0xc0, 0]).await;
    assert_eq!(second.soon(5).await.flatten().unwrap().head, 0xd0);
}

pub async fn an_empty_client_id_needs_a_clean_session_before_5(ask: Ask) {
    let hello = Hello::new(ask.level, "");
    let (_, clean) = Peer::greet(ask.broker, &hello).await;
    assert_eq!(clean.unwrap().codes, [0]);
    if ask.level < 5 {
        let (_, kept) = Peer::greet(ask.broker, &hello.kept()).await;
        assert_eq!(kept.unwrap().codes, [2]);
    }
}

pub async fn a_message_of_qos_2_that_is_sent_twice_comes_once(ask: Ask) {
    let (watcher, id, topic) = (ask.name("w"), ask.name("c"), ask.name("t"));
    let (mut watcher, _) = Peer::open(ask.broker, &Hello::new(ask.level, &watcher)).await;
    watcher.subscribe(&[(&topic, 0)]).await;
    let (mut peer, _) = Peer::open(ask.broker, &Hello::new(ask.level, &id)).await;
    for dup in [0, 1] {
        let properties = vec![0; usize::from(ask.level == 5)];
        let publish = packet(
            0x34 | dup << 3,
            &[&text(&topic), &[0, 7], &properties, b"x"],
        );
        peer.send(&publish).await;
        let got = peer.soon(5).await.flatten().expect("PUBREC");
        assert_eq!((got.kind(), got.id), (5, 7));
    }
    // A release that is sent twice is answered twice: the answer may have been lost.
    for _ in 0..2 {
        peer.send(&packet(0x62, &[&[0, 7]])).await;
        let got = peer.soon(5).await.flatten().expect("PUBCOMP");
        assert_eq!((got.kind(), got.id), (7, 7));
    }
    let got = watcher.messages().await;
    let got: Vec<_> = got.iter().map(|m| m.payload.as_str()).collect();
    assert_eq!(got, ["x"]);
}

pub async fn messages_come_in_order(ask: Ask) {
    let (id, topic) = (ask.name("c"), ask.name("t"));
    let (mut peer, _) = Peer::open(ask.broker, &Hello::new(ask.level, &id)).await;
    peer.subscribe(&[(&topic, 2)]).await;
    for number in 0..15 {
        peer.publish_with(&topic, &number.to_string(), 1, 0, &[])
            .await;
    }
    let got = peer.messages().await;
    let got: Vec<_> = got.iter().map(|m| m.payload.clone()).collect();
    let wanted: Vec<_> = (0..15).map(|number| number.to_string()).collect();
    assert_eq!(got, wanted);
}

pub async fn a_retained_will_waits_for_later_subscribers(ask: Ask) {
    let (broken, late, topic) = (ask.name("b"), ask.name("l"), ask.name("will"));
    let mut hello = Hello::new(ask.level, &broken).will(&topic, "gone").bytes();
    // Behind the name of the protocol and its level stand the flags; this one has the will retained.
    let name = hello.windows(4).position(|four| four == b"MQTT").unwrap();
    hello[name + 5] |= 0x20;
    let mut peer = Peer::silent(ask.broker, ask.level).await;
    peer.send(&hello).await;
    assert_eq!(peer.soon(5).await.flatten().expect("CONNACK").kind(), 2);
    drop(peer);
    pause(500).await;
    let (mut late, _) = Peer::open(ask.broker, &Hello::new(ask.level, &late)).await;
    late.subscribe(&[(&topic, 1)]).await;
    let got = late.messages().await;
    assert_eq!(got.len(), 1);
    assert!(got[0].retain() && got[0].payload == "gone");
}

pub async fn a_clean_session_forgets_what_was_subscribed(ask: Ask) {
    let (id, topic) = (ask.name("c"), ask.name("t"));
    let (mut first, _) = Peer::open(ask.broker, &Hello::new(ask.level, &id).kept()).await;
    first.subscribe(&[(&topic, 1)]).await;
    first.leave(0, &[]).await;
    let (again, connack) = Peer::open(ask.broker, &Hello::new(ask.level, &id).kept()).await;
    assert_eq!(connack.codes.first(), Some(&0));
    again.leave(0, &[]).await;
    let (clean, _) = Peer::open(ask.broker, &Hello::new(ask.level, &id)).await;
    clean.leave(0, &[]).await;
    let (mut last, _) = Peer::open(ask.broker, &Hello::new(ask.level, &id)).await;
    last.publish_with(&topic, "x", 1, 0, &[]).await;
    assert_eq!(last.messages().await, []);
}

pub async fn a_subscription_is_replaced_and_its_retained_message_comes_again(ask: Ask) {
    let (id, topic) = (ask.name("c"), ask.name("t"));
    let (mut peer, _) = Peer::open(ask.broker, &Hello::new(ask.level, &id)).await;
    peer.publish(&topic, "kept", 1, 1, &[]).await;
    for qos in [1, 0] {
        assert_eq!(peer.subscribe(&[(&topic, qos)]).await, [qos]);
        let got = peer.messages().await;
        let got: Vec<_> = got.iter().map(|m| (m.qos(), m.retain())).collect();
        assert_eq!(got, [(qos, true)]);
    }
    peer.publish_with(&topic, "new", 1, 0, &[]).await;
    let got = peer.messages().await;
    let got: Vec<_> = got.iter().map(|m| (m.qos(), m.retain())).collect();
    assert_eq!(got, [(0, false)]);
}

pub async fn acknowledgements_of_nothing_do_no_harm(ask: Ask) {
    let id = ask.name("c");
    let (mut peer, _) = Peer::open(ask.broker, &Hello::new(ask.level, &id)).await;
    peer.send(&packet(0x40, &[&[0, 9]])).await;
    peer.send(&packet(0xc0, &[])).await;
    let got = peer.soon(5).await.flatten().expect("PINGRESP");
    assert_eq!(got.head, 0xd0);
}
