//! ESP-IDF's log, v1 and v2 (log/src/log_format_text.c, 5.5): `I (12) tag: text`, with a time in ms, of
//! day, or with a date; in v2 also without time or tag. ESP8266 RTOS SDK 3 prints v1.

use trace::Level;

use crate::shape::{begins, digits};
use crate::{Dialect, Head, uptime};

/// A tag of a head without time, which words of prose must not be taken for, in bytes.
const LONGEST_UNTIMED_TAG: usize = 64;
/// Digits of the longest number that is read as a time.
const LONGEST_NUMBER: usize = 20;

pub(crate) fn level(letter: u8) -> Option<Level> {
    Some(match letter {
        b'E' => Level::Error,
        b'W' => Level::Warn,
        b'I' => Level::Info,
        b'D' => Level::Debug,
        b'V' => Level::Trace,
        _ => return None,
    })
}

pub(crate) fn head(line: &str) -> Option<Head<'_>> {
    let level = Some(level(*line.as_bytes().first()?)?);
    let rest = line.get(1..)?.strip_prefix(' ')?;
    let head = |tag, device_ms, text| Head {
        dialect: Dialect::EspIdf,
        level,
        tag,
        device_ms,
        text,
    };
    if let Some((time, rest)) = timed(rest) {
        let (tag, text) = tag(rest);
        return Some(head(tag, uptime(time), text));
    }
    let (tag, text) = rest
        .split_once(": ")
        .or_else(|| Some((rest.strip_suffix(':')?, "")))?;
    let of_tag = |byte: u8| byte.is_ascii_alphanumeric() || b"_./:-".contains(&byte);
    ((1..=LONGEST_UNTIMED_TAG).contains(&tag.len()) && tag.bytes().all(of_tag))
        .then(|| head(Some(tag), None, text))
}

/// Whether `text` begins with `E (12) ` or another time.
pub(crate) fn is_strong(text: &str) -> bool {
    let first = text.bytes().next().and_then(level);
    first.is_some() && text[1..].strip_prefix(' ').and_then(timed).is_some()
}

/// The time of `(time) text`, and the text: ms, the time of a day, or one with a date.
fn timed(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('(')?;
    let bytes = inner.as_bytes();
    let mut length = digits(bytes, LONGEST_NUMBER);
    if bytes.get(length) != Some(&b')') {
        let dates = [&b"0000-00-00 "[..], b"00-00-00 "].into_iter();
        let mut date = dates.filter(|shape| begins(bytes, shape));
        length = date.next().map_or(0, <[u8]>::len);
        const CLOCK: &[u8] = b"00:00:00.000";
        if !begins(&bytes[length..], CLOCK) {
            return None;
        }
        length += CLOCK.len();
    }
    let rest = inner[length..].strip_prefix(") ")?;
    (length > 0).then(|| (&inner[..length], rest))
}

/// The tag of `tag: text`. The Wi-Fi library writes `wifi:text`; a Rust module's path holds `::`.
fn tag(rest: &str) -> (Option<&str>, &str) {
    if let Some(text) = rest.strip_prefix("wifi:") {
        return (Some("wifi"), text.strip_prefix(' ').unwrap_or(text));
    }
    let mut ends = rest.match_indices(": ").map(|(at, _)| at);
    let end = ends.find(|at| !rest[..*at].ends_with(':'));
    let split = end.map(|end| (&rest[..end], &rest[end + 2..]));
    match split.or_else(|| Some((rest.strip_suffix(':')?, ""))) {
        Some((tag, text)) if !tag.is_empty() => (Some(tag), text),
        _ => (None, rest),
    }
}
