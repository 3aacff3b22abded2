//! A binding from the outside: what it wants done, and when.

mod phones;
mod reports;

use super::*;
use alloc::vec;
use factory::{LinkkitProfile, NoToken};
use proptest::prelude::*;
use proto::linkkit::PORT;
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
    binding: TokenBinding<Counting>,
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
            binding: TokenBinding::new(settings, [0xB0, 0xF8, 0x93, 0x15, 0xBF, 0x21], Counting(0)),
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
        self.binding.session_up(None, self.now);
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
