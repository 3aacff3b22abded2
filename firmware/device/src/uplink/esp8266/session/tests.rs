use alloc::vec;

use proptest::prelude::*;

use super::*;

fn cloud() -> Cloud {
    Cloud {
        host: "192.168.111.100".into(),
        port: 8883,
        tls: true,
        authority: Vec::new(),
        credentials: None,
        check_dates: true,
        check_name: false,
        client_id: "chenwucontrol".into(),
        username: "chenwu".into(),
        password: "chenwu".into(),
        keep_alive_s: 120,
        network_timeout_ms: 10_000,
        reconnect_ms: 6_000,
        reconnect_max_ms: 6_000,
    }
}

fn drained(session: &mut Session<'_>) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    while let Some(packet) = session.next() {
        session.sent(Instant::from_secs(1));
        packets.push(packet);
    }
    packets
}

#[test]
fn connect_is_the_demos_to_the_byte() {
    let expected = b"\x10\x3a\x00\x06MQIsdp\x03\xc6\x00\x78\x00\x0dchenwucontrol\x00\x04/lwt\
        \x00\x07offline\x00\x06chenwu\x00\x06chenwu";
    assert_eq!(connect(&cloud()), expected);
}

#[test]
fn a_long_client_id_still_makes_a_connect_whose_length_is_right() {
    for length in [0, 80, 100, 127, 128, 500, 70_000] {
        let mut cloud = cloud();
        cloud.client_id = "x".repeat(length);
        let packet = connect(&cloud);
        let (told, digits) = match packet[1] {
            short @ 0..=127 => (usize::from(short), 1),
            low => (usize::from(low & 0x7f) + 128 * usize::from(packet[2]), 2),
        };
        assert_eq!(told, packet.len() - 1 - digits, "{length}");
    }
}

#[test]
fn after_connack_the_demo_subscribes_and_publishes_at_each_quality_of_service() {
    let cloud = cloud();
    let mut session = Session::new(&cloud, "/mqtt/topic", Instant::from_secs(0));
    assert_eq!(drained(&mut session).len(), 1, "CONNECT alone");
    session
        .received(&[0x20, 2, 0, 0], Instant::from_secs(1))
        .unwrap();
    let packets = drained(&mut session);
    let heads: Vec<_> = packets.iter().map(|packet| head_of(packet)).collect();
    assert_eq!(heads, [(8, 1), (8, 2), (8, 3), (3, 0), (3, 4), (3, 5)]);
    assert!(packets[4].ends_with(b"hello1"));
}

#[test]
fn a_return_code_is_not_looked_at() {
    for code in [5, 77] {
        let cloud = cloud();
        let mut session = Session::new(&cloud, "t", Instant::from_secs(0));
        drained(&mut session);
        session
            .received(&[0x20, 2, 0, code], Instant::from_secs(1))
            .unwrap();
        assert_eq!(drained(&mut session).len(), 6, "{code}");
    }
}

#[test]
fn messages_are_answered_by_their_quality_of_service() {
    let cloud = cloud();
    let mut session = Session::new(&cloud, "t", Instant::from_secs(0));
    session
        .received(&[0x20, 2, 0, 0], Instant::from_secs(1))
        .unwrap();
    drained(&mut session);
    let now = Instant::from_secs(2);
    let stream = [
        0x32, 6, 0, 1, b'a', 0, 7, b'x', 0x34, 6, 0, 1, b'a', 0, 8, b'x', 0x62, 2, 0, 8,
    ];
    for byte in stream {
        session.received(&[byte], now).unwrap();
    }
    let answers = drained(&mut session);
    assert_eq!(
        answers,
        [
            vec![0x40, 2, 0, 7],
            vec![0x50, 2, 0, 8],
            vec![0x70, 2, 0, 8]
        ]
    );
}

#[test]
fn it_pings_a_second_after_its_keep_alive_and_waits_for_no_answer() {
    let cloud = cloud();
    let mut session = Session::new(&cloud, "t", Instant::from_secs(0));
    assert_eq!(session.deadline(), Instant::MAX);
    session
        .received(&[0x20, 2, 0, 0], Instant::from_secs(1))
        .unwrap();
    drained(&mut session);
    for at in [122, 243] {
        let at = Instant::from_secs(at);
        assert_eq!(session.deadline(), at);
        session.tick(at);
        assert_eq!(session.next(), Some(vec![0xc0, 0]));
        session.sent(at);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_taken_without_a_panic_and_with_bounded_memory(
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..20),
    ) {
        let cloud = cloud();
        let mut session = Session::new(&cloud, "t", Instant::from_secs(0));
        session.received(&[0x20, 2, 0, 0], Instant::from_secs(1)).unwrap();
        for piece in pieces {
            if session.received(&piece, Instant::from_secs(2)).is_err() {
                break;
            }
            prop_assert!(session.queued() <= QUEUE);
            prop_assert!(session.incoming.len() <= 4096 + 200);
        }
    }
}
