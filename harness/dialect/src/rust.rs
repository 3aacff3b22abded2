//! Rust's `log` as esp-println (`WARN (12) - text`) and env_logger
//! (`[2026-01-02T03:04:05Z INFO  target] text`) print it.

use trace::Level;

use crate::{Dialect, Head};

/// `DEBUG (n) - `, with the longest number.
const LONGEST_TIMED: usize = 32;

pub(crate) fn head(line: &str) -> Option<Head<'_>> {
    match line.strip_prefix('[') {
        Some(rest) => env_logger(rest),
        None => esp_println(line),
    }
}

/// The unit of esp-println's time is the application's, so it tells no ms.
fn esp_println(line: &str) -> Option<Head<'_>> {
    let (level, rest) = level(line)?;
    let rest = match rest.strip_prefix(" (") {
        Some(rest) => {
            let (time, rest) = rest.split_once(')')?;
            let is_number =
                (1..=20).contains(&time.len()) && time.bytes().all(|b| b.is_ascii_digit());
            is_number.then_some(rest)?
        }
        None => rest,
    };
    Some(head_of(level, None, rest.strip_prefix(" - ")?))
}

fn env_logger(rest: &str) -> Option<Head<'_>> {
    let (inside, text) = rest.split_once("] ")?;
    let inside = match inside.split_once("Z ") {
        Some((time, inside)) if time.len() >= 19 && time.as_bytes()[10] == b'T' => inside,
        _ => inside,
    };
    let (level, target) = level(inside)?;
    let target = target.strip_prefix(' ')?.trim_start();
    (!target.is_empty()).then(|| head_of(level, Some(target), text))
}

fn head_of<'l>(level: Level, tag: Option<&'l str>, text: &'l str) -> Head<'l> {
    Head {
        dialect: Dialect::Rust,
        level,
        tag,
        device_ms: None,
        text,
    }
}

fn level(text: &str) -> Option<(Level, &str)> {
    [
        ("ERROR", Level::Error),
        ("WARN", Level::Warn),
        ("INFO", Level::Info),
        ("DEBUG", Level::Debug),
        ("TRACE", Level::Trace),
    ]
    .into_iter()
    .find_map(|(word, level)| Some((level, text.strip_prefix(word)?)))
}

/// Whether `text` begins with `WARN (12) - `.
pub(crate) fn is_timed(text: &str) -> bool {
    level(text).is_some_and(|(_, rest)| rest.starts_with(" ("))
        && esp_println(&text[..text.floor_char_boundary(LONGEST_TIMED)]).is_some()
}

/// Whether `text` begins with `[2026-01-02T`.
pub(crate) fn is_dated(text: &str) -> bool {
    let shape = |(byte, wanted): (&u8, &u8)| match wanted {
        b'0' => byte.is_ascii_digit(),
        _ => byte == wanted,
    };
    text.len() > 12 && text.as_bytes().iter().zip(b"[0000-00-00T").all(shape)
}
