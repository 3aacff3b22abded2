//! Cutting a stream of bytes into packets.

use bytes::{Buf as _, Bytes, BytesMut};

/// One packet, its length checked and its content not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Type in the upper four bits, flags in the lower.
    pub(crate) head: u8,
    /// Variable header and payload.
    pub(crate) body: Bytes,
}

/// Bytes that begin no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("the remaining length goes on past its fourth byte")]
    EndlessLength,
    #[error("a packet of {length} bytes; this broker takes up to {limit}")]
    TooLarge { length: usize, limit: usize },
}

/// Takes the next whole packet out of `buffer`, or leaves it as it is if there is none yet.
/// `limit` is the largest remaining length in bytes.
pub(crate) fn next_frame(buffer: &mut BytesMut, limit: usize) -> Result<Option<Frame>, FrameError> {
    let Some((&head, rest)) = buffer.split_first() else {
        return Ok(None);
    };
    let mut length = 0;
    // §2.2.3: seven bits a byte, least significant first.
    for at in 0..4 {
        let Some(&byte) = rest.get(at) else {
            return Ok(None);
        };
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 != 0 {
            continue;
        }
        if length > limit {
            return Err(FrameError::TooLarge { length, limit });
        }
        let start = at + 2;
        if buffer.len() < start + length {
            buffer.reserve(start + length - buffer.len());
            return Ok(None);
        }
        buffer.advance(start);
        let body = buffer.split_to(length).freeze();
        return Ok(Some(Frame { head, body }));
    }
    Err(FrameError::EndlessLength)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_length_of_five_bytes_is_refused() {
        let mut buffer = BytesMut::from(&[0x30, 0x80, 0x80, 0x80, 0x80, 0x01][..]);
        assert_eq!(next_frame(&mut buffer, 10), Err(FrameError::EndlessLength));
    }

    #[test]
    fn a_packet_above_the_limit_is_refused_before_it_has_arrived() {
        let mut buffer = BytesMut::from(&[0x30, 0xff, 0xff, 0xff, 0x7f][..]);
        let refused = next_frame(&mut buffer, 1000);
        assert!(matches!(
            refused,
            Err(FrameError::TooLarge {
                length: 268_435_455,
                ..
            })
        ));
    }

    proptest! {
        #[test]
        fn frames_come_back_however_the_stream_is_cut(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..5),
            cut in 1_usize..40,
        ) {
            let mut stream = Vec::new();
            for body in &bodies {
                stream.push(0x30);
                let mut left = body.len();
                loop {
                    let more = if left > 127 { 0x80 } else { 0 };
                    stream.push((left & 0x7f) as u8 | more);
                    left >>= 7;
                    if left == 0 { break; }
                }
                stream.extend_from_slice(body);
            }
            let mut buffer = BytesMut::new();
            let mut found = Vec::new();
            for piece in stream.chunks(cut) {
                buffer.extend_from_slice(piece);
                while let Some(frame) = next_frame(&mut buffer, 1000).unwrap() {
                    found.push(frame.body.to_vec());
                }
            }
            prop_assert_eq!(found, bodies);
            prop_assert!(buffer.is_empty());
        }
    }
}
