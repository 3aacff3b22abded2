use super::*;
use alloc::boxed::Box;
use alloc::vec;
use proptest::prelude::*;

const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

fn new_session(keep_alive_s: u16) -> MqttSession<'static> {
    begin(keep_alive_s, fresh())
}

fn fresh() -> &'static RefCell<Outbox> {
    Box::leak(Box::new(RefCell::new(Outbox::new())))
}

fn begin(keep_alive_s: u16, outbox: &RefCell<Outbox>) -> MqttSession<'_> {
    let credentials = Credentials {
        client_id: "device".into(),
        username: String::new(),
        password: String::new(),
    };
    let settings = Settings {
        keep_alive_s,
        clean_session: true,
        will: None,
        limit: Duration::from_secs(10),
    };
    MqttSession::new(&credentials, settings, outbox, at(0)).expect("CONNECT fits")
}

fn connected(keep_alive_s: u16) -> MqttSession<'static> {
    connected_with(keep_alive_s, fresh())
}

fn connected_with(keep_alive_s: u16, outbox: &RefCell<Outbox>) -> MqttSession<'_> {
    let mut session = begin(keep_alive_s, outbox);
    session.take_outgoing(at(0));
    session.receive(&CONNACK);
    assert_eq!(session.next_event(at(0)), Ok(Some(Event::Connected)));
    session
}

fn suback(pid: u8, code: u8) -> [u8; 5] {
    [0x90, 3, 0, pid, code]
}

#[test]
fn a_session_begins_with_connect() {
    let expected = b"\x10\x12\x00\x04MQTT\x04\x02\x00\x3c\x00\x06device";
    assert_eq!(new_session(60).take_outgoing(at(0)), expected);
}

#[test]
fn a_refusal_ends_the_session() {
    let mut session = new_session(60);
    session.receive(&[0x20, 2, 0, 5]);
    assert_eq!(
        session.next_event(at(0)),
        Err(MqttSessionError::Refused(ConnectReturnCode::NotAuthorized))
    );
}

#[test]
fn a_broker_that_never_answers_is_given_up() {
    let mut session = new_session(60);
    assert_eq!(session.deadline(), at(10_000));
    assert_eq!(session.tick(at(9_999)), Ok(None));
    assert_eq!(session.tick(at(10_000)), Err(MqttSessionError::NoConnack));
}

#[test]
fn nothing_is_sent_before_the_broker_has_accepted() {
    let mut session = new_session(60);
    assert_eq!(
        session.publish("a", b"", true, at(0)),
        Err(RequestError::NotConnected)
    );
    assert_eq!(
        session.subscribe("a", at(0)),
        Err(RequestError::NotConnected)
    );
}

#[test]
fn an_acknowledged_message_is_told_once() {
    let mut session = connected(60);
    assert_eq!(session.publish("a", b"x", true, at(1)), Ok(1));
    assert_eq!(session.take_outgoing(at(0)), b"\x32\x06\x00\x01a\x00\x01x");
    session.receive(&[0x40, 2, 0, 1, 0x40, 2, 0, 1]);
    assert_eq!(session.next_event(at(2)), Ok(Some(Event::Published(1))));
    assert_eq!(session.next_event(at(2)), Ok(None));
}

#[test]
fn quality_of_service_0_has_no_identifier() {
    let mut session = connected(60);
    assert_eq!(session.publish("a", b"x", false, at(1)), Ok(0));
    assert_eq!(session.take_outgoing(at(0)), b"\x30\x04\x00\x01ax");
}

#[test]
fn a_message_without_puback_is_told_after_the_limit_and_sent_again() {
    let mut session = connected(0);
    session.publish("a", b"x", true, at(5)).expect("connected");
    session.take_outgoing(at(5));
    assert_eq!(session.deadline(), at(10_005));
    assert_eq!(session.tick(at(10_005)), Ok(Some(Event::Unacknowledged(1))));
    assert_eq!(
        session.take_outgoing(at(10_005)),
        b"\x3a\x06\x00\x01a\x00\x01x"
    );
    assert_eq!(session.deadline(), at(20_005));
    session.receive(&[0x40, 2, 0, 1]);
    assert_eq!(
        session.next_event(at(12_000)),
        Ok(Some(Event::Published(1)))
    );
    assert_eq!(session.deadline(), Instant::MAX);
}

