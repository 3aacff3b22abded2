//! The text of a line.

use std::borrow::Cow;

/// A line that has letters of ASCII alone, as most have, but for the end that a serial port adds.
pub fn plain(line: &[u8]) -> Option<&str> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let is_letter = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t');
    let all = line.iter().all(is_letter);
    all.then(|| std::str::from_utf8(line).ok()).flatten()
}

/// A line in which a return between letters is a blank: what was read from a file may have it at its end.
pub fn with_returns_seen(line: &[u8]) -> Cow<'_, [u8]> {
    let line = line.trim_ascii_end();
    if !line.contains(&b'\r') {
        return Cow::Borrowed(line);
    }
    let seen = line.iter().map(|byte| match byte {
        b'\r' => b' ',
        other => *other,
    });
    Cow::Owned(seen.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use dialect::Text;

    #[test]
    fn a_plain_line_is_what_its_text_is() {
        for line in ["", "I (45) app: a\tb", "I (45) app: a\r", " x "] {
            assert_eq!(
                plain(line.as_bytes()),
                Some(Text::of(line.as_bytes()).clean())
            );
        }
        for line in ["\x1b[0;32mI (45) app: a\x1b[0m", "21 °C", "a\x07b", "a\rb"] {
            assert_eq!(plain(line.as_bytes()), None, "{line}");
        }
    }
}
