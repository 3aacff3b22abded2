//! Handshakes, and what is encrypted afterwards: neither side trusts the other.
//!
//! The input is a list of messages, each behind one byte that says where it goes and two of length.

#![no_main]

use device::security::Security;
use libfuzzer_sys::fuzz_target;
use phone::security::{Handshake, Step};
use rand_core::OsRng;

fuzz_target!(|bytes: &[u8]| {
    let mut device = Security::new(&factory::Security::V1 { pop: "pop".into() });
    let mut open = Security::new(&factory::Security::None);
    let mut phone = Handshake::v1("pop");
    let mut channel = None;
    let mut rest = bytes;
    while let [to, high, low, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (message, left) = after.split_at(length);
        rest = left;
        match to % 5 {
            0 => drop(device.handshake(message, &mut OsRng)),
            1 => drop(device.decrypt(message)),
            2 => match phone.next(message) {
                Ok(Step::Done(established)) => channel = Some(established),
                Ok(Step::Send(request)) => drop(device.handshake(&request, &mut OsRng)),
                Err(_) => {}
            },
            3 => {
                if let Some(channel) = &mut channel {
                    drop(channel.decrypt(message));
                }
            }
            _ => {
                drop(open.handshake(message, &mut OsRng));
                drop(open.decrypt(message));
            }
        }
    }
});
