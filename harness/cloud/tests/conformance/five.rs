//! Facts of MQTT 5 alone.

use super::{Ask, KEEP_ALIVE, RECEIVE};
use crate::support::packet;
use crate::support::peer::*;

const SHORT: u64 = 1500;

async fn open(ask: &Ask, id: &str) -> Peer {
    let id = ask.name(id);
    Peer::open(ask.broker, &Hello::new(5, &id)).await.0
}

pub async fn a_session_lasts_as_long_as_it_was_to(ask: Ask) {
    let id = ask.name("c");
    let hello = |expiry, clean| Hello {
        clean,
        ..Hello::new(5, &id).with(Prop::Long(SESSION_EXPIRY, expiry))
    };
    let present = async |hello| Peer::open(ask.broker, &hello).await;
    let (peer, connack) = present(hello(0, true)).await;
    assert!(!connack.session_present);
    peer.leave(0, &[]).await;
    let (peer, connack) = present(hello(0, false)).await;
    assert!(!connack.session_present, "it ended with its connection");
    peer.leave(0, &[]).await;
    let (peer, _) = present(hello(2, true)).await;
    peer.leave(0, &[]).await;
    let (peer, connack) = present(hello(2, false)).await;
    assert!(connack.session_present, "it lasts 2 s");
    peer.leave(0, &[]).await;
    pause(3500).await;
    let (peer, connack) = present(hello(1, false)).await;
    assert!(!connack.session_present, "it lasted 2 s");
    // DISCONNECT makes it longer.
    peer.leave(0, &[Prop::Long(SESSION_EXPIRY, 30)]).await;
    pause(2500).await;
    let (peer, connack) = present(hello(1, false)).await;
    assert!(connack.session_present, "it lasts 30 s");
    peer.leave(0, &[Prop::Long(SESSION_EXPIRY, 0)]).await;
    let (_, connack) = present(hello(0, false)).await;
    assert!(!connack.session_present, "DISCONNECT ended it");
}

async fn goes_through(ask: &Ask, props: &[Prop]) {
    let topic = ask.name("t");
    let mut peer = open(ask, "c").await;
    peer.subscribe(&[(&topic, 2)]).await;
    let mut other = open(ask, "p").await;
    for qos in 0..=2 {
        other.publish(&topic, "x", qos, 0, props).await;
    }
    let got = peer.messages().await;
    assert_eq!(got.len(), 3);
    for message in got {
        let mut sorted = message.props.clone();
        sorted.sort_by_key(|prop| format!("{prop:?}"));
        assert_eq!(sorted, props, "{message:?}");
    }
}

pub async fn user_properties_go_through_at_every_qos(ask: Ask) {
    goes_through(&ask, &[user("a", "2"), user("c", "3")]).await;
}

pub async fn payload_format_and_content_type_go_through(ask: Ask) {
    goes_through(
        &ask,
        &[
            Prop::Byte(PAYLOAD_FORMAT, 1),
            named(CONTENT_TYPE, "My name"),
        ],
    )
    .await;
}

pub async fn a_message_that_has_expired_does_not_come(ask: Ask) {
    let (id, topic) = (ask.name("c"), ask.name("t"));
    let kept = Hello::new(5, &id).kept();
    let (mut peer, _) = Peer::open(ask.broker, &kept).await;
    peer.subscribe(&[(&topic, 2)]).await;
    peer.leave(0, &[]).await;
    let mut other = open(&ask, "p").await;
    for qos in [1, 2] {
        let expiry = |s| [Prop::Long(MESSAGE_EXPIRY, s)];
        other.publish(&topic, "old", qos, 0, &expiry(1)).await;
        other.publish(&topic, "good", qos, 0, &expiry(60)).await;
    }
    pause(2500).await;
    let (mut peer, _) = Peer::open(ask.broker, &kept).await;
    let got = peer.messages().await;
    assert_eq!(got.len(), 2, "{got:?}");
    for message in got {
        assert_eq!(message.payload, "good");
        let left = message.number(MESSAGE_EXPIRY).unwrap();
        assert!((50..=58).contains(&left), "{left}");
    }
}

