//! What phones say.

use super::*;

#[test]
fn a_phones_answer_ends_the_notifications_and_uses_the_token_up() {
    let mut world = World::replied();
    let told = world.run_ms(300);
    let (_, _, token) = notifications(&told)[0];
    let token = token.to_vec();
    assert_eq!(
        world.acknowledge(&token, r#"{"id":123,"code":200,"data":{}}"#),
        []
    );
    let done = world.run_ms(20_000);
    assert_eq!(reports(&done), [(10, "1", SECOND)]);
    world.reply(1);
    assert_eq!(notifications(&world.run_ms(20_000)), []);
}

#[test]
fn only_one_answer_to_notifications_counts() {
    let mut world = World::replied();
    let told = world.run_ms(300);
    let token = notifications(&told)[0].2.to_vec();
    for _ in 0..2 {
        world.acknowledge(&token, r#"{"id":123,"code":200,"data":{}}"#);
    }
    assert_eq!(reports(&world.run_ms(20_000)), [(10, "1", SECOND)]);
}

#[test]
fn what_is_no_answer_to_a_notification_changes_nothing() {
    let long = format!(r#"{{"id":123,"code":200,"data":"{}"}}"#, "x".repeat(40));
    let cases: [(&[u8], &str); 5] = [
        (&[4, 3, 2, 1], r#"{"id":123,"code":400,"data":{}}"#),
        (&[4, 3, 2, 1], r#"{"id":99,"code":200,"data":{}}"#),
        (&[4, 3, 2, 1], "{"),
        (&[4, 3, 2, 1], &long),
        (&[9, 9, 9, 9], r#"{"id":123,"code":200,"data":{}}"#),
    ];
    for (token, json) in cases {
        let mut world = World::replied();
        world.run_ms(300);
        assert_eq!(world.acknowledge(token, json), []);
        assert_eq!(reports(&world.run_ms(1_000)), [], "{json}");
    }
}

#[test]
fn a_question_is_answered_and_uses_the_token_up() {
    let mut world = World::replied();
    world.run_ms(100);
    let answer = content(&world.get()[0]);
    assert_eq!(answer["id"], 123);
    assert_eq!(answer["code"], 200);
    assert_eq!(answer["data"]["token"], FIRST);
    assert_eq!(answer["data"]["remainTime"], 44_900);
    assert_eq!(reports(&world.run_ms(1_000)), [(10, "1", SECOND)]);
}

#[test]
fn each_phone_gets_a_token_of_its_own() {
    let mut world = World::replied();
    let first = content(&world.get()[0]);
    world.run_ms(10);
    world.reply(1);
    let second = content(&world.get()[0]);
    assert_eq!(first["data"]["token"], FIRST);
    assert_eq!(second["data"]["token"], SECOND);
    assert_eq!(reports(&world.run_ms(1_000)), [(10, "2", THIRD)]);
}

#[test]
fn notifications_go_on_with_the_new_token_after_its_reply() {
    let mut world = World::replied();
    world.get();
    assert_eq!(notifications(&world.run_ms(1_000)), []);
    world.reply(1);
    let done = world.run_ms(300);
    assert_eq!(notifications(&done)[0].1, SECOND);
}

#[test]
fn a_question_before_the_reply_is_held_until_a_poll_after_it() {
    let mut world = World::new(|_| {});
    world.up();
    world.run_ms(0);
    assert_eq!(world.get(), []);
    assert_eq!(world.run_ms(700), []);
    world.reply(0);
    let done = world.run_ms(200);
    assert_eq!(done[0].0, 200);
    let answer = done
        .iter()
        .map(|(_, done)| done)
        .find(|done| matches!(done, Done::Answer(_)));
    assert_eq!(content(answer.expect("an answer"))["data"]["token"], FIRST);
}

#[test]
fn a_question_before_the_session_is_held_too() {
    let mut world = World::new(|_| {});
    assert_eq!(world.get(), []);
    assert_eq!(world.run_ms(5_000), []);
    world.up();
    assert_eq!(reports(&world.run_ms(100)).len(), 1);
    world.reply(0);
    let done = world.run_ms(600);
    assert!(done.iter().any(|(_, done)| matches!(done, Done::Answer(_))));
}

#[test]
fn a_second_question_is_dropped_while_one_is_held() {
    let mut world = World::new(|_| {});
    world.up();
    world.run_ms(0);
    world.get();
    let confirmable = get(0, "/sys/device/info/get");
    assert_eq!(
        world.datagram(PHONE, OWN, &confirmable),
        [Done::Answer(vec![0x60, 0, 0x12, 0x34])]
    );
    world.reply(0);
    let done = world.run_ms(10_000);
    let answers = done
        .iter()
        .filter(|(_, done)| matches!(done, Done::Answer(_)));
    assert_eq!(answers.count(), 1);
}

#[test]
fn a_question_is_not_held_longer_than_the_reports_take() {
    let mut world = World::new(|_| {});
    world.up();
    world.run_ms(0);
    world.get();
    world.run_ms(90_000);
    assert_eq!(world.binding.deadline(), None);
}

#[test]
fn a_question_after_the_tokens_life_waits_for_a_new_one() {
    let mut world = World::replied();
    world.run_ms(60_000);
    assert_eq!(world.get(), []);
    let done = world.run_ms(100);
    assert_eq!(reports(&done), [(0, "1", SECOND)]);
    world.reply(1);
    let done = world.run_ms(300);
    assert_eq!(content(&done[0].1)["data"]["token"], SECOND);
}

#[test]
fn a_later_sdk_says_at_once_that_it_has_no_token() {
    let mut world = World::new(|profile| profile.no_token = NoToken::Code400);
    world.up();
    world.run_ms(0);
    let answer = content(&world.get()[0]);
    assert_eq!(
        answer,
        serde_json::json!({"id": "123", "code": 400, "data": {}})
    );
}

#[test]
fn a_confirmable_question_gets_an_empty_acknowledgement_first() {
    let mut world = World::replied();
    let done = world.datagram(PHONE, OWN, &get(0, "/sys/device/info/get"));
    assert_eq!(done[0], Done::Answer(vec![0x60, 0, 0x12, 0x34]));
    assert_eq!(content(&done[1])["code"], 200);
}

#[test]
fn the_device_can_be_asked_by_its_own_path() {
    let mut world = World::replied();
    let path = "/sys/a1GQc8iJOWI/gateway_test01/device/info/get";
    let done = world.datagram(PHONE, OWN, &get(1, path));
    assert_eq!(content(&done[0])["code"], 200);
}

#[test]
fn what_cannot_be_served_is_refused_but_not_to_a_group() {
    let cases: [(Vec<u8>, u8); 3] = [
        (get(1, "/sys/unknown"), 0x84),
        (get_with(1, 2, "/sys/device/info/get", b"{}"), 0x85),
        (get_with(1, 1, "/sys/device/info/get", b"{"), 0x80),
    ];
    for (bytes, code) in cases {
        let mut world = World::replied();
        let expected = [Done::Answer(vec![0x51, code, 0x12, 0x34, 0xaa])];
        assert_eq!(world.datagram(PHONE, OWN, &bytes), expected);
        let group = Ipv4Addr::new(224, 0, 1, 187);
        assert_eq!(world.datagram(PHONE, group, &bytes), []);
    }
}

#[test]
fn our_own_datagrams_are_dropped() {
    let mut world = World::replied();
    let from = SocketAddrV4::new(OWN, PORT);
    assert_eq!(
        world.datagram(from, OWN, &get(1, "/sys/device/info/get")),
        []
    );
    assert_eq!(reports(&world.run_ms(100)), []);
}