#[test]
fn the_next_connection_begins_with_what_was_not_acknowledged() {
    let outbox = RefCell::new(Outbox::new());
    let mut first = connected_with(0, &outbox);
    for payload in [b"x", b"y"] {
        first.publish("a", payload, true, at(1)).expect("connected");
    }
    first.take_outgoing(at(1));
    first.receive(&[0x40, 2, 0, 1]);
    assert_eq!(first.next_event(at(2)), Ok(Some(Event::Published(1))));
    drop(first);

    let mut second = begin(0, &outbox);
    second.take_outgoing(at(3));
    assert_eq!(second.take_outgoing(at(3)), b"");
    second.receive(&CONNACK);
    assert_eq!(second.next_event(at(4)), Ok(Some(Event::Connected)));
    assert_eq!(second.publish("a", b"z", true, at(4)), Ok(3));
    let sent = second.take_outgoing(at(4));
    assert_eq!(
        sent,
        b"\x3a\x06\x00\x01a\x00\x02y\x32\x06\x00\x01a\x00\x03z"
    );
    // The broker may still acknowledge the first connection's.
    second.receive(&[0x40, 2, 0, 1, 0x40, 2, 0, 2]);
    assert_eq!(second.next_event(at(5)), Ok(Some(Event::Published(2))));
}

#[test]
fn a_message_that_was_kept_without_a_session_is_new_in_the_next_one() {
    let outbox = RefCell::new(Outbox::new());
    assert_eq!(outbox.borrow_mut().keep("a", b"x"), Ok(1));
    let mut session = connected_with(0, &outbox);
    assert_eq!(session.take_outgoing(at(0)), b"\x32\x06\x00\x01a\x00\x01x");
}

#[test]
fn a_will_and_a_kept_session_are_told_in_connect() {
    let will = factory::Will {
        topic: "w".into(),
        payload: "gone".into(),
        qos: 1,
        retain: true,
    };
    let credentials = Credentials {
        client_id: "device".into(),
        ..Credentials::default()
    };
    let settings = Settings {
        keep_alive_s: 60,
        clean_session: false,
        will: Some(&will),
        limit: Duration::from_secs(10),
    };
    let mut session =
        MqttSession::new(&credentials, settings, fresh(), at(0)).expect("CONNECT fits");
    let expected = b"\x10\x1b\x00\x04MQTT\x04\x2c\x00\x3c\x00\x06device\x00\x01w\x00\x04gone";
    assert_eq!(session.take_outgoing(at(0)), expected);
}

#[test]
fn what_does_not_fit_at_once_is_sent_as_room_comes() {
    let mut session = connected(0);
    let payload = vec![0; 4_000];
    for at_least_once in [false, false, false, true, true] {
        session
            .publish("a", &payload, at_least_once, at(0))
            .expect("room");
    }
    assert_eq!(session.take_outgoing(at(0)).len(), 3 * 4_006 + 4_008);
    assert_eq!(session.take_outgoing(at(0)).len(), 4_008);
    assert_eq!(session.take_outgoing(at(0)), b"");
}

#[test]
fn a_subscription_is_granted_refused_or_late() {
    for (answer, granted) in [(Some(0), true), (Some(0x80), false), (None, false)] {
        let mut session = connected(0);
        session.subscribe("a/b", at(0)).expect("connected");
        assert_eq!(
            session.take_outgoing(at(0)),
            b"\x82\x08\x00\x01\x00\x03a/b\x00"
        );
        let event = match answer {
            Some(code) => {
                session.receive(&suback(1, code));
                session.next_event(at(1))
            }
            None => session.tick(at(10_000)),
        };
        let filter = "a/b".into();
        let identifier = 1;
        assert_eq!(
            event,
            Ok(Some(Event::Subscribed {
                filter,
                granted,
                identifier
            }))
        );
    }
}

#[test]
fn a_subscription_is_ended_and_a_session_is_left() {
    let mut session = connected(0);
    assert_eq!(session.unsubscribe("a/b", at(0)), Ok(1));
    assert_eq!(session.take_outgoing(at(0)), b"\xa2\x07\x00\x01\x00\x03a/b");
    session.receive(&[0xb0, 2, 0, 1]);
    assert_eq!(session.next_event(at(1)), Ok(Some(Event::Unsubscribed(1))));
    assert!(!session.is_leaving());
    session.disconnect();
    assert_eq!(session.take_outgoing(at(0)), [0xe0, 0]);
    assert!(session.is_leaving());
}

#[test]
fn an_unsuback_to_nothing_ends_the_session() {
    let mut session = connected(0);
    session.receive(&[0xb0, 2, 0, 1]);
    assert!(session.next_event(at(1)).is_err());
}

#[test]
fn an_identifier_can_be_chosen_unless_it_is_in_use() {
    let mut session = connected(0);
    session.number_next(32_736);
    assert_eq!(session.publish("a", b"", true, at(0)), Ok(32_736));
    session.number_next(0);
    assert_eq!(session.publish("a", b"", true, at(0)), Ok(32_737));
    session.number_next(32_736);
    assert_eq!(session.publish("a", b"", true, at(0)), Ok(32_738));
}

