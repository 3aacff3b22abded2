//! Text out of a line's bytes.

/// Longest escape sequence that is taken for one.
const LONGEST_SEQUENCE: usize = 64;

/// What a line's bytes say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Text {
    /// Without colours. What is no text stands as `\xNN`.
    pub text: String,
    /// How many bytes are neither text nor colour.
    pub garbage: usize,
    /// A colour was switched on and not off again: the record goes on.
    pub coloured: bool,
    /// A colour was switched off, and nothing came after that.
    pub reset: bool,
}

/// The text of a line.
pub(super) fn text(bytes: &[u8]) -> Text {
    let mut found = Text::default();
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        if first == 0x1B
            && let Some(sequence) = sequence(after)
            && !dialect::is_strong(after)
            && !dialect::is_strong(&after[sequence.len() - 1..])
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
                found.text.push(character);
            }
            // A control character could do things to the terminal on which it is shown.
            Some(_) => escape(&rest[..length], &mut found.text),
            None => {
                escape(&rest[..length], &mut found.text);
                found.garbage += length;
            }
        }
        rest = &rest[length..];
    }
    found
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
    for byte in bytes {
        text.push_str(&format!("\\x{byte:02x}"));
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

    #[test]
    fn colours_are_no_text_and_tell_where_a_record_ends() {
        let found = text(b"\x1b[0;32mI (5) app: hi\x1b[0m");
        assert_eq!(found.text, "I (5) app: hi");
        assert!(found.reset && !found.coloured && found.garbage == 0);
        let open = text(b"\x1b[0;32mI (5) app: hi");
        assert!(open.coloured && !open.reset);
        assert!(!text(b"\x1b[0m tail").reset);
        assert_eq!(text(b"a\x1b[2Kb").text, "ab");
    }

    #[test]
    fn what_is_no_text_is_kept_as_hexadecimal() {
        let found = text(b"a\xff\xc3(\x07\xc3\xa9");
        assert_eq!(found.text, "a\\xff\\xc3(\\x07é");
        assert_eq!(found.garbage, 2);
        assert_eq!(text(b"\x1b]0;title\x07").text, "\\x1b]0;title\\x07");
        assert_eq!(text(b"end\x1b").text, "end\\x1b");
        assert_eq!(text(b"a\tb").text, "a\tb");
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
                let found = text(format!("{cut}{head}").as_bytes()).text;
                assert!(found.ends_with(head), "{found}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_put_a_control_character_into_the_text(
            bytes in proptest::collection::vec(prop_oneof![Just(0x1B), Just(b'['), any::<u8>()], 0..200),
        ) {
            let found = text(&bytes);
            prop_assert!(found.text.chars().all(|c| c == '\t' || !c.is_control()));
        }

        #[test]
        fn text_without_escapes_stays_as_it_is(line in "[^\\p{Cc}]{0,80}") {
            let found = text(line.as_bytes());
            prop_assert_eq!((found.text, found.garbage), (line, 0));
        }
    }
}
