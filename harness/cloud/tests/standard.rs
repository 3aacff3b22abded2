//! What the standard demands of a broker, one connection at a time, byte by byte.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod support;

use support::*;

/// What happens on one connection.
enum Act {
    Send(Vec<u8>),
    /// Exactly this is the next packet.
    Get(Vec<u8>),
    Closed,
}
use Act::{Closed, Get, Send};

const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

fn greeting() -> Vec<Act> {
    vec![Send(connect("c")), Get(CONNACK.to_vec())]
}

/// Behind CONNECT and CONNACK.
fn then(acts: impl IntoIterator<Item = Act>) -> Vec<Act> {
    let mut all = greeting();
    all.extend(acts);
    all
}

fn refused(bytes: impl Into<Vec<u8>>) -> Vec<Act> {
    then([Send(bytes.into()), Closed])
}

fn greeted(bytes: Vec<u8>) -> Vec<Act> {
    vec![Send(bytes), Get(CONNACK.to_vec())]
}

fn connack(code: u8, bytes: Vec<u8>) -> Vec<Act> {
    vec![Send(bytes), Get(vec![0x20, 2, 0, code]), Closed]
}

fn connecting() -> Vec<(&'static str, Vec<Act>)> {
    let mqisdp = packet(0x10, &[&text("MQIsdp"), &[3, 2, 0, 60], &text("esp")]);
    let six = packet(0x10, &[&text("MQTT"), &[6, 2, 0, 0, 0], &text("c")]);
    let will =
        |flags: u8, topic: &str| connect_with(flags, 0, &[&text("c"), &text(topic), &text("gone")]);
    vec![
        ("keep-alive 0", greeted(connect_with(2, 0, &[&text("c")]))),
        ("a client id with / + # $", greeted(connect("a/b+c#d$e"))),
        (
            "a client id of Alibaba",
            greeted(connect("pk.dn|securemode=2,signmethod=hmacsha1|")),
        ),
        (
            "a client id of 60 000 bytes",
            greeted(connect(&"x".repeat(60_000))),
        ),
        (
            "a binary password",
            greeted(connect_with(
                0xc2,
                0,
                &[&text("c"), &text("u"), &text([0xff, 0, 0xfe])],
            )),
        ),
        (
            "an empty password",
            greeted(connect_with(0xc2, 0, &[&text("c"), &text("u"), &text("")])),
        ),
        (
            "a user name without a password",
            greeted(connect_with(0x82, 0, &[&text("c"), &text("u")])),
        ),
        ("MQTT 3.1", greeted(mqisdp)),
        (
            // MQTT 3.1 §3.1: valid, and to be let in.
            "MQTT 3.1 with the flag of a user name and none",
            greeted(packet(
                0x10,
                &[&text("MQIsdp"), &[3, 0xc2, 0, 60], &text("esp")],
            )),
        ),
        (
            "MQTT 3.1 without a client id",
            connack(
                2,
                packet(0x10, &[&text("MQIsdp"), &[3, 2, 0, 60], &text("")]),
            ),
        ),
        (
            "MQTT 3.1 with a clean flag of 0 is told nothing of its session",
            greeted(packet(
                0x10,
                &[&text("MQIsdp"), &[3, 0, 0, 60], &text("esp")],
            )),
        ),
        (
            "an empty client id with a clean session",
            greeted(connect("")),
        ),
        (
            "an empty client id without a clean session",
            connack(2, connect_with(0, 0, &[&text("")])),
        ),
        ("MQTT 6", connack(1, six)),
        (
            "level 4 under the name of 3.1",
            connack(
                1,
                packet(0x10, &[&text("MQIsdp"), &[4, 2, 0, 0], &text("c")]),
            ),
        ),
        (
            "another protocol",
            vec![
                Send(packet(0x10, &[&text("HTTP"), &[4, 2, 0, 0], &text("c")])),
                Closed,
            ],
        ),
        (
            "the reserved flag of CONNECT",
            vec![Send(connect_with(0x03, 0, &[&text("c")])), Closed],
        ),
        (
            "a password without a user name",
            vec![
                Send(connect_with(0x42, 0, &[&text("c"), &text("p")])),
                Closed,
            ],
        ),
        ("a will", greeted(will(0x06, "w"))),
        ("a will of QoS 3", vec![Send(will(0x1e, "w")), Closed]),
        (
            "a will to a wildcard",
            vec![Send(will(0x06, "w/#")), Closed],
        ),
        (
            "flags of a will without one",
            vec![Send(connect_with(0x22, 0, &[&text("c")])), Closed],
        ),
        ("a client id with NUL", vec![Send(connect("a\0")), Closed]),
        (
            "a client id that is not UTF-8",
            vec![Send(connect_with(2, 0, &[&text([0xc3, 0x28])])), Closed],
        ),
        (
            "CONNECT cut in its client id",
            vec![Send(connect_with(2, 0, &[&[0, 9, b'c']])), Closed],
        ),
        (
            "bytes behind the client id",
            vec![Send(connect_with(2, 0, &[&text("c"), b"x"])), Closed],
        ),
        ("another first packet", vec![Send(vec![0xc0, 0]), Closed]),
        (
            "an endless length",
            vec![Send(vec![0x10, 0xff, 0xff, 0xff, 0xff, 1]), Closed],
        ),
        (
            "a packet of 256 MB",
            vec![Send(vec![0x10, 0xff, 0xff, 0xff, 0x7f]), Closed],
        ),
    ]
}

