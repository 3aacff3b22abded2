//! Messages of SNTP (RFC 4330 §4).

use std::time::Duration;

/// Length of a message without authentication, in bytes.
pub(super) const LENGTH: usize = 48;
/// Seconds from 1900, where NTP's first era begins, to 1970.
const FROM_1900_TO_1970: u64 = 2_208_988_800;

const CLIENT: u8 = 3;
const SERVER: u8 = 4;

/// What a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) version: u8,
    /// Comes back, so that the client can tell the answer to its own question.
    pub(super) transmitted: [u8; 8],
}

impl Request {
    /// The request in `bytes`, or what is wrong with it.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        let Some(head) = bytes.first_chunk::<LENGTH>() else {
            return Err("shorter than 48 bytes");
        };
        let version = head[0] >> 3 & 7;
        if head[0] & 7 != CLIENT {
            return Err("its mode is not that of a client");
        }
        if !(1..=4).contains(&version) {
            return Err("a version other than 1 to 4");
        }
        let mut transmitted = [0; 8];
        transmitted.copy_from_slice(&head[40..48]);
        Ok(Self {
            version,
            transmitted,
        })
    }
}

/// The answer of a server of stratum 2 whose time is `now` (since 1970).
pub(super) fn answer(request: &Request, now: Duration) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes[0] = request.version << 3 | SERVER;
    bytes[1] = 2;
    bytes[2] = 6;
    // Precision: 2^-20 s, about a microsecond.
    bytes[3] = (-20_i8).cast_unsigned();
    // Reference: the address of a server above us, in TEST-NET-1.
    bytes[12..16].copy_from_slice(&[192, 0, 2, 1]);
    let now = timestamp(now);
    bytes[16..24].copy_from_slice(&now);
    bytes[24..32].copy_from_slice(&request.transmitted);
    bytes[32..40].copy_from_slice(&now);
    bytes[40..48].copy_from_slice(&now);
    bytes
}

/// An answer that tells the client to go away (RFC 4330 §8), for the reason in `code`.
pub(super) fn kiss_of_death(request: &Request, code: [u8; 4]) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    // The clock is not synchronised.
    bytes[0] = 3 << 6 | request.version << 3 | SERVER;
    bytes[12..16].copy_from_slice(&code);
    bytes[24..32].copy_from_slice(&request.transmitted);
    bytes
}

/// A question, for probes.
pub(super) fn question(transmitted: [u8; 8]) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    bytes[0] = 4 << 3 | CLIENT;
    bytes[40..48].copy_from_slice(&transmitted);
    bytes
}

/// Seconds since 1900 and their fraction, both of 32 bits. The era, which begins again in 2036,
/// stands nowhere (RFC 4330 §3).
fn timestamp(unix: Duration) -> [u8; 8] {
    let seconds = unix.as_secs().wrapping_add(FROM_1900_TO_1970);
    let fraction = (u64::from(unix.subsec_nanos()) << 32) / 1_000_000_000;
    ((seconds << 32) | fraction).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_written_as_the_rfc_has_them() {
        assert_eq!(
            timestamp(Duration::ZERO)[..4],
            0x83aa_7e80_u32.to_be_bytes()
        );
        assert_eq!(timestamp(Duration::from_millis(500))[4..], [0x80, 0, 0, 0]);
        // 2036-02-07 06:28:16 UTC begins era 1.
        assert_eq!(timestamp(Duration::from_secs(2_085_978_496)), [0; 8]);
    }

    #[test]
    fn a_request_must_be_a_clients() {
        assert!(Request::read(&question([7; 8])).is_ok());
        assert!(Request::read(&question([7; 8])[..47]).is_err());
        for head in [0x24, 0x03, 0x2b, 0x1c] {
            let mut bytes = question([7; 8]);
            bytes[0] = head;
            assert!(Request::read(&bytes).is_err(), "{head:#x}");
        }
    }

    proptest! {
        #[test]
        fn any_datagram_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Request::read(&bytes);
        }
    }
}
