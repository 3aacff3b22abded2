//! The Arduino core's log (esp32-hal-log.h): `[  1234][E][WiFiProv.cpp:155] beginProvision(): text`, in
//! 1.0 without time.

use crate::{Dialect, Head, esp_idf, uptime};

/// The ten digits of a `u32`, with room for blanks.
const LONGEST_TIME: usize = 20;

pub(crate) fn head(line: &str) -> Option<Head<'_>> {
    let (first, rest) = line.strip_prefix('[')?.split_once("][")?;
    let (letter, device_ms, rest) = match first.as_bytes() {
        [letter] if letter.is_ascii_alphabetic() => (*letter, None, rest),
        _ => {
            let digits = first.trim_start_matches(' ');
            if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
                return None;
            }
            let (letter, rest) = rest.split_once("][")?;
            let [letter] = letter.as_bytes() else {
                return None;
            };
            (*letter, uptime(digits), rest)
        }
    };
    let level = esp_idf::level(letter)?;
    // A bracket ends it: what stands further on is another line's.
    let (place, rest) = rest.split_once(']')?;
    let rest = rest.strip_prefix(' ')?;
    let (file, number) = place.rsplit_once(':')?;
    if file.is_empty() || number.is_empty() || !number.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let (_, text) = rest
        .split_once("(): ")
        .or_else(|| Some((rest.strip_suffix("():")?, "")))?;
    Some(Head {
        dialect: Dialect::Arduino,
        level: Some(level),
        tag: Some(place),
        device_ms,
        text,
    })
}

/// Whether `text` begins with `[  12][L][`.
pub(crate) fn is_strong(text: &str) -> bool {
    let Some(rest) = text.as_bytes().strip_prefix(b"[") else {
        return false;
    };
    let of_time = rest.iter().take(LONGEST_TIME);
    let length = of_time
        .take_while(|byte| **byte == b' ' || byte.is_ascii_digit())
        .count();
    length > 0
        && matches!(&rest[length..], [b']', b'[', letter, b']', b'[', ..] if letter.is_ascii_uppercase())
}
