//! The Arduino core's log (esp32-hal-log.h): `[  1234][E][WiFiProv.cpp:155] beginProvision(): text`, in
//! 1.0 without time.

use crate::{Dialect, Head, esp_idf, uptime};

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
    let (place, rest) = rest.split_once("] ")?;
    let (file, number) = place.rsplit_once(':')?;
    if file.is_empty() || number.is_empty() || !number.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let (_, text) = rest
        .split_once("(): ")
        .or_else(|| Some((rest.strip_suffix("():")?, "")))?;
    Some(Head {
        dialect: Dialect::Arduino,
        level,
        tag: Some(place),
        device_ms,
        text,
    })
}

/// Whether these bytes begin with `[  12][L][`.
pub(crate) fn is_timed(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.strip_prefix(b"[") else {
        return false;
    };
    let length = rest
        .iter()
        .take(20)
        .take_while(|b| **b == b' ' || b.is_ascii_digit())
        .count();
    length > 0
        && matches!(&rest[length..], [b']', b'[', letter, b']', b'[', ..] if letter.is_ascii_uppercase())
}
