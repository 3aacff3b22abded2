//! ESP-IDF's log, v1 and v2 (log/src/log_format_text.c, 5.5): `I (12) tag: text`, with a time in ms, of
//! day, or with a date; in v2 also without time or tag.

use trace::Level;

use crate::{Dialect, Head, uptime};

const LONGEST_TAG: usize = 64;
const LONGEST_TIME: usize = 32;

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
    let level = level(*line.as_bytes().first()?)?;
    let rest = line.get(1..)?.strip_prefix(' ')?;
    let head = |tag, device_ms, text| Head {
        dialect: Dialect::EspIdf,
        level,
        tag,
        device_ms,
        text,
    };
    if is_timed(rest.as_bytes()) {
        let (time, rest) = rest[1..].split_once(") ")?;
        let (tag, text) = tag(rest);
        return Some(head(tag, uptime(time), text));
    }
    let (tag, text) = rest
        .split_once(": ")
        .or_else(|| Some((rest.strip_suffix(':')?, "")))?;
    let of_tag = |byte: u8| byte.is_ascii_alphanumeric() || b"_./:-".contains(&byte);
    ((1..=LONGEST_TAG).contains(&tag.len()) && tag.bytes().all(of_tag))
        .then(|| head(Some(tag), None, text))
}

/// Whether these bytes begin with `(time) `.
pub(crate) fn is_timed(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.strip_prefix(b"(") else {
        return false;
    };
    let of_time = |byte: &u8| byte.is_ascii_digit() || b":.- ".contains(byte);
    let length = rest
        .iter()
        .take(LONGEST_TIME)
        .take_while(|b| of_time(b))
        .count();
    length > 0 && rest[0].is_ascii_digit() && rest[length..].starts_with(b") ")
}

/// The tag of `tag: text`. The Wi-Fi library writes `wifi:text`.
fn tag(rest: &str) -> (Option<&str>, &str) {
    if let Some(text) = rest.strip_prefix("wifi:") {
        return (Some("wifi"), text.strip_prefix(' ').unwrap_or(text));
    }
    let split = rest
        .split_once(": ")
        .or_else(|| Some((rest.strip_suffix(':')?, "")));
    match split {
        Some((tag, text)) if (1..=LONGEST_TAG).contains(&tag.len()) => (Some(tag), text),
        _ => (None, rest),
    }
}
