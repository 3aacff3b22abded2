//! ESPHome's log (log_buffer.h): `[D][tag:012]: text`, from another thread `[D][tag:012][thread]: text`.
//! The time before it is that of the tool which shows the log.

use trace::Level;

use crate::shape::digits;
use crate::{Dialect, Head, esp_idf};

/// Tags and threads are no longer, in bytes.
const LONGEST_NAME: usize = 48;
/// The line in the source file has three digits or four.
const MOST_DIGITS: usize = 5;

pub(crate) fn head(line: &str) -> Option<Head<'_>> {
    let (word, rest) = line.strip_prefix('[')?.split_once("][")?;
    let level = match word {
        "VV" => Level::Trace,
        // What a component is configured to, which ESPHome prints at its start.
        "C" => Level::Info,
        _ if word.len() == 1 => esp_idf::level(word.as_bytes()[0])?,
        _ => return None,
    };
    let (place, mut rest) = rest.split_once(']')?;
    let (tag, number) = place.rsplit_once(':')?;
    let is_number = (3..=MOST_DIGITS).contains(&number.len())
        && digits(number.as_bytes(), MOST_DIGITS) == number.len();
    if !is_number || tag.is_empty() || tag.len() > LONGEST_NAME {
        return None;
    }
    if let Some(thread) = rest.strip_prefix('[') {
        let (name, behind) = thread.split_once(']')?;
        if name.len() > LONGEST_NAME {
            return None;
        }
        rest = behind;
    }
    let text = rest.strip_prefix(':')?;
    let text = match text.strip_prefix(' ') {
        Some(text) => text,
        None if text.is_empty() => text,
        None => return None,
    };
    Some(Head {
        dialect: Dialect::EspHome,
        level: Some(level),
        tag: Some(tag),
        device_ms: None,
        text,
    })
}

/// Whether `text` begins with `[L][`; the tag and its number tell the rest.
pub(crate) fn is_strong(text: &str) -> bool {
    let bytes = text.as_bytes();
    matches!(bytes, [b'[', letter, b']', b'[', ..] if letter.is_ascii_uppercase())
        || bytes.starts_with(b"[VV][")
}