pub async fn own_messages_can_be_left_out(ask: Ask) {
    let topic = ask.name("t");
    let (mut one, mut two) = (open(&ask, "1").await, open(&ask, "2").await);
    one.subscribe(&[(&topic, 2 | 4)]).await;
    two.subscribe(&[(&topic, 2 | 4)]).await;
    one.publish(&topic, "x", 1, 0, &[]).await;
    assert_eq!(two.messages().await.len(), 1);
    assert_eq!(one.messages().await, []);
}

pub async fn retain_can_be_kept_as_published(ask: Ask) {
    let topics = ["as", "not"].map(|topic| ask.name(topic));
    let mut peer = open(&ask, "c").await;
    peer.subscribe(&[(&topics[0], 2 | 8), (&topics[1], 2)])
        .await;
    let mut other = open(&ask, "p").await;
    for topic in &topics {
        for flags in [0, 1] {
            other.publish(topic, "x", 1, flags, &[]).await;
        }
    }
    let got = peer.messages().await;
    let got: Vec<_> = got.iter().map(|m| m.retain()).collect();
    assert_eq!(got, [false, true, false, false]);
}

pub async fn retained_messages_come_as_the_subscription_wants(ask: Ask) {
    let (all, topic) = (ask.name("+"), ask.name("t"));
    open(&ask, "p").await.publish(&topic, "x", 1, 1, &[]).await;
    for (handling, first, then) in [(0, 1, 1), (1, 1, 0), (2, 0, 0)] {
        let mut peer = open(&ask, "c").await;
        for expected in [first, then] {
            peer.subscribe(&[(&all, 2 | handling << 4)]).await;
            let got = peer.messages().await;
            assert_eq!(got.len(), expected, "retain handling {handling}");
        }
        peer.leave(0, &[]).await;
    }
}

pub async fn a_client_id_is_assigned(ask: Ask) {
    let (_, connack) = Peer::open(ask.broker, &Hello::new(5, "")).await;
    assert!(!connack.named(ASSIGNED_ID).unwrap().is_empty());
}

pub async fn subscription_identifiers_come_with_messages(ask: Ask) {
    let (topic, below) = (ask.name("t"), ask.name("t/#"));
    let (mut one, mut two) = (open(&ask, "1").await, open(&ask, "2").await);
    one.subscribe_with(&[(&topic, 2)], &[Prop::Variable(SUBSCRIPTION_ID, 4567)])
        .await;
    two.subscribe_with(&[(&topic, 2)], &[Prop::Variable(SUBSCRIPTION_ID, 2)])
        .await;
    two.subscribe_with(&[(&below, 2)], &[Prop::Variable(SUBSCRIPTION_ID, 3)])
        .await;
    open(&ask, "p").await.publish(&topic, "x", 1, 0, &[]).await;
    let ids = |got: Vec<Got>| {
        let props = got.into_iter().flat_map(|message| message.props);
        let mut ids: Vec<_> = props
            .filter_map(|prop| match prop {
                Prop::Variable(SUBSCRIPTION_ID, id) => Some(id),
                _ => None,
            })
            .collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids(one.messages().await), [4567]);
    assert_eq!(ids(two.messages().await), [2, 3]);
}

pub async fn a_request_has_a_response_topic(ask: Ask) {
    let topic = ask.name("t");
    let request = [named(RESPONSE_TOPIC, &topic), named(CORRELATION, "334")];
    let (mut one, mut two) = (open(&ask, "1").await, open(&ask, "2").await);
    one.subscribe(&[(&topic, 2 | 4)]).await;
    two.subscribe(&[(&topic, 2 | 4)]).await;
    one.publish(&topic, "request", 1, 0, &request).await;
    let got = two.messages().await;
    assert_eq!(got[0].named(RESPONSE_TOPIC), Some(topic.as_str()));
    assert_eq!(got[0].named(CORRELATION), Some("334"));
    two.publish(&topic, "response", 1, 0, &got[0].props).await;
    assert_eq!(one.messages().await[0].named(CORRELATION), Some("334"));
}

