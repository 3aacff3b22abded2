//! What a device must make anew each time, of entropy.

use std::collections::BTreeMap;

use trace::{Event, Source};

use crate::read::{device, flag, text};
use crate::{Contract, Found, Moment, Watch};

/// Values that are remembered.
const MOST: usize = 4096;
/// Bytes of sixteen that two random tokens have in common: of ten thousand million pairs not one has more.
const MOST_EQUAL: usize = 5;
/// Bytes of sixteen that two keys or nonces have in common; of eight, half of that: of a hundred million pairs
/// one has more.
const MOST_IN_COMMON: usize = 6;
/// Tokens of which each bit has to have been both 0 and 1: a random bit fails once in 17 million times.
const TOKENS: u32 = 24;

pub const CONTRACTS: &[Contract] = &[
    Contract {
        id: "prov-session-is-fresh",
        needs: &[],
        says: "no two sessions of a device have its public key, the start of their key stream or of their \
               nonce in common, nor most bytes of these, and none of them is zero",
        source: "ESP-IDF protocomm: security1.c, security2.c; NIST SP 800-38D §8.2; RFC 7748 §6",
        reads: EXCHANGES,
        watch: |_| Some(Box::<Fresh>::default()),
    },
    Contract {
        id: "prov-session-number-is-its-own",
        needs: &[],
        says: "two phones are not given one session number",
        source: "ESP-IDF protocomm_httpd: esp_random() for each session's cookie",
        reads: EXCHANGES,
        watch: |_| Some(Box::<Numbers>::default()),
    },
    Contract {
        id: "prov-session-number-is-given-once",
        needs: &[],
        says: "a phone that comes with its session's number is not given it again",
        source: "ESP-IDF protocomm_httpd: the cookie is set where a session begins",
        reads: EXCHANGES,
        watch: |_| Some(Box::new(GivenOnce)),
    },
    Contract {
        id: "linkkit-token-is-random",
        needs: &[],
        says: "tokens differ in all of their bytes and, over many, in each of their bits",
        source: "Linkkit C SDK 2.3.0: awss_token_generate; OWASP ASVS 6.3.1",
        reads: &[(Source::Cloud, "token_reported")],
        watch: |_| Some(Box::<Tokens>::default()),
    },
];

const EXCHANGES: &[(Source, &str)] = &[(Source::Provisioning, "exchange")];

/// What each device has said that has to be new, across its restarts, and by which events.
#[derive(Default)]
struct Fresh {
    all: BTreeMap<(String, &'static str, String), u64>,
    /// The last of each device and kind.
    last: BTreeMap<(String, &'static str), (Vec<u8>, u64)>,
}

impl Watch for Fresh {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        for (what, place) in [
            ("public key", "/answer/public_key"),
            ("start", "/answer/start"),
        ] {
            let Some(said) = text(event, place) else {
                continue;
            };
            if said.bytes().all(|digit| digit == b'0') {
                found.broken(format!("a {what} of zeros"), [event.seq]);
                continue;
            }
            let key = (device(event).to_owned(), what, said.to_owned());
            match self.all.get(&key) {
                Some(seq) => {
                    let seen = format!("the {what} {said}… of another session");
                    found.broken(seen, [*seq, event.seq]);
                    continue;
                }
                None if self.all.len() < MOST => {
                    self.all.insert(key, event.seq);
                    found.held();
                }
                None => {}
            }
            let Some(bytes) = bytes(said) else { continue };
            let of = (device(event).to_owned(), what);
            let before = self.last.insert(of, (bytes.clone(), event.seq));
            if let Some((before, seq)) = before.filter(|(before, _)| before.len() == bytes.len()) {
                let equal = bytes.iter().zip(&before).filter(|(a, b)| a == b).count();
                found.check(
                    equal * 16 <= MOST_IN_COMMON * bytes.len(),
                    || {
                        format!(
                            "{equal} bytes of the {what} {said}… are those of the session before"
                        )
                    },
                    [seq, event.seq],
                );
            }
        }
    }
}

/// Whose each device's session numbers are, and by which events.
#[derive(Default)]
struct Numbers(BTreeMap<(String, String), (String, u64)>);

impl Watch for Numbers {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let (Some(number), Some(phone)) = (text(event, "/session"), text(event, "/phone")) else {
            return;
        };
        let key = (device(event).to_owned(), number.to_owned());
        match self.0.get(&key) {
            Some((owner, _)) if owner == phone => {}
            Some((owner, seq)) => found.broken(
                format!("gave {phone} the session number of {owner}"),
                [*seq, event.seq],
            ),
            None if self.0.len() < MOST => {
                self.0.insert(key, (phone.to_owned(), event.seq));
                found.held();
            }
            None => {}
        }
    }
}

/// Where a number is given.
struct GivenOnce;

impl Watch for GivenOnce {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let Some(number) = text(event, "/session") else {
            return;
        };
        found.check(
            !flag(event, "/session_again"),
            || format!("the answer sets the cookie {number} again"),
            [event.seq],
        );
    }
}

/// Over how many tokens each device's bits were watched, and which of them have changed.
#[derive(Default)]
struct Tokens(BTreeMap<String, Bits>);

#[derive(Default)]
struct Bits {
    tokens: u32,
    changed: Vec<u8>,
}

impl Watch for Tokens {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let Some(differs) = text(event, "/differs").and_then(bytes) else {
            return;
        };
        let equal = differs.iter().filter(|byte| **byte == 0).count();
        found.check(
            equal * 16 <= MOST_EQUAL * differs.len(),
            || {
                let all = differs.len();
                format!("{equal} of its {all} bytes are those of the token before")
            },
            [event.seq],
        );
        let bits = self.0.entry(device(event).to_owned()).or_default();
        if bits.changed.len() != differs.len() {
            *bits = Bits {
                tokens: 1,
                changed: vec![0; differs.len()],
            };
        }
        bits.tokens += 1;
        for (changed, differs) in bits.changed.iter_mut().zip(&differs) {
            *changed |= differs;
        }
        if bits.tokens == TOKENS {
            let fixed: u32 = bits.changed.iter().map(|byte| byte.count_zeros()).sum();
            found.check(
                fixed == 0,
                || format!("{fixed} bits are the same in {TOKENS} tokens"),
                [event.seq],
            );
        }
    }
}

/// The bytes that hex digits stand for.
fn bytes(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
