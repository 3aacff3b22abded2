//! Reverse zero-compressing COBS, the framing of defmt's streams
//! (<https://github.com/Dirbaio/rzcobs>): no byte of a frame is zero, a zero ends it.

/// Decodes one frame, without the zero that ends it, into `out`, which is cleared. False if it is
/// no frame.
pub(super) fn decode(frame: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    let mut rest = frame;
    while let Some((&code, before)) = rest.split_last() {
        rest = before;
        match code {
            0 => return false,
            // Seven bytes, of which those with a set bit are zeros and not sent.
            0x01..=0x7f => {
                for bit in (0..7).rev() {
                    if code & (1 << bit) != 0 {
                        out.push(0);
                        continue;
                    }
                    let Some((&byte, before)) = rest.split_last() else {
                        return false;
                    };
                    rest = before;
                    out.push(byte);
                }
            }
            // A zero behind a run without any; the longest run ends without.
            0x80..=0xff => {
                let run = if code == 0xff {
                    134
                } else {
                    out.push(0);
                    usize::from(code & 0x7f) + 7
                };
                let Some(at) = rest.len().checked_sub(run) else {
                    return false;
                };
                out.extend(rest[at..].iter().rev());
                rest = &rest[..at];
            }
        }
    }
    out.reverse();
    true
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::decode;

    /// Encodes as devices do.
    pub(crate) fn encode(data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let (mut run, mut zeros) = (0_u8, 0_u8);
        for &byte in data {
            if run < 7 {
                if byte == 0 {
                    zeros |= 1 << run;
                } else {
                    out.push(byte);
                }
                run += 1;
                if run == 7 && zeros != 0 {
                    out.push(zeros);
                    (run, zeros) = (0, 0);
                }
            } else if byte == 0 {
                out.push((run - 7) | 0x80);
                (run, zeros) = (0, 0);
            } else {
                out.push(byte);
                run += 1;
                if run == 134 {
                    out.push(0xff);
                    (run, zeros) = (0, 0);
                }
            }
        }
        // Padded with zeros to a whole group.
        if run > 0 && run < 7 {
            out.push((0x7f << run) & 0x7f | zeros);
        } else if run >= 7 {
            out.push((run - 7) | 0x80);
        }
        out
    }

    proptest! {
        #[test]
        fn what_was_encoded_comes_back_with_zeros_behind_it(
            data in prop::collection::vec(prop_oneof![Just(0_u8), any::<u8>()], 0..600)
        ) {
            let encoded = encode(&data);
            prop_assert!(!encoded.contains(&0));
            let mut out = vec![1, 2, 3];
            prop_assert!(decode(&encoded, &mut out));
            prop_assert!(out.starts_with(&data));
            prop_assert!(out[data.len()..].iter().all(|byte| *byte == 0));
        }

        #[test]
        fn nothing_grows_by_more_than_its_zeros(data in prop::collection::vec(any::<u8>(), 0..600)) {
            let mut out = Vec::new();
            if decode(&data, &mut out) {
                prop_assert!(out.len() <= data.len() * 7);
            }
        }
    }
}
