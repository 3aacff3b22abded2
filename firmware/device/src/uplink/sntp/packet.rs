//! The SNTP packet (RFC 4330 §4).

use core::fmt;

/// Length of a packet without authenticator.
pub(super) const LEN: usize = 48;

const VERSION: u8 = 4;
const MODE_CLIENT: u8 = 3;
const MODE_SERVER: u8 = 4;
const LEAP_UNSYNCHRONISED: u8 = 3;
/// From 1900-01-01, NTP's beginning, to 1970-01-01 (RFC 5905 §6, figure 4).
const UNIX_EPOCH_S: u64 = 2_208_988_800;
/// From one NTP era to the next (RFC 5905 §6).
const ERA_S: u64 = 1 << 32;

/// A request. The server sends `nonce` back as originate timestamp; a random one keeps strangers
/// from answering, and does not tell our clock.
pub(super) fn request(nonce: u64) -> [u8; LEN] {
    let mut packet = [0; LEN];
    packet[0] = VERSION << 3 | MODE_CLIENT;
    packet[40..].copy_from_slice(&nonce.to_be_bytes());
    packet
}

/// What a server says, in µs of Unix time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    /// When it received the request.
    received_us: u64,
    /// When it sent the reply.
    sent_us: u64,
}

impl Reply {
    /// The reply to the request with `nonce`.
    pub(super) fn read(bytes: &[u8], nonce: u64) -> Result<Self, ReplyError> {
        let packet: &[u8; LEN] = bytes
            .first_chunk()
            .ok_or(ReplyError::TooShort(bytes.len()))?;
        let mode = packet[0] & 7;
        if mode != MODE_SERVER {
            return Err(ReplyError::NoServer(mode));
        }
        if timestamp(packet, 24) != nonce {
            return Err(ReplyError::NotOurs);
        }
        let stratum = packet[1];
        if stratum == 0 {
            return Err(ReplyError::Kiss([
                packet[12], packet[13], packet[14], packet[15],
            ]));
        }
        if packet[0] >> 6 == LEAP_UNSYNCHRONISED || stratum > 15 {
            return Err(ReplyError::Unsynchronised);
        }
        let sent = timestamp(packet, 40);
        if sent == 0 {
            return Err(ReplyError::Unsynchronised);
        }
        Ok(Self {
            received_us: unix_us(timestamp(packet, 32)),
            sent_us: unix_us(sent),
        })
    }

    /// Unix time in µs when the reply arrived, `round_trip_us` after the request left.
    pub(super) fn now_us(&self, round_trip_us: u64) -> u64 {
        let in_server = self.sent_us.saturating_sub(self.received_us);
        self.sent_us
            .saturating_add(round_trip_us.saturating_sub(in_server) / 2)
    }
}

/// Why a datagram is no usable reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReplyError {
    /// Too few bytes.
    TooShort(usize),
    /// Another mode than that of a server.
    NoServer(u8),
    /// Not the answer to our request.
    NotOurs,
    /// The server does not want to be asked, for this reason (RFC 4330 §8).
    Kiss([u8; 4]),
    /// The server does not know the time itself.
    Unsynchronised,
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort(len) => write!(f, "{len} bytes are no SNTP packet"),
            Self::NoServer(mode) => write!(f, "mode {mode} is not a server's"),
            Self::NotOurs => f.write_str("the reply is not to our request"),
            Self::Kiss(code) => {
                write!(
                    f,
                    "the server refuses with the code {}",
                    code.escape_ascii()
                )
            }
            Self::Unsynchronised => f.write_str("the server's own clock is not set"),
        }
    }
}

