//! The log of NuttX (vsyslog.c): `[    1.234000] [CPU0] [ 3] [  INFO] name: text`, of which each part but
//! the level may lack.

use trace::Level;

use crate::shape::seconds_ms;
use crate::{Dialect, Head};

/// What stands in one pair of brackets is no longer, in bytes.
const LONGEST_FIELD: usize = 24;
/// Time, processor, process, level.
const MOST_FIELDS: usize = 4;

pub(crate) fn head(line: &str) -> Option<Head<'_>> {
    let (level, device_ms, rest) = fields(line)?;
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let (tag, text) = match rest.split_once(": ") {
        Some((name, text)) if !name.is_empty() && name.bytes().all(of_name) => (Some(name), text),
        _ => (None, rest),
    };
    Some(Head {
        dialect: Dialect::NuttX,
        level: Some(level),
        tag,
        device_ms,
        text,
    })
}

/// Level, time and rest of a line that begins with fields in brackets, the last of which is a level.
fn fields(line: &str) -> Option<(Level, Option<u64>, &str)> {
    let mut device_ms = None;
    let mut rest = line;
    for at in 0..MOST_FIELDS {
        let inner = rest.strip_prefix('[')?;
        let window = &inner[..inner.floor_char_boundary(LONGEST_FIELD)];
        let (field, _) = window.split_once(']')?;
        let behind = &inner[field.len() + 1..];
        let word = field.trim_start_matches(' ');
        if let Some(level) = level(word) {
            return Some((level, device_ms, behind.strip_prefix(' ')?));
        }
        if let (0, Some(ms)) = (at, seconds_ms(word)) {
            device_ms = Some(ms);
        } else if !is_number(word.strip_prefix("CPU").unwrap_or(word)) {
            return None;
        }
        // An old copy has no blank behind the time.
        rest = behind.strip_prefix(' ').unwrap_or(behind);
    }
    None
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

fn level(word: &str) -> Option<Level> {
    Some(match word {
        "EMERG" | "ALERT" | "CRIT" | "ERROR" => Level::Error,
        "WARN" => Level::Warn,
        "NOTICE" | "INFO" => Level::Info,
        "DEBUG" => Level::Debug,
        _ => return None,
    })
}

/// Whether `text` begins with `[    1.234000] ` and a level.
pub(crate) fn is_strong(text: &str) -> bool {
    matches!(text.as_bytes(), [b'[', b' ' | b'0'..=b'9', ..])
        && matches!(fields(text), Some((_, Some(_), _)))
}
