//! Handshakes, and what is encrypted afterwards: neither side trusts the other.
//!
//! The input is a list of messages, each behind one byte that says where it goes and two of length.

#![no_main]

use device::security::Security;
use embassy_futures::block_on;
use libfuzzer_sys::fuzz_target;
use phone::security::{Channel, Handshake, Step};
use rand_core::{CryptoRng, RngCore};

const POP: &str = "abcd1234";
const PRIVATE: [u8; 32] = [7; 32];

fuzz_target!(|bytes: &[u8]| block_on(play(bytes)));

async fn play(bytes: &[u8]) {
    let mut random = Counting(0);
    let mut hostile_to = [
        Security::new(&factory::Security::None),
        Security::new(&factory::Security::V1 { pop: POP.into() }),
        Security::new(&factory::Security::V2 {
            username: "wifiprov".into(),
            salt: vec![1; 16],
            verifier: vec![2; 384],
        }),
    ];
    let mut phone = Handshake::v1_with(POP, PRIVATE);
    let mut pair = None;
    let mut rest = bytes;
    while let [to, high, low, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (message, left) = after.split_at(length);
        rest = left;
        let device = &mut hostile_to[usize::from(to >> 4) % 3];
        match to & 0x0F {
            0..4 => {
                // A client that was refused has no session.
                if device.handshake(message, &mut random).await.is_ok() {
                    let _ = device.take_event();
                }
            }
            4 => drop(device.decrypt(message)),
            5 => drop(device.encrypt(message)),
            6 => device.reset(),
            7..10 => {
                if let Ok(Step::Done(mut channel)) = phone.next(message) {
                    drop(channel.decrypt(message));
                }
            }
            10 => pair = Some(established(&mut random).await),
            11..14 => {
                if let Some((device, channel)) = &mut pair {
                    understands(device, channel, message);
                }
            }
            // Out of step from then on, and that must be all.
            _ => {
                if let Some((mut device, mut channel)) = pair.take() {
                    drop(device.decrypt(message));
                    drop(channel.decrypt(message));
                }
            }
        }
    }
}

/// A device and a phone that know the same.
async fn established(random: &mut Counting) -> (Security, Channel) {
    let mut device = Security::new(&factory::Security::V1 { pop: POP.into() });
    let mut phone = Handshake::v1_with(POP, PRIVATE);
    let mut request = phone.start();
    loop {
        let answer = device.handshake(&request, random).await;
        match phone.next(&answer.expect("the phone is honest")) {
            Ok(Step::Send(next)) => request = next,
            Ok(Step::Done(channel)) => return (device, channel),
            Err(error) => panic!("the device is honest: {error}"),
        }
    }
}

/// Both ways.
fn understands(device: &mut Security, channel: &mut Channel, message: &[u8]) {
    let sent = channel.encrypt(message).expect("there is a session");
    assert_eq!(device.decrypt(&sent).as_deref(), Ok(message));
    let sent = device.encrypt(message).expect("there is a session");
    assert_eq!(channel.decrypt(&sent).as_deref(), Ok(message));
}

/// The same numbers for the same input.
struct Counting(u8);

impl RngCore for Counting {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_add(1);
            *byte = self.0;
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for Counting {}
