//! Tasmota's log (AddLogData): `14:30:16.749 MQT: text`, with the free memory behind the time if so
//! configured. It tells no level.

use crate::shape::{begins, digits};
use crate::{Dialect, Head};

const MOST_DIGITS: usize = 8;

/// The time is that of the day.
pub(crate) fn head(line: &str) -> Option<Head<'_>> {
    let bytes = line.as_bytes();
    let mut at = match bytes {
        _ if begins(bytes, b"00:00:00.000") => 12,
        _ if begins(bytes, b"00:00:00") => 8,
        _ => return None,
    };
    // Free memory in KiB, on an ESP32 also its fragmentation.
    if bytes.get(at) == Some(&b'-') {
        at = number(bytes, at + 1)?;
        if bytes.get(at) == Some(&b'/') {
            at = number(bytes, at + 1)?;
        }
    }
    let [b' ', first, second, third, b':', b' ', ..] = &bytes[at..] else {
        return None;
    };
    let is_component = first.is_ascii_uppercase()
        && [second, third]
            .iter()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    is_component.then(|| Head {
        dialect: Dialect::Tasmota,
        level: None,
        tag: Some(&line[at + 1..at + 4]),
        device_ms: None,
        text: &line[at + 6..],
    })
}

/// The end of the number that begins at `from`.
fn number(bytes: &[u8], from: usize) -> Option<usize> {
    let length = digits(&bytes[from..], MOST_DIGITS);
    (length > 0).then_some(from + length)
}
