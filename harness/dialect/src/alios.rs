//! The log of AliOS-Things (ulog): `[018912]<D> text`, and with details
//! `[  12.034]<E> module [file#77] : text`. One copy counts ms modulo 10^6, so a time that falls is no
//! restart.

use trace::Level;

use crate::shape::{blanks, digits, seconds_ms};
use crate::{Dialect, Head, uptime};

/// ms have so many digits at least: they are padded.
const FEWEST_DIGITS: usize = 6;
const MOST_DIGITS: usize = 20;
/// Modules are no longer, in bytes.
const LONGEST_MODULE: usize = 32;

pub(crate) fn head(line: &str) -> Option<Head<'_>> {
    let (time, letter, text) = split(line)?;
    let level = level(letter)?;
    let text = match text.strip_prefix(' ') {
        Some(text) => text,
        None if text.is_empty() => text,
        None => return None,
    };
    let head = |tag, device_ms, text| Head {
        dialect: Dialect::AliOs,
        level: Some(level),
        tag,
        device_ms,
        text,
    };
    if !time.contains('.') {
        return Some(head(None, uptime(time), text));
    }
    let (tag, text) = details(text)?;
    Some(head(tag, seconds_ms(time), text))
}

/// Alert, fatal and error are errors alike.
fn level(letter: u8) -> Option<Level> {
    Some(match letter {
        b'A' | b'F' | b'E' => Level::Error,
        b'W' => Level::Warn,
        b'I' => Level::Info,
        b'D' => Level::Debug,
        b'V' | b'T' => Level::Trace,
        _ => return None,
    })
}

/// Time, letter and rest of `[018912]<D> text`.
fn split(line: &str) -> Option<(&str, u8, &str)> {
    let inner = line.strip_prefix('[')?;
    let bytes = inner.as_bytes();
    let whole = digits(bytes, MOST_DIGITS);
    let time = if whole >= FEWEST_DIGITS && bytes.get(whole) == Some(&b']') {
        whole
    } else {
        let padding = blanks(bytes, 4);
        let seconds = digits(&bytes[padding..], MOST_DIGITS);
        let end = padding + seconds;
        let decimals = bytes.get(end + 1..).map_or(0, |rest| digits(rest, 4));
        if seconds == 0 || bytes.get(end) != Some(&b'.') || decimals != 3 {
            return None;
        }
        end + 4
    };
    let [b']', b'<', letter, b'>', ..] = &bytes[time..] else {
        return None;
    };
    Some((&inner[..time], *letter, inner.get(time + 4..)?))
}

/// Module and text of `net [sal.c#77] : text`; the module may lack.
fn details(text: &str) -> Option<(Option<&str>, &str)> {
    let (before, rest) = text.split_once('[')?;
    let module = before.trim_end_matches(' ');
    if module.len() > LONGEST_MODULE || module.contains(' ') {
        return None;
    }
    let (place, text) = rest
        .split_once("] : ")
        .or_else(|| Some((rest.strip_suffix("] :")?, "")))?;
    let (_, number) = place.split_once('#')?;
    let is_number = !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then_some(((!module.is_empty()).then_some(module), text))
}

/// Whether `text` begins with `[018912]<D>` or `[  12.034]<D>`.
pub(crate) fn is_strong(text: &str) -> bool {
    split(text).is_some_and(|(_, letter, _)| level(letter).is_some())
}
