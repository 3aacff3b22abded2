//! Lines out of bytes.

/// The longest line, in bytes; a longer one comes in pieces. It is so long that a text which a
/// scenario waits for stands in one piece in all that devices print as one line.
pub(super) const LONGEST: usize = 64 * 1024;
/// So many bytes of a piece stand at the beginning of the next one, too: a text that is no longer, and
/// every head, stands in one piece wherever a line is cut.
pub(super) const OVERLAP: usize = 4 * 1024;

/// A line, or a piece of one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// Without its end.
    pub bytes: Vec<u8>,
    /// It goes on where the piece before it stopped.
    pub continues: bool,
    /// So many of its first bytes are the last ones of the piece before it.
    pub repeats: usize,
    /// That was in the middle of what the device sent, not at a pause.
    pub in_flow: bool,
}

/// Takes bytes and gives lines, which end with CR, LF or both.
#[derive(Default)]
pub(super) struct Lines {
    line: Vec<u8>,
    /// The next LF belongs to a CR that has ended a line already.
    after_cr: bool,
    /// What is in `line` goes on a line of which a piece was given away.
    continues: bool,
    in_flow: bool,
    /// So many bytes of `line` were given with the piece before.
    repeats: usize,
}

impl Lines {
    /// Takes bytes, and gives every line that they end.
    pub fn push(&mut self, bytes: &[u8], mut give: impl FnMut(Piece)) {
        for &byte in bytes {
            let after_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            match byte {
                // CR CR LF is one end, as of a CR LF whose LF was made a CR LF once more.
                b'\n' | b'\r' if after_cr => {}
                b'\n' | b'\r' => {
                    // An empty end of a line says nothing.
                    if !self.continues || self.is_partial() {
                        give(self.take());
                    }
                    self.continues = false;
                    self.repeats = 0;
                    self.line.clear();
                }
                byte => {
                    self.line.push(byte);
                    if self.line.len() == LONGEST {
                        let rest = self.line.split_off(whole_characters(&self.line));
                        let repeated = self.line.len() - first_character(&self.line, OVERLAP);
                        let next = [&self.line[self.line.len() - repeated..], &rest].concat();
                        give(self.take());
                        self.line = next;
                        self.continues = true;
                        self.in_flow = true;
                        self.repeats = repeated;
                    }
                }
            }
        }
    }

    /// Whether a line has begun and not ended.
    pub fn is_partial(&self) -> bool {
        self.line.len() > self.repeats
    }

    /// Gives what there is of a line, such as a prompt; what comes later goes on from there.
    pub fn flush(&mut self) -> Option<Piece> {
        if !self.is_partial() {
            return None;
        }
        let piece = self.take();
        self.continues = true;
        self.in_flow = false;
        Some(piece)
    }

    /// Bytes of memory that are held.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.line.capacity()
    }

    fn take(&mut self) -> Piece {
        Piece {
            bytes: std::mem::take(&mut self.line),
            repeats: std::mem::take(&mut self.repeats),
            continues: self.continues,
            in_flow: self.in_flow && self.continues,
        }
    }
}

/// How many of these bytes are not the beginning of a character whose end is missing.
fn whole_characters(bytes: &[u8]) -> usize {
    // At most three bytes of a character can be there without its last one.
    let last = bytes.len().saturating_sub(3);
    match bytes[last..].iter().rposition(|byte| *byte >= 0xC0) {
        Some(at) if std::str::from_utf8(&bytes[last + at..]).is_err() => last + at,
        _ => bytes.len(),
    }
}

/// Where the last `length` bytes begin, or a few less: not inside a character.
fn first_character(bytes: &[u8], length: usize) -> usize {
    let from = bytes.len().saturating_sub(length);
    let is_inside = |byte: &u8| (0x80..0xC0).contains(byte);
    let inside = bytes[from..]
        .iter()
        .take(3)
        .take_while(|byte| is_inside(byte));
    // Bytes that are no text have no characters.
    from + inside.count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut given = Vec::new();
        for chunk in chunks {
            lines.push(chunk, |piece| given.push(piece));
        }
        given.extend(lines.flush());
        given
            .iter()
            .map(|piece| {
                let mark = if piece.continues { "…" } else { "" };
                let new = &piece.bytes[piece.repeats..];
                format!("{mark}{}", String::from_utf8_lossy(new))
            })
            .collect()
    }

    #[test]
    fn lines_end_with_cr_lf_or_both_also_between_two_reads() {
        assert_eq!(lines(&[b"a\rb\nc\r\nd"]), ["a", "b", "c", "d"]);
        assert_eq!(lines(&[b"a\r", b"\nb\r", b"c\n"]), ["a", "b", "c"]);
        assert_eq!(lines(&[b"a\r\r\nb", b"\r", b"\r", b"\nc"]), ["a", "b", "c"]);
        assert_eq!(lines(&[b"a\n\nb\r\n\r\nc"]), ["a", "", "b", "", "c"]);
    }

    #[test]
    fn a_prompt_is_given_and_what_follows_goes_on_from_it() {
        let mut lines = Lines::default();
        lines.push(b"esp32> ", |piece| panic!("no line yet: {piece:?}"));
        assert!(lines.is_partial());
        let prompt = lines.flush().expect("a prompt");
        assert_eq!(
            (&prompt.bytes[..], prompt.continues),
            (&b"esp32> "[..], false)
        );
        let mut given = Vec::new();
        lines.push(b"help\nnext\n", |piece| given.push(piece));
        assert!(given[0].continues && !given[1].continues, "{given:?}");
        // Nothing but the end of a line that was given already.
        lines.push(b"x", |_| {});
        lines.flush();
        lines.push(b"\n", |piece| panic!("an empty line: {piece:?}"));
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_between_characters() {
        let text = "é".repeat(LONGEST);
        let found = lines(&[text.as_bytes(), b"\n"]);
        assert!(
            found.iter().all(|line| !line.contains('\u{FFFD}')),
            "cut inside one"
        );
        let joined: String = found
            .iter()
            .map(|line| line.trim_start_matches('…'))
            .collect();
        assert_eq!(joined, text);
    }

    #[test]
    fn a_log_without_line_ends_costs_the_longest_line() {
        let mut lines = Lines::default();
        let mut longest = 0;
        for byte in [b'x', 0x80, 0] {
            for _ in 0..4_000 {
                lines.push(&[byte; 1024], |piece| {
                    longest = longest.max(piece.bytes.capacity())
                });
                longest = longest.max(lines.line.capacity());
            }
        }
        assert!(longest <= 2 * LONGEST, "{longest}");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_however_it_is_cut(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..600),
            cuts in proptest::collection::vec(0..600_usize, 0..8),
        ) {
            let mut lines = Lines::default();
            let mut given = Vec::new();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.push(bytes.len());
            cuts.sort_unstable();
            let mut from = 0;
            for cut in cuts {
                lines.push(&bytes[from..cut], |piece| given.extend(piece.bytes));
                from = cut;
            }
            given.extend(lines.flush().map(|piece| piece.bytes).unwrap_or_default());
            let kept: Vec<u8> = bytes.into_iter().filter(|byte| !b"\r\n".contains(byte)).collect();
            prop_assert_eq!(given, kept);
        }
    }
}