fn talking() -> Vec<(&'static str, Vec<Act>)> {
    let ping = || [Send(vec![0xc0, 0]), Get(vec![0xd0, 0])];
    vec![
        ("PINGREQ", then(ping())),
        ("a second CONNECT", refused(connect("c"))),
        ("DISCONNECT", refused([0xe0, 0])),
        ("a packet of type 0", refused([0x00, 0])),
        ("a packet of type 15", refused([0xf0, 0])),
        ("PINGREQ with flags", refused([0xc1, 0])),
        ("a packet that only brokers send", refused([0xd0, 0])),
        ("QoS 3", refused(publish_with_id(3, 1, "t", "x"))),
        ("a duplicate of QoS 0", refused(packet(0x38, &[&text("t")]))),
        ("a message to a wildcard", refused(publish("a/+/b", "x"))),
        ("a message to nowhere", refused(publish("", "x"))),
        (
            "a message to a topic with NUL",
            refused(publish("a\0b", "x")),
        ),
        (
            "packet identifier 0",
            refused(publish_with_id(1, 0, "t", "x")),
        ),
        (
            "a topic that is not UTF-8",
            refused(packet(0x30, &[&text([0xff]), b"x"])),
        ),
        ("SUBSCRIBE without a filter", refused(subscribe(1, &[]))),
        (
            "a subscription of QoS 3",
            refused(subscribe(1, &[("a", 3)])),
        ),
        (
            "SUBSCRIBE without its flag",
            refused(packet(0x80, &[&[0, 1], &text("a"), &[0]])),
        ),
        ("UNSUBSCRIBE without a filter", refused(unsubscribe(1, &[]))),
        (
            "a bad filter among good ones",
            then([
                Send(subscribe(
                    1,
                    &[("a/#/b", 1), ("a/#", 1), ("", 0), ("b+", 2)],
                )),
                Get(suback(1, &[0x80, 1, 0x80, 0x80])),
            ]),
        ),
        (
            "SUBSCRIBE to $SYS/#",
            then([Send(subscribe(1, &[("$SYS/#", 0)])), Get(suback(1, &[0]))]),
        ),
        (
            "a filter that looks like a shared one is a plain one",
            then([
                Send(subscribe(1, &[("$share/g/t", 0)])),
                Get(suback(1, &[0])),
                Send(publish("$share/g/t", "x")),
                Get(publish("$share/g/t", "x")),
            ]),
        ),
        (
            "UNSUBSCRIBE of an unknown filter",
            then([Send(unsubscribe(7, &["never"])), Get(with_id(0xb0, 7))]),
        ),
        (
            "UNSUBSCRIBE of two filters is answered once",
            then(
                [
                    Send(subscribe(1, &[("a", 0), ("b", 0)])),
                    Get(suback(1, &[0, 0])),
                    Send(unsubscribe(2, &["a", "b"])),
                    Get(with_id(0xb0, 2)),
                ]
                .into_iter()
                .chain(ping()),
            ),
        ),
        (
            "PUBREL of an unknown identifier",
            then([Send(with_id(0x62, 9)), Get(with_id(0x70, 9))]),
        ),
        (
            "acknowledgements of what was never sent",
            then(
                [Send(with_id(0x40, 9)), Send(with_id(0x70, 9))]
                    .into_iter()
                    .chain(ping()),
            ),
        ),
        (
            "PUBREC of what was never sent",
            then([Send(with_id(0x50, 9)), Get(with_id(0x62, 9))]),
        ),
        ("PUBREL without its flag", refused(with_id(0x60, 9))),
        (
            "QoS 0 to itself",
            then([
                Send(subscribe(1, &[("t", 0)])),
                Get(suback(1, &[0])),
                Send(publish("t", "x")),
                Get(publish("t", "x")),
            ]),
        ),
        (
            "QoS 0 to a subscription of QoS 1 stays QoS 0",
            then([
                Send(subscribe(1, &[("t", 1)])),
                Get(suback(1, &[1])),
                Send(publish("t", "x")),
                Get(publish("t", "x")),
            ]),
        ),
        (
            "QoS 1 to itself",
            then(
                [
                    Send(subscribe(1, &[("t", 1)])),
                    Get(suback(1, &[1])),
                    Send(publish_with_id(1, 77, "t", "x")),
                    Get(with_id(0x40, 77)),
                    Get(publish_with_id(1, 1, "t", "x")),
                    Send(with_id(0x40, 1)),
                ]
                .into_iter()
                .chain(ping()),
            ),
        ),
        (
            "QoS 2 to itself, all four steps both ways, and once although it came twice",
            then(
                [
                    Send(subscribe(1, &[("t", 2)])),
                    Get(suback(1, &[2])),
                    Send(publish_with_id(2, 5, "t", "x")),
                    Get(with_id(0x50, 5)),
                    Get(publish_with_id(2, 1, "t", "x")),
                    Send(packet(0x3c, &[&text("t"), &[0, 5], b"x"])),
                    Get(with_id(0x50, 5)),
                    Send(with_id(0x62, 5)),
                    Get(with_id(0x70, 5)),
                    Send(with_id(0x50, 1)),
                    Get(with_id(0x62, 1)),
                    Send(with_id(0x70, 1)),
                ]
                .into_iter()
                .chain(ping()),
            ),
        ),
        (
            "overlapping subscriptions get one copy of the best QoS",
            then([
                Send(subscribe(1, &[("a/#", 0), ("a/+", 1)])),
                Get(suback(1, &[0, 1])),
                Send(publish_with_id(1, 3, "a/b", "x")),
                Get(with_id(0x40, 3)),
                Get(publish_with_id(1, 1, "a/b", "x")),
                Send(publish("a/b/c", "y")),
                Get(publish("a/b/c", "y")),
            ]),
        ),
        (
            "a retained message comes at every SUBSCRIBE and survives an empty one",
            then(
                [
                    Send(retained("r", "kept")),
                    Send(subscribe(1, &[("r", 0)])),
                    Get(suback(1, &[0])),
                    Get(retained("r", "kept")),
                    Send(subscribe(2, &[("r", 0)])),
                    Get(suback(2, &[0])),
                    Get(retained("r", "kept")),
                    // Not retained, so it deletes nothing.
                    Send(publish("r", "")),
                    Get(publish("r", "")),
                    Send(subscribe(3, &[("r", 0)])),
                    Get(suback(3, &[0])),
                    Get(retained("r", "kept")),
                    // Retained and empty deletes, and is passed on as a plain message.
                    Send(retained("r", "")),
                    Get(publish("r", "")),
                    Send(subscribe(4, &[("r", 0)])),
                    Get(suback(4, &[0])),
                ]
                .into_iter()
                .chain(ping()),
            ),
        ),
        (
            "two packets in one segment, and one in two",
            then([
                Send([subscribe(1, &[("t", 0)]), publish("t", "one")].concat()),
                Get(suback(1, &[0])),
                Get(publish("t", "one")),
                Send(publish("t", "two")[..3].to_vec()),
                Send(publish("t", "two")[3..].to_vec()),
                Get(publish("t", "two")),
            ]),
        ),
    ]
}

