//! Reports, replies and notifications.

use super::*;

#[test]
fn without_a_reply_a_token_is_reported_three_times_and_never_told() {
    let mut world = World::new(|_| {});
    assert_eq!(world.run_ms(1_000), []);
    world.up();
    let done = world.run_ms(300_000);
    let expected = [(0, "0", FIRST), (30_000, "1", FIRST), (60_000, "2", FIRST)];
    assert_eq!(reports(&done), expected);
    assert_eq!(done.len(), 3);
}

#[test]
fn the_reply_starts_notifications_with_the_next_poll() {
    let mut world = World::new(|_| {});
    world.up();
    world.run_ms(40);
    world.reply(0);
    let done = world.run_ms(1_000);
    let times: Vec<_> = notifications(&done).iter().map(|told| told.0).collect();
    assert_eq!(times, [260, 360, 560, 860]);
    let Done::Notify { to, params, .. } = &done[0].1 else {
        panic!("no notification");
    };
    assert_eq!(*to, Ipv4Addr::BROADCAST);
    let expected = serde_json::json!({
        "awssVer": {
            "smartconfig": "2.0", "zconfig": "2.0", "router": "2.0", "ap": "2.0", "softap": "2.0"
        },
        "productKey": "a1GQc8iJOWI",
        "deviceName": "gateway_test01",
        "mac": "B0:F8:93:15:BF:21",
        "ip": "192.168.43.20",
        "cipherType": 4,
        "token": FIRST,
        "remainTime": 44_700,
        "type": 0,
    });
    assert_eq!(*params, expected);
}

#[test]
fn notifications_end_with_their_count() {
    let mut world = World::replied();
    assert_eq!(world.run_ms(200_000).len(), 30);
}

#[test]
fn notifications_end_with_the_tokens_life() {
    let mut world = World::new(|profile| profile.token_life_ms = 1_000);
    world.up();
    world.run_ms(0);
    world.reply(0);
    let done = world.run_ms(10_000);
    let times: Vec<_> = notifications(&done).iter().map(|told| told.0).collect();
    assert_eq!(times, [300, 400, 600, 900]);
}

#[test]
fn a_reply_with_an_error_code_counts_all_the_same() {
    let mut world = World::new(|_| {});
    world.up();
    world.run_ms(0);
    world
        .binding
        .reply(br#"{"id":"0","code":400,"data":{}}"#, world.now);
    assert_eq!(notifications(&world.run_ms(300)).len(), 1);
}

#[test]
fn a_reply_to_an_earlier_report_is_ignored() {
    let mut world = World::new(|_| {});
    world.up();
    assert_eq!(reports(&world.run_ms(30_000)).len(), 2);
    world.reply(0);
    assert_eq!(notifications(&world.run_ms(1_000)), []);
    world.reply(1);
    assert_ne!(notifications(&world.run_ms(1_000)), []);
}

#[test]
fn a_reply_without_a_usable_id_is_ignored() {
    for reply in [&b""[..], b"{}", br#"{"id":"x"}"#, b"\xff"] {
        let mut world = World::new(|_| {});
        world.up();
        world.run_ms(0);
        world.binding.reply(reply, world.now);
        assert_eq!(world.run_ms(1_000), []);
    }
}

#[test]
fn ids_are_cut_to_8_bits_as_in_the_sdk() {
    let mut world = World::new(|_| {});
    world.up();
    world.run_ms(0);
    // 256 is 0 in a `char`.
    world.reply(256);
    assert_eq!(notifications(&world.run_ms(300)).len(), 1);
}

#[test]
fn a_reply_before_any_report_is_ignored() {
    let mut world = World::new(|_| {});
    world.reply(0);
    world.up();
    assert_eq!(notifications(&world.run_ms(1_000)), []);
}

#[test]
fn a_short_loss_of_the_session_keeps_a_token_that_the_cloud_has() {
    let mut world = World::replied();
    world.run_ms(1_000);
    world.binding.session_down();
    world.run_ms(1_000);
    world.up();
    let done = world.run_ms(1_000);
    assert_eq!(reports(&done), []);
    assert!(notifications(&done).iter().all(|told| told.1 == FIRST));
}

#[test]
fn a_loss_before_the_reply_begins_with_a_new_token() {
    let mut world = World::new(|_| {});
    world.up();
    world.run_ms(1_000);
    world.binding.session_down();
    assert_eq!(world.run_ms(100_000), []);
    world.up();
    assert_eq!(reports(&world.run_ms(0)), [(0, "1", SECOND)]);
}

#[test]
fn a_phones_token_without_a_reply_is_reported_in_the_next_session() {
    const PHONES: &str = "4786F0F6E1CC7BF86017FD4D1429EE4F";
    let token = handover::Token::from_hex(PHONES.as_bytes());
    let mut world = World::new(|_| {});
    world.binding.session_up(token, world.now);
    assert_eq!(reports(&world.run_ms(1_000)), [(0, "0", PHONES)]);
    for (id, number) in [(1, "1"), (2, "2")] {
        world.binding.session_down();
        assert_eq!(world.run_ms(100_000), []);
        world.up();
        assert_eq!(reports(&world.run_ms(0)), [(0, number, PHONES)]);
        if id == 2 {
            world.reply(id);
        }
    }
    // Once the cloud has it, it is used up like any other.
    world.binding.session_down();
    world.run_ms(100_000);
    world.up();
    assert_eq!(reports(&world.run_ms(0)), [(0, "3", FIRST)]);
}

#[test]
fn without_an_address_nothing_is_due_on_the_lan() {
    let mut world = World::replied();
    world.get();
    world.binding.session_down();
    world.binding.poll(None, world.now);
    assert_eq!(world.binding.deadline(), None);
}