pub async fn topic_aliases_of_clients_hold_for_one_connection(ask: Ask) {
    let (id, topic) = (ask.name("c"), ask.name("t"));
    let kept = Hello::new(5, &id).kept();
    let (mut peer, connack) = Peer::open(ask.broker, &kept).await;
    assert!(connack.number(ALIAS_MAXIMUM).unwrap() > 0);
    peer.subscribe(&[(&topic, 0)]).await;
    let alias = [Prop::Short(ALIAS, 1)];
    peer.publish_with(&topic, "one", 0, 0, &alias).await;
    peer.publish_with("", "two", 0, 0, &alias).await;
    let got = peer.messages().await;
    let got: Vec<_> = got.iter().map(|m| (m.topic.clone(), &*m.payload)).collect();
    assert_eq!(got, [(topic.clone(), "one"), (topic.clone(), "two")]);
    peer.leave(0, &[]).await;
    let (mut peer, _) = Peer::open(ask.broker, &kept).await;
    peer.publish_with("", "three", 1, 0, &alias).await;
    let got = peer.soon(5).await.expect("an end").unwrap();
    assert_eq!(got.head, 0xe0, "{got:?}");
}

pub async fn alias_0_ends_the_connection(ask: Ask) {
    let mut peer = open(&ask, "c").await;
    let alias = [Prop::Short(ALIAS, 0)];
    peer.publish_with(&ask.name("t"), "x", 1, 0, &alias).await;
    let got = peer.soon(5).await.expect("an end").unwrap();
    // By its own code, or as a packet that is malformed.
    assert_eq!(got.head, 0xe0);
    assert!([0x94, 0x81].contains(&got.codes[0]), "{got:?}");
}

pub async fn too_large_messages_do_not_come(ask: Ask) {
    let (id, topic) = (ask.name("c"), "too/large");
    let hello = Hello::new(5, &id).with(Prop::Long(PACKET_MAXIMUM, 64));
    let (mut peer, _) = Peer::open(ask.broker, &hello).await;
    peer.subscribe(&[(topic, 2)]).await;
    let mut other = open(&ask, "p").await;
    other.publish(topic, &".".repeat(30), 0, 0, &[]).await;
    assert_eq!(peer.messages().await.len(), 1);
    for qos in [0, 1, 2] {
        other.publish(topic, &".".repeat(64), qos, 0, &[]).await;
    }
    assert_eq!(peer.messages().await, []);
    other.publish(topic, "small", 1, 0, &[]).await;
    assert_eq!(peer.messages().await.len(), 1);
}

pub async fn the_longest_keep_alive_is_told(ask: Ask) {
    let id = ask.name("c");
    let hello = |keep_alive| Hello {
        keep_alive,
        ..Hello::new(5, &id)
    };
    let (_, connack) = Peer::open(ask.broker, &hello(120)).await;
    assert_eq!(connack.number(SERVER_KEEP_ALIVE), Some(KEEP_ALIVE.into()));
    let (_, connack) = Peer::open(ask.broker, &hello(10)).await;
    assert_eq!(connack.number(SERVER_KEEP_ALIVE), None);
}

pub async fn no_more_messages_come_than_the_receive_maximum(ask: Ask) {
    let (id, topic) = (ask.name("c"), ask.name("t"));
    let hello = Hello::new(5, &id).with(Prop::Short(RECEIVE_MAXIMUM, 2));
    let (mut peer, _) = Peer::open(ask.broker, &hello).await;
    peer.subscribe(&[(&topic, 1)]).await;
    let mut other = open(&ask, "p").await;
    for number in 1..=3 {
        other.publish(&topic, &number.to_string(), 1, 0, &[]).await;
    }
    let one = peer.soon(5).await.flatten().unwrap();
    let two = peer.soon(5).await.flatten().unwrap();
    assert_eq!((&*one.payload, &*two.payload), ("1", "2"));
    assert_eq!(
        within(std::time::Duration::from_millis(400), peer.next()).await,
        None
    );
    peer.send(&packet(0x40, &[&one.id.to_be_bytes()])).await;
    let three = peer.soon(5).await.flatten().unwrap();
    assert_eq!(three.payload, "3");
}

pub async fn too_many_unreleased_messages_end_the_connection(ask: Ask) {
    let id = ask.name("c");
    let (mut peer, connack) = Peer::open(ask.broker, &Hello::new(5, &id)).await;
    assert_eq!(connack.number(RECEIVE_MAXIMUM), Some(RECEIVE.into()));
    for _ in 0..=RECEIVE {
        peer.publish_with(&ask.name("t"), "x", 2, 0, &[]).await;
    }
    for _ in 0..=RECEIVE {
        let got = peer.soon(5).await.flatten().unwrap();
        if got.kind() != 5 {
            assert_eq!((got.head, got.codes), (0xe0, vec![0x93]));
            return;
        }
    }
    panic!("the connection goes on");
}

