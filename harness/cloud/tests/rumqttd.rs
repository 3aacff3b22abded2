//! rumqttd as judge: its codec reads and writes a whole conversation with the broker, and its rules
//! of filters and topics are held against ours.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the message")]

mod support;

use bytes::BytesMut;
use proptest::prelude::*;
use rumqttd::protocol::v4::V4;
use rumqttd::protocol::{
    self, ConnectReturnCode, Filter, Packet, PingReq, Protocol as _, PubAck, PubAckReason, PubComp,
    PubCompReason, PubRec, PubRecReason, PubRel, PubRelReason, QoS, RetainForwardRule, Subscribe,
};
use support::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A connection on which every packet is written and read by rumqttd.
struct Judge {
    stream: TcpStream,
    inbox: BytesMut,
}

impl Judge {
    async fn send(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        V4.write(packet, &mut bytes).unwrap();
        self.stream.write_all(&bytes).await.unwrap();
    }

    async fn next(&mut self) -> Packet {
        loop {
            match V4.read_mut(&mut self.inbox, 1 << 20) {
                Ok(packet) => return packet,
                Err(protocol::Error::InsufficientBytes(_)) => {}
                Err(error) => panic!("rumqttd cannot read what the broker sent: {error}"),
            }
            let count = self.stream.read_buf(&mut self.inbox).await.unwrap();
            assert_ne!(count, 0, "the broker closed the connection");
        }
    }
}

/// What rumqttd makes of a PUBLISH of QoS 1 or 2; it lets nobody build one.
fn message(qos: u8, pkid: u16, payload: &str) -> Packet {
    let mut bytes = BytesMut::from(&publish_with_id(qos, pkid, "a/b", payload)[..]);
    V4.read_mut(&mut bytes, 1 << 20).unwrap()
}

#[test]
fn rumqttd_reads_and_writes_a_conversation_with_acknowledgements() {
    run(async {
        let (broker, _) = plain_broker().await;
        let stream = TcpStream::connect(broker.address()).await.unwrap();
        let mut judge = Judge {
            stream,
            inbox: BytesMut::new(),
        };
        let connect = protocol::Connect {
            keep_alive: 60,
            client_id: "judge".to_owned(),
            clean_session: true,
        };
        judge
            .send(Packet::Connect(connect, None, None, None, None))
            .await;
        let Packet::ConnAck(connack, _) = judge.next().await else {
            panic!("no CONNACK");
        };
        assert_eq!(connack.code, ConnectReturnCode::Success);
        let filter = Filter {
            path: "a/+".to_owned(),
            qos: QoS::ExactlyOnce,
            nolocal: false,
            preserve_retain: false,
            retain_forward_rule: RetainForwardRule::Never,
        };
        let subscribe = Subscribe {
            pkid: 7,
            filters: vec![filter],
        };
        judge.send(Packet::Subscribe(subscribe, None)).await;
        let Packet::SubAck(suback, _) = judge.next().await else {
            panic!("no SUBACK");
        };
        assert_eq!(suback.pkid, 7);

        judge.send(message(1, 1, "one")).await;
        let puback = |pkid| {
            let reason = PubAckReason::Success;
            Packet::PubAck(PubAck { pkid, reason }, None)
        };
        assert_eq!(judge.next().await, puback(1));
        assert_eq!(judge.next().await, message(1, 1, "one"));
        judge.send(puback(1)).await;

        judge.send(message(2, 2, "two")).await;
        let pubrec = |pkid| {
            let reason = PubRecReason::Success;
            Packet::PubRec(PubRec { pkid, reason }, None)
        };
        let pubrel = |pkid| {
            let reason = PubRelReason::Success;
            Packet::PubRel(PubRel { pkid, reason }, None)
        };
        let pubcomp = |pkid| {
            let reason = PubCompReason::Success;
            Packet::PubComp(PubComp { pkid, reason }, None)
        };
        assert_eq!(judge.next().await, pubrec(2));
        assert_eq!(judge.next().await, message(2, 2, "two"));
        judge.send(pubrec(2)).await;
        assert_eq!(judge.next().await, pubrel(2));
        judge.send(pubrel(2)).await;
        assert_eq!(judge.next().await, pubcomp(2));
        judge.send(pubcomp(2)).await;
        judge.send(Packet::PingReq(PingReq)).await;
        assert!(matches!(judge.next().await, Packet::PingResp(_)));
    });
}

proptest! {
    #[test]
    fn rumqttd_agrees_on_which_filters_match(
        topic in "[ab]{0,2}(/[ab]{0,2}){0,3}",
        filter in "([ab]{0,2}|\\+)(/([ab]{0,2}|\\+)){0,3}(/#)?|#",
    ) {
        prop_assert_eq!(cloud::matches(&filter, &topic), protocol::matches(&topic, &filter));
    }

    #[test]
    fn rumqttd_agrees_on_which_filters_are_filters(text in "[ab+#/]{0,8}") {
        prop_assert_eq!(cloud::is_filter(&text), protocol::valid_filter(&text));
    }
}
