//! Text out of a line's bytes.

use crate::{Part, is_strong};

/// Longest escape sequence that is taken for one.
const LONGEST_SEQUENCE: usize = 64;

/// What a line's bytes say.
///
/// ```
/// let text = dialect::Text::of(b"\x1b[0;32mE (4\xff5) app: a\xffb\x1b[0m");
/// assert_eq!(text.clean(), "E (45) app: ab");
/// assert_eq!(text.shown_of(&dialect::parts(text.clean(), None)[0]), "a\\xffb");
/// ```
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Text {
    clean: String,
    shown: String,
    /// Where bytes were left out: how many bytes of `clean` stand before them, and how many of `shown`
    /// stand for all of those so far.
    gaps: Vec<(u32, u32)>,
    /// How many bytes are neither text nor colour.
    pub garbage: usize,
    /// A colour was switched on and not off again: the record goes on.
    pub coloured: bool,
    /// A colour was switched off, and nothing came after that.
    pub reset: bool,
}

impl Text {
    /// The text of a line of less than 1 GiB.
    pub fn of(bytes: &[u8]) -> Self {
        let mut found = Self::default();
        let mut rest = bytes;
        while let Some((&first, after)) = rest.split_first() {
            if first == 0x1B
                && let Some(sequence) = sequence(after)
                && !is_strong(after)
                && !is_strong(&after[sequence.len() - 1..])
            {
                if let Some(colour) = colour(sequence) {
                    found.coloured = colour;
                    found.reset = !colour;
                }
                rest = &after[sequence.len()..];
                continue;
            }
            let (character, length) = character(rest);
            found.reset = false;
            match character {
                Some(character) if character == '\t' || !character.is_control() => {
                    found.clean.push(character);
                    found.shown.push(character);
                }
                // A control character could do things to the terminal on which it is shown.
                other => {
                    found.leave_out(&rest[..length]);
                    if other.is_none() {
                        found.garbage += length;
                    }
                }
            }
            rest = &rest[length..];
        }
        found
    }

    /// Without escape sequences and without the bytes that are no text.
    pub fn clean(&self) -> &str {
        &self.clean
    }

    /// As people see it: without escape sequences; what is no text stands as `\xNN`.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The same of the text of `part`, which was found in [`Self::clean`].
    pub fn shown_of(&self, part: &Part<'_>) -> &str {
        let (text, is_record) = match part {
            Part::Record(head) => (head.text, true),
            Part::Plain(text) => (*text, false),
        };
        let from = text.as_ptr().addr().checked_sub(self.clean.as_ptr().addr());
        let Some(from) = from.filter(|from| from + text.len() <= self.clean.len()) else {
            // An empty text that stands nowhere.
            return "";
        };
        let to = from + text.len();
        // What was left out between two parts belongs to the first, and behind a head to its text.
        let begin = match is_record || from == 0 {
            true => self.added(|at| at < from),
            false => self.added(|at| at <= from),
        };
        let end = self.added(|at| at <= to);
        self.shown.get(from + begin..to + end).unwrap_or_default()
    }

    /// How many bytes of `shown` stand for the bytes left out at those places.
    fn added(&self, is_before: impl Fn(usize) -> bool) -> usize {
        let before = self
            .gaps
            .partition_point(|(at, _)| usize::try_from(*at).is_ok_and(&is_before));
        let last = before.checked_sub(1).map_or(0, |last| self.gaps[last].1);
        usize::try_from(last).unwrap_or(usize::MAX)
    }

    fn leave_out(&mut self, bytes: &[u8]) {
        escape(bytes, &mut self.shown);
        let at = u32::try_from(self.clean.len()).unwrap_or(u32::MAX);
        let added = u32::try_from(self.shown.len() - self.clean.len()).unwrap_or(u32::MAX);
        match self.gaps.last_mut() {
            Some(last) if last.0 == at => last.1 = added,
            _ => self.gaps.push((at, added)),
        }
    }
}

/// The first character, if these bytes begin with one, and its length.
fn character(bytes: &[u8]) -> (Option<char>, usize) {
    let head = &bytes[..bytes.len().min(4)];
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default(),
    };
    match valid.chars().next() {
        Some(character) => (Some(character), character.len_utf8()),
        None => (None, 1),
    }
}

fn escape(bytes: &[u8], text: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        text.push_str("\\x");
        for digit in [byte >> 4, byte & 0xF] {
            text.push(char::from(DIGITS[usize::from(digit)]));
        }
    }
}

/// The rest of a control sequence (ECMA-48 §5.4) behind its escape, if this is one. None ends in a
/// bracket on any terminal: there, one that was cut off stands before a record's head.
fn sequence(bytes: &[u8]) -> Option<&[u8]> {
    let body = bytes.strip_prefix(b"[")?;
    let end = body
        .iter()
        .take(LONGEST_SEQUENCE)
        .position(|byte| !(0x20..=0x3F).contains(byte))?;
    let is_final = (0x40..=0x7E).contains(&body[end]) && !b"[]".contains(&body[end]);
    is_final.then(|| &bytes[..end + 2])
}

/// Whether a sequence switches a colour on, or off; none if it does something else.
fn colour(sequence: &[u8]) -> Option<bool> {
    let parameters = sequence.strip_prefix(b"[")?.strip_suffix(b"m")?;
    Some(!matches!(parameters, b"" | b"0"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(bytes: &[u8]) -> Text {
        Text::of(bytes)
    }

    #[test]
    fn colours_are_no_text_and_tell_where_a_record_ends() {
        let found = text(b"\x1b[0;32mI (5) app: hi\x1b[0m");
        assert_eq!(found.shown(), "I (5) app: hi");
        assert!(found.reset && !found.coloured && found.garbage == 0);
        let open = text(b"\x1b[0;32mI (5) app: hi");
        assert!(open.coloured && !open.reset);
        assert!(!text(b"\x1b[0m tail").reset);
        assert_eq!(text(b"a\x1b[2Kb").shown(), "ab");
    }

    #[test]
    fn what_is_no_text_is_kept_as_hexadecimal() {
        let found = text(b"a\xff\xc3(\x07\xc3\xa9");
        assert_eq!(found.shown(), "a\\xff\\xc3(\\x07é");
        assert_eq!(found.garbage, 2);
        assert_eq!(text(b"\x1b]0;title\x07").shown(), "\\x1b]0;title\\x07");
        assert_eq!(text(b"end\x1b").shown(), "end\\x1b");
        assert_eq!(text(b"a\tb").shown(), "a\tb");
    }

    #[test]
    fn a_sequence_that_was_cut_off_takes_nothing_of_a_head() {
        for head in [
            "E (12) app: x",
            "[  12][E][a.c:1] f(): x",
            "[inf] f(1): x",
            "[000012]<E> x",
        ] {
            for cut in ["\x1b", "\x1b[", "\x1b[0;3"] {
                let found = text(format!("{cut}{head}").as_bytes());
                assert!(found.clean().ends_with(head), "{found:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_put_a_control_character_into_the_text(
            bytes in proptest::collection::vec(prop_oneof![Just(0x1B), Just(b'['), any::<u8>()], 0..200),
        ) {
            let found = text(&bytes);
            prop_assert!(found.shown().chars().all(|c| c == '\t' || !c.is_control()));
        }

        #[test]
        fn text_without_escapes_stays_as_it_is(line in "[^\\p{Cc}]{0,80}") {
            let found = text(line.as_bytes());
            prop_assert_eq!((found.shown(), found.clean(), found.garbage), (&*line, &*line, 0));
        }
    }
}
