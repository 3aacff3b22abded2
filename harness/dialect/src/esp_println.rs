//! Rust's `log` as esp-println prints it: `INFO - text`, `WARN (12) - text`.

use trace::Level;

use crate::{Dialect, Head};

/// `DEBUG (n) - `, with the longest number.
const LONGEST_TIMED: usize = 32;

/// The unit of the time is the application's, so it tells no ms.
pub(crate) fn head(line: &str) -> Option<Head<'_>> {
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
    Some(Head {
        dialect: Dialect::EspPrintln,
        level: Some(level),
        tag: None,
        device_ms: None,
        text: rest.strip_prefix(" - ")?,
    })
}

/// The level whose name `text` begins with, and what follows it.
pub(crate) fn level(text: &str) -> Option<(Level, &str)> {
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
pub(crate) fn is_strong(text: &str) -> bool {
    level(text).is_some_and(|(_, rest)| rest.starts_with(" ("))
        && head(&text[..text.floor_char_boundary(LONGEST_TIMED)]).is_some()
}