#[test]
fn a_puback_does_not_answer_a_subscribe() {
    let mut session = connected(0);
    session.subscribe("a", at(0)).expect("connected");
    session.receive(&[0x40, 2, 0, 1]);
    assert_eq!(session.next_event(at(1)), Ok(None));
    session.receive(&suback(1, 0));
    assert!(matches!(
        session.next_event(at(1)),
        Ok(Some(Event::Subscribed { granted: true, .. }))
    ));
}

#[test]
fn a_message_of_quality_of_service_1_is_acknowledged() {
    let mut session = connected(60);
    session.receive(b"\x32\x07\x00\x01a\x00\x09hi");
    let expected = Event::Message {
        topic: "a".into(),
        payload: b"hi".to_vec(),
    };
    assert_eq!(session.next_event(at(1)), Ok(Some(expected)));
    assert_eq!(session.take_outgoing(at(0)), [0x40, 2, 0, 9]);
}

#[test]
fn a_ping_goes_out_after_half_of_the_keep_alive_and_is_awaited() {
    let mut session = connected(60);
    assert_eq!(session.deadline(), at(30_000));
    assert_eq!(session.tick(at(30_000)), Ok(None));
    assert_eq!(session.take_outgoing(at(0)), [0xc0, 0]);
    assert_eq!(session.deadline(), at(40_000));

    session.receive(&[0xd0, 0]);
    assert_eq!(session.next_event(at(30_010)), Ok(None));
    assert_eq!(session.deadline(), at(60_000));

    assert_eq!(session.tick(at(60_000)), Ok(None));
    assert_eq!(
        session.tick(at(70_000)),
        Err(MqttSessionError::NoPingResponse)
    );
}

#[test]
fn a_session_that_sends_need_not_ping() {
    let mut session = connected(60);
    session
        .publish("a", b"", false, at(20_000))
        .expect("connected");
    assert_eq!(session.deadline(), at(50_000));
}

#[test]
fn no_keep_alive_means_no_ping() {
    assert_eq!(connected(0).deadline(), Instant::MAX);
}

#[test]
fn what_has_no_place_in_a_session_ends_it() {
    let cases: [&[u8]; 3] = [&CONNACK, b"\x34\x05\x00\x01a\x00\x01", &[0x62, 2, 0, 1]];
    for bytes in cases {
        let mut session = connected(60);
        session.receive(bytes);
        assert!(matches!(
            session.next_event(at(1)),
            Err(MqttSessionError::Unexpected(_))
        ));
    }
    let mut early = new_session(60);
    early.receive(&[0xd0, 0]);
    assert!(matches!(
        early.next_event(at(1)),
        Err(MqttSessionError::Unexpected(_))
    ));
}

#[test]
fn only_so_many_answers_may_be_outstanding() {
    let mut session = connected(60);
    for _ in 0..MAX_OUTSTANDING {
        session.subscribe("a", at(0)).expect("room");
    }
    assert_eq!(session.subscribe("a", at(0)), Err(RequestError::Busy));
}

#[test]
fn only_so_many_bytes_may_wait() {
    let mut session = connected(60);
    let payload = vec![0; 4_000];
    let sent = (0..10)
        .take_while(|_| session.publish("a", &payload, false, at(0)).is_ok())
        .count();
    assert_eq!(sent, 4);
}

proptest! {
    #[test]
    fn a_stream_may_come_in_any_pieces(cuts in proptest::collection::vec(1_usize..9, 0..20)) {
        let mut stream = b"\x30\x04\x00\x01ax\xd0\x00\x32\x07\x00\x01b\x00\x09hi".to_vec();
        let mut session = connected(60);
        let mut events = 0;
        for cut in cuts.into_iter().chain([usize::MAX]) {
            let rest = stream.split_off(cut.min(stream.len()));
            session.receive(&stream);
            stream = rest;
            while let Some(event) = session.next_event(at(1)).expect("a sound stream") {
                let is_message = matches!(event, Event::Message { .. });
                prop_assert!(is_message);
                events += 1;
            }
        }
        prop_assert_eq!(events, 2);
    }

    #[test]
    fn no_bytes_from_a_broker_panic(bytes: Vec<u8>, ms in 0_u64..100_000) {
        let mut session = connected(60);
        session.receive(&bytes);
        while let Ok(Some(_)) = session.next_event(at(ms)) {}
        let _ = session.tick(at(ms));
        session.deadline();
    }
}
