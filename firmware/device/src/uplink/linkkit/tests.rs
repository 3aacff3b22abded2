//! A binding from the outside: what it wants done, and when.

use super::*;
use alloc::vec;
use factory::LinkkitProfile;
use proptest::prelude::*;
use rand_core::RngCore;
use serde_json::Value;

const OWN: Ipv4Addr = Ipv4Addr::new(192, 168, 43, 20);
const PHONE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 43, 30), 40_000);

/// Random bytes that count up, so that tokens are known and differ.
#[derive(Clone)]
pub(super) struct Counting(pub(super) u8);

impl RngCore for Counting {
    fn next_u32(&mut self) -> u32 {
        0
    }

    fn next_u64(&mut self) -> u64 {
        0
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.0;
            self.0 = self.0.wrapping_add(1);
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

/// A binding and its clock.
struct World {
    binding: Binding<Counting>,
    now: Instant,
}

/// What a binding has done.
#[derive(Clone, Debug, PartialEq)]
enum Done {
    Report {
        id: String,
        token: String,
    },
    Notify {
        to: Ipv4Addr,
        token: Vec<u8>,
        params: Value,
    },
    Answer(Vec<u8>),
}

impl World {
    fn new(change: impl FnOnce(&mut LinkkitProfile)) -> Self {
        let mut profile = LinkkitProfile::seed_2019();
        change(&mut profile);
        let settings = Linkkit {
            product_key: "a1GQc8iJOWI".into(),
            device_name: "gateway_test01".into(),
            device_secret: "secret".into(),
            profile,
        };
        Self {
            binding: Binding::new(settings, [0xB0, 0xF8, 0x93, 0x15, 0xBF, 0x21], Counting(0)),
            now: Instant::from_secs(100),
        }
    }

    /// In a session, with the first report out and answered.
    fn replied() -> Self {
        let mut world = Self::new(|_| {});
        world.up();
        world.run_ms(0);
        world.reply(0);
        world
    }

    fn up(&mut self) {
        self.binding.session_up(self.now);
    }

    fn reply(&mut self, id: u32) {
        let reply = format!(r#"{{"id":"{id}","code":200,"data":{{}}}}"#);
        self.binding.reply(reply.as_bytes(), self.now);
    }

    /// Lets time pass; what was done, with the ms since the call.
    fn run_ms(&mut self, ms: u64) -> Vec<(u64, Done)> {
        let (begin, end) = (self.now, self.now + Duration::from_millis(ms));
        let mut done = Vec::new();
        loop {
            self.binding.poll(Some(OWN), self.now);
            while let Some(action) = self.binding.take() {
                done.push(((self.now - begin).as_millis(), read(action)));
            }
            match self.binding.deadline().filter(|due| *due <= end) {
                Some(due) => {
                    assert!(due > self.now, "a deadline that polling does not move");
                    self.now = due;
                }
                None => break,
            }
        }
        self.now = end;
        done
    }

    fn datagram(&mut self, from: SocketAddrV4, to: Ipv4Addr, bytes: &[u8]) -> Vec<Done> {
        let datagram = Datagram { from, to, bytes };
        self.binding.datagram(datagram, OWN, self.now);
        core::iter::from_fn(|| self.binding.take())
            .map(read)
            .collect()
    }

    fn get(&mut self) -> Vec<Done> {
        self.datagram(PHONE, OWN, &get(1, "/sys/device/info/get"))
    }

    /// The phone's answer to the notification with this token.
    fn acknowledge(&mut self, token: &[u8], json: &str) -> Vec<Done> {
        let mut bytes = vec![0x54, 0x45, 0, 1];
        bytes.extend(token);
        bytes.extend([0xc1, 50, 0xff]);
        bytes.extend(json.as_bytes());
        self.datagram(PHONE, OWN, &bytes)
    }
}

fn read(action: Action) -> Done {
    match action {
        Action::Report(report) => {
            let report: Value = serde_json::from_str(&report).expect("JSON");
            let text = |value: &Value| value.as_str().expect("a text").into();
            Done::Report {
                id: text(&report["id"]),
                token: text(&report["params"]["token"]),
            }
        }
        Action::Send {
            to,
            bytes,
            notification: true,
        } => {
            let start = bytes
                .iter()
                .position(|byte| *byte == 0xff)
                .expect("a payload")
                + 1;
            let notify: Value = serde_json::from_slice(&bytes[start..]).expect("JSON");
            assert_eq!(to.port(), 5683);
            Done::Notify {
                to: *to.ip(),
                token: bytes[4..8].to_vec(),
                params: notify["params"].clone(),
            }
        }
        Action::Send { to, bytes, .. } => {
            assert_eq!(to, PHONE);
            Done::Answer(bytes)
        }
    }
}

/// A request with code `code` (1 is GET, 2 is POST), message id 0x1234 and token 0xaa.
fn get_with(kind: u8, code: u8, path: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x41 | kind << 4, code, 0x12, 0x34, 0xaa];
    let mut delta = 11 << 4;
    for segment in path.split('/').skip(1) {
        match u8::try_from(segment.len()).expect("short") {
            len @ 0..13 => bytes.push(delta | len),
            len => bytes.extend([delta | 13, len - 13]),
        }
        bytes.extend(segment.as_bytes());
        delta = 0;
    }
    bytes.push(0xff);
    bytes.extend(body);
    bytes
}

/// A NON (`kind` 1) or CON (`kind` 0) question.
fn get(kind: u8, path: &str) -> Vec<u8> {
    get_with(kind, 1, path, br#"{"id":"123","version":"1.0"}"#)
}

/// The JSON of an answer with code 2.05.
fn content(done: &Done) -> Value {
    let Done::Answer(bytes) = done else {
        panic!("no answer: {done:?}");
    };
    assert_eq!(bytes[..8], [0x51, 0x45, 0x12, 0x34, 0xaa, 0xc1, 50, 0xff]);
    serde_json::from_slice(&bytes[8..]).expect("JSON")
}

fn reports(done: &[(u64, Done)]) -> Vec<(u64, &str, &str)> {
    done.iter()
        .filter_map(|(ms, done)| match done {
            Done::Report { id, token } => Some((*ms, id.as_str(), token.as_str())),
            _ => None,
        })
        .collect()
}

fn notifications(done: &[(u64, Done)]) -> Vec<(u64, String, &[u8])> {
    done.iter()
        .filter_map(|(ms, done)| match done {
            Done::Notify { token, params, .. } => {
                let told = params["token"].as_str().expect("a text");
                Some((*ms, told.into(), token.as_slice()))
            }
            _ => None,
        })
        .collect()
}

const FIRST: &str = "101112131415161718191A1B1C1D1E1F";
const SECOND: &str = "202122232425262728292A2B2C2D2E2F";
const THIRD: &str = "303132333435363738393A3B3C3D3E3F";

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
fn without_an_address_nothing_is_due_on_the_lan() {
    let mut world = World::replied();
    world.get();
    world.binding.session_down();
    world.binding.poll(None, world.now);
    assert_eq!(world.binding.deadline(), None);
}

proptest! {
    /// Whatever happens in whatever order: deadlines move on, and nothing panics.
    #[test]
    fn no_order_of_events_hangs_or_panics(
        events in proptest::collection::vec((0_u8..7, 0_u64..40_000), 0..60)
    ) {
        let mut world = World::new(|_| {});
        for (event, ms) in events {
            match event {
                0 => world.up(),
                1 => world.binding.session_down(),
                2 => world.reply((ms % 260) as u32),
                3 => drop(world.get()),
                4 => drop(world.acknowledge(&[4, 3, 2, 1], r#"{"id":123,"code":200}"#)),
                5 => world.binding.poll(None, world.now),
                _ => drop(world.datagram(PHONE, OWN, &ms.to_le_bytes())),
            }
            world.run_ms(ms);
            prop_assert!(world.binding.actions.is_empty());
        }
    }
}
