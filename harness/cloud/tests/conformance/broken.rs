//! What no broker takes: packets against the standard, before CONNECT, as CONNECT and behind it.

use super::Ask;
use crate::support::peer::{Hello, Peer};
use crate::support::{packet, text};

/// Body of a packet with an identifier and, by level 5, no properties.
fn numbered(level: u8, id: u16, rest: &[u8]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    body.extend((level == 5).then_some(0));
    body.extend(rest);
    body
}

/// Body of a PUBLISH without an identifier.
fn message(level: u8, topic: impl AsRef<[u8]>) -> Vec<u8> {
    let mut body = text(topic);
    body.extend((level == 5).then_some(0));
    body
}

fn filter(filter: &str, options: u8) -> Vec<u8> {
    [&text(filter)[..], &[options]].concat()
}

/// Waits for the end of the connection; what says why may come before.
async fn ends(peer: &mut Peer, what: &str) {
    loop {
        match peer.soon(5).await {
            // A refusal in CONNACK, or DISCONNECT.
            Some(Some(got)) if [2, 14].contains(&got.kind()) => {}
            Some(None) => return,
            other => panic!("{what}: {other:?}"),
        }
    }
}

pub async fn a_packet_against_the_standard_ends_the_connection(ask: Ask) {
    let level = ask.level;
    let packets = [
        ("QoS 3", packet(0x36, &[&text(ask.name("t")), &[0, 1, 0]])),
        ("a message of QoS 1 with the identifier 0", {
            let mut body = text(ask.name("t"));
            body.extend(numbered(level, 0, b"x"));
            packet(0x32, &[&body])
        }),
        (
            "a topic with a wildcard",
            packet(0x30, &[&message(level, ask.name("+"))]),
        ),
        ("a topic without end", packet(0x30, &[&[0, 200, b't']])),
        (
            "a topic that is no UTF-8",
            packet(0x30, &[&message(level, b"t\xff")]),
        ),
        (
            "SUBSCRIBE with other flags",
            packet(0x80, &[&numbered(level, 1, &filter("t", 0))]),
        ),
        (
            "SUBSCRIBE without a filter",
            packet(0x82, &[&numbered(level, 1, &[])]),
        ),
        (
            "SUBSCRIBE for QoS 3",
            packet(0x82, &[&numbered(level, 1, &filter("t", 3))]),
        ),
        (
            "SUBSCRIBE with the identifier 0",
            packet(0x82, &[&numbered(level, 0, &filter("t", 0))]),
        ),
        (
            "UNSUBSCRIBE without a filter",
            packet(0xa2, &[&numbered(level, 1, &[])]),
        ),
        (
            "UNSUBSCRIBE with other flags",
            packet(0xa0, &[&numbered(level, 1, &text("t"))]),
        ),
        ("PUBREL with other flags", packet(0x60, &[&[0, 1]])),
        ("a CONNACK", packet(0x20, &[&[0, 0]])),
        ("a packet of type 0", packet(0x00, &[])),
        (
            "a length of five bytes",
            vec![0x30, 0xff, 0xff, 0xff, 0xff, 0x01],
        ),
    ];
    for (number, (what, bytes)) in packets.into_iter().enumerate() {
        let id = ask.name(&number.to_string());
        let (mut peer, _) = Peer::open(ask.broker, &Hello::new(level, &id)).await;
        peer.send(&bytes).await;
        ends(&mut peer, what).await;
    }
}

/// Some brokers refuse it alone, some end the connection.
pub async fn a_filter_against_the_standard_is_not_granted(ask: Ask) {
    for (number, wrong) in ["t/#/u", "t#", "t/u+", ""].into_iter().enumerate() {
        let id = ask.name(&number.to_string());
        let (mut peer, _) = Peer::open(ask.broker, &Hello::new(ask.level, &id)).await;
        let body = numbered(ask.level, 1, &filter(wrong, 0));
        peer.send(&packet(0x82, &[&body])).await;
        match peer.soon(5).await.expect("an answer") {
            Some(got) if got.kind() == 9 => assert!(got.codes[0] >= 0x80, "{wrong}: {got:?}"),
            Some(got) => assert_eq!(got.kind(), 14, "{wrong}: {got:?}"),
            None => {}
        }
    }
}

pub async fn a_connection_begins_with_connect(ask: Ask) {
    for (what, bytes) in [
        ("PINGREQ", packet(0xc0, &[])),
        (
            "PUBLISH",
            packet(0x30, &[&message(ask.level, ask.name("t")), b"x"]),
        ),
        (
            "SUBSCRIBE",
            packet(0x82, &[&numbered(ask.level, 1, &filter("t", 0))]),
        ),
        ("DISCONNECT", packet(0xe0, &[])),
    ] {
        let mut peer = Peer::silent(ask.broker, ask.level).await;
        peer.send(&bytes).await;
        ends(&mut peer, what).await;
    }
}

pub async fn a_connect_against_the_standard_is_not_accepted(ask: Ask) {
    let level = ask.level;
    let connect = |level: u8, flags: u8, rest: &[u8]| {
        let mut body = [&text("MQTT")[..], &[level, flags, 0, 0]].concat();
        body.extend((level == 5).then_some(0));
        packet(0x10, &[&body, &text(ask.name("c")), rest])
    };
    let will = |flags: u8| {
        let mut will = vec![0; usize::from(level == 5)];
        will.extend([&text("w")[..], &text("x")].concat());
        connect(level, flags, &will)
    };
    for (what, bytes) in [
        ("a level that there is not", connect(9, 2, &[])),
        ("the reserved flag", connect(level, 3, &[])),
        ("a will of QoS 3", will(0x1e)),
        ("QoS of a will that there is not", connect(level, 0x0a, &[])),
        (
            "retain of a will that there is not",
            connect(level, 0x22, &[]),
        ),
        ("a user name that is missing", connect(level, 0x82, &[])),
    ] {
        let mut peer = Peer::silent(ask.broker, level).await;
        peer.send(&bytes).await;
        match peer.soon(5).await {
            Some(None) => continue,
            Some(Some(got)) => assert!(got.kind() == 2 && got.codes != [0], "{what}: {got:?}"),
            None => panic!("{what}: nothing came of it"),
        }
        ends(&mut peer, what).await;
    }
}