fn timestamp(packet: &[u8; LEN], at: usize) -> u64 {
    packet[at..at + 8]
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// Seconds below 2^31 belong to the era that begins in 2036 (RFC 4330 §3).
fn unix_us(timestamp: u64) -> u64 {
    let seconds = timestamp >> 32;
    let era = if seconds >> 31 == 0 { ERA_S } else { 0 };
    let fraction_us = ((timestamp & 0xffff_ffff) * 1_000_000) >> 32;
    (seconds + era).saturating_sub(UNIX_EPOCH_S) * 1_000_000 + fraction_us
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NONCE: u64 = 0x1122_3344_5566_7788;

    fn reply(received: u64, sent: u64) -> [u8; LEN] {
        let mut packet = [0; LEN];
        packet[0] = VERSION << 3 | MODE_SERVER;
        packet[1] = 2;
        packet[24..32].copy_from_slice(&NONCE.to_be_bytes());
        packet[32..40].copy_from_slice(&received.to_be_bytes());
        packet[40..48].copy_from_slice(&sent.to_be_bytes());
        packet
    }

    /// 2026-11-22 05:02:00 UTC and a half.
    const UNIX_S: u64 = 1_795_323_720;
    const NTP: u64 = (UNIX_S + UNIX_EPOCH_S) << 32 | 0x8000_0000;

    #[test]
    fn a_request_is_a_version_4_client_packet_with_the_nonce_at_its_end() {
        let packet = request(NONCE);
        assert_eq!(packet[0], 0x23);
        assert!(packet[1..40].iter().all(|byte| *byte == 0));
        assert_eq!(packet[40..], NONCE.to_be_bytes());
    }

    #[test]
    fn half_of_the_way_is_added() {
        let reply = Reply::read(&reply(NTP, NTP), NONCE).expect("a reply");
        assert_eq!(reply.now_us(0), UNIX_S * 1_000_000 + 500_000);
        assert_eq!(reply.now_us(30_000), UNIX_S * 1_000_000 + 515_000);
    }

    #[test]
    fn time_spent_in_the_server_is_no_way() {
        let sent = NTP + (1 << 32);
        let reply = Reply::read(&reply(NTP, sent), NONCE).expect("a reply");
        assert_eq!(reply.now_us(1_100_000), (UNIX_S + 1) * 1_000_000 + 550_000);
    }

    #[test]
    fn the_second_era_begins_in_2036() {
        let reply = Reply::read(&reply(0, 1 << 32), NONCE).expect("a reply");
        assert_eq!(reply.now_us(0) / 1_000_000, 2_085_978_497);
    }

    #[test]
    fn what_is_no_answer_to_us_is_refused() {
        let good = reply(NTP, NTP);
        let cases: [(usize, u8, ReplyError); 5] = [
            (0, 0x23, ReplyError::NoServer(3)),
            (0, 0xe4, ReplyError::Unsynchronised),
            (1, 0, ReplyError::Kiss([0; 4])),
            (1, 16, ReplyError::Unsynchronised),
            (31, 0, ReplyError::NotOurs),
        ];
        for (at, byte, expected) in cases {
            let mut packet = good;
            packet[at] = byte;
            assert_eq!(Reply::read(&packet, NONCE), Err(expected));
        }
        assert_eq!(
            Reply::read(&good[..47], NONCE),
            Err(ReplyError::TooShort(47))
        );
        assert_eq!(
            Reply::read(&reply(NTP, 0), NONCE),
            Err(ReplyError::Unsynchronised)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: alloc::vec::Vec<u8>, nonce: u64, way: u64) {
            if let Ok(reply) = Reply::read(&bytes, nonce) {
                reply.now_us(way);
            }
        }

        #[test]
        fn any_time_of_the_two_eras_is_read(seconds in 0_u64..(1 << 32), way in 0_u64..10_000_000) {
            let reply = Reply::read(&reply(seconds << 32, seconds << 32 | 1), NONCE)
                .expect("a reply");
            let unix = (seconds + if seconds < 1 << 31 { ERA_S } else { 0 }) as i64
                - UNIX_EPOCH_S as i64;
            let expected = unix.max(0) as u64 * 1_000_000 + way / 2;
            prop_assert_eq!(reply.now_us(way), expected);
        }
    }
}
