//! NULs at the end of what devices send: the C SDK copies names, signatures and payloads out of
//! buffers of a fixed length, and may send the rest of the buffer, too.

/// The bytes without the NULs that pad them.
pub(super) fn unpadded(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|byte| *byte != 0);
    &bytes[..end.map_or(0, |last| last + 1)]
}

/// The same of text.
pub(super) fn unpadded_text(text: &str) -> &str {
    &text[..unpadded(text.as_bytes()).len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_nuls_at_the_end_are_padding() {
        for (padded, expected) in [
            ("", ""),
            ("\0\0", ""),
            ("{}", "{}"),
            ("{}\0", "{}"),
            ("lamp\0\0\0", "lamp"),
            ("\0la\0mp\0", "\0la\0mp"),
            ("\u{f6}\0", "\u{f6}"),
        ] {
            assert_eq!(unpadded_text(padded), expected);
            assert_eq!(unpadded(padded.as_bytes()), expected.as_bytes());
        }
    }
}