async fn play(broker: &cloud::Broker, name: &str, acts: Vec<Act>) {
    let mut wire = Wire::to(broker).await;
    for act in acts {
        match act {
            Send(bytes) => wire.send(&bytes).await,
            Get(bytes) => wire.expect(&bytes, name).await,
            Closed => wire.closed(name).await,
        }
    }
}

#[test]
fn connecting_is_as_the_standard_says() {
    run(async {
        for (name, acts) in connecting() {
            let (broker, _) = plain_broker().await;
            play(&broker, name, acts).await;
        }
    });
}

#[test]
fn talking_is_as_the_standard_says() {
    run(async {
        for (name, acts) in talking() {
            let (broker, _) = plain_broker().await;
            play(&broker, name, acts).await;
        }
    });
}

#[test]
fn every_violation_is_named_in_the_trace() {
    run(async {
        let (broker, trace) = plain_broker().await;
        play(&broker, "wildcard", refused(publish("a/#", "x"))).await;
        let closed = event_of(&trace, trace::Source::Mqtt, "connection_closed").await;
        assert_eq!(closed["end"], "violation");
        assert_eq!(
            closed["detail"],
            "a message to a topic with wildcards, NUL or nothing in it"
        );
        assert_eq!(closed["client"], "c");
    });
}
