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

/// Names by which a logger tells the level of a line that is an object of JSON.
const LEVELS: [&str; 7] = [
    "\"l\":",
    "\"lvl\":",
    "\"level\":",
    "\"sev\":",
    "\"severity\":",
    "\"logLevel\":",
    "\"loglevel\":",
];

/// What a logger that writes objects of JSON tells in a line, as others write it: `name=value` and blanks.
pub fn in_words(line: &str) -> Option<String> {
    let object = line.strip_prefix('{')?.trim_end().strip_suffix('}')?;
    if !LEVELS.iter().any(|level| object.contains(level)) {
        return None;
    }
    let mut words = String::with_capacity(object.len());
    let (mut is_quoted, mut last) = (false, ' ');
    for letter in object.chars() {
        match letter {
            '"' if last != '\\' => is_quoted = !is_quoted,
            ':' if !is_quoted => words.push('='),
            ',' if !is_quoted => words.push(' '),
            '{' | '}' if !is_quoted => {}
            _ => words.push(letter),
        }
        last = letter;
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dialect::Text;

    #[test]
    fn an_object_of_a_logger_is_told_in_words() {
        assert_eq!(
            in_words(r#"{"up":9,"l":"e","m":"mqtt","e":"connack, late","rc":5}"#).as_deref(),
            Some("up=9 l=e m=mqtt e=connack, late rc=5")
        );
        assert_eq!(
            in_words(r#"{"code":401002,"message":"Unauthorized"}"#),
            None
        );
    }

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