/// A client whose connection breaks: its will is delayed by so much, its session lasts so long.
async fn broken(ask: &Ask, delay: u32, expiry: u32) -> (Peer, String) {
    let (id, topic) = (ask.name("b"), ask.name("will"));
    let mut watcher = open(ask, "w").await;
    watcher.subscribe(&[(&topic, 0)]).await;
    let mut hello = Hello::new(5, &id).will(&topic, "gone");
    hello.props = vec![Prop::Long(SESSION_EXPIRY, expiry)];
    if let Some((_, _, props)) = &mut hello.will {
        *props = vec![Prop::Long(WILL_DELAY, delay)];
    }
    drop(Peer::open(ask.broker, &hello).await);
    (watcher, id)
}

pub async fn a_will_can_be_delayed(ask: Ask) {
    let (mut watcher, _) = broken(&ask, 3, 30).await;
    assert_eq!(
        within(std::time::Duration::from_millis(SHORT), watcher.next()).await,
        None
    );
    assert_eq!(watcher.soon(6).await.flatten().unwrap().payload, "gone");
}

pub async fn a_delayed_will_comes_when_its_session_ends(ask: Ask) {
    let (mut watcher, _) = broken(&ask, 60, 2).await;
    assert_eq!(
        within(std::time::Duration::from_millis(SHORT / 2), watcher.next()).await,
        None
    );
    assert_eq!(watcher.soon(6).await.flatten().unwrap().payload, "gone");
}

pub async fn a_session_that_goes_on_has_no_delayed_will(ask: Ask) {
    let (mut watcher, id) = broken(&ask, 2, 30).await;
    let hello = Hello::new(5, &id).kept();
    let (_peer, connack) = Peer::open(ask.broker, &hello).await;
    assert!(connack.session_present);
    assert_eq!(
        within(std::time::Duration::from_millis(3500), watcher.next()).await,
        None
    );
}

pub async fn disconnect_with_will_sends_it(ask: Ask) {
    let (id, topic) = (ask.name("b"), ask.name("will"));
    let mut watcher = open(&ask, "w").await;
    watcher.subscribe(&[(&topic, 0)]).await;
    let hello = Hello::new(5, &id).will(&topic, "gone");
    Peer::open(ask.broker, &hello).await.0.leave(4, &[]).await;
    assert_eq!(watcher.soon(5).await.flatten().unwrap().payload, "gone");
}

pub async fn shared_subscriptions_share(ask: Ask) {
    let topic = ask.name("t");
    let filter = format!("$share/{}/{topic}", ask.own.replace('/', "-"));
    let (mut one, mut two) = (open(&ask, "1").await, open(&ask, "2").await);
    assert_eq!(one.subscribe(&[(&filter, 1)]).await, [1]);
    assert_eq!(two.subscribe(&[(&filter, 1)]).await, [1]);
    let mut other = open(&ask, "p").await;
    for number in 0..4 {
        other.publish(&topic, &number.to_string(), 1, 0, &[]).await;
    }
    let (one, two) = (one.messages().await, two.messages().await);
    assert_eq!((one.len(), two.len()), (2, 2), "they take turns");
}

pub async fn unsuback_says_what_there_was(ask: Ask) {
    let (topic, never) = (ask.name("t"), ask.name("never"));
    let mut peer = open(&ask, "c").await;
    peer.subscribe(&[(&topic, 1)]).await;
    assert_eq!(peer.unsubscribe(&[&topic, &never]).await, [0, 0x11]);
}

pub async fn enhanced_authentication_is_refused(ask: Ask) {
    let id = ask.name("c");
    let hello = Hello::new(5, &id).with(named(AUTH_METHOD, "SCRAM-SHA-1"));
    let (_, refused) = Peer::greet(ask.broker, &hello).await;
    assert_eq!(refused.unwrap().codes, [0x8c]);
}

pub async fn a_reset_session_expiry_ends_a_session_with_its_connection(ask: Ask) {
    let mut peer = open(&ask, "c").await;
    // It was to end with its connection, and that cannot be changed.
    let longer = [&[0][..], &block(&[Prop::Long(SESSION_EXPIRY, 5)])].concat();
    peer.send(&packet(0xe0, &[&longer])).await;
    let got = peer.soon(5).await.expect("an end").unwrap();
    assert_eq!((got.head, got.codes), (0xe0, vec![0x82]));
}
