//! The log of the Linkkit C SDK 2.3 and 3 (infra_log.c): `[inf] function(12): text`.

use trace::Level;

use crate::shape::is_c_name;
use crate::{Dialect, Head};

/// Longest function name that is taken for one, in bytes.
const LONGEST_FUNCTION: usize = 64;
/// The longest number of a line, in digits.
const LONGEST_NUMBER: usize = 10;

pub(crate) fn head(line: &str) -> Option<Head<'_>> {
    let (name, rest) = line.strip_prefix('[')?.split_once("] ")?;
    let level = match name {
        "crt" | "err" => Level::Error,
        "wrn" => Level::Warn,
        "inf" | "prt" => Level::Info,
        "dbg" => Level::Debug,
        "flw" => Level::Trace,
        _ => return None,
    };
    let (tag, text) = match function(rest) {
        Some((function, text)) => (Some(function), text),
        None => (None, rest),
    };
    // The head of a payload's rows has the level to which the log is set, whatever happened.
    let level = if tag.is_some() && is_title(text) {
        Level::Debug
    } else {
        level
    };
    Some(Head {
        dialect: Dialect::Linkkit,
        level: Some(level),
        tag,
        device_ms: None,
        text,
    })
}

/// Whether `text` is `title (Length: 5 Bytes)`, behind which a payload's rows stand.
fn is_title(text: &str) -> bool {
    let length = text
        .split_once(" (Length: ")
        .and_then(|(_, rest)| rest.split_once(" Bytes)"));
    length.is_some_and(|(digits, _)| {
        !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
    })
}

/// The function of `function(12): text`, and the text.
fn function(rest: &str) -> Option<(&str, &str)> {
    let (place, text) = rest.split_once("):")?;
    let (name, line) = place.split_once('(')?;
    let named = name.len() <= LONGEST_FUNCTION && is_c_name(name);
    let numbered = (1..=LONGEST_NUMBER).contains(&line.len())
        && line.bytes().all(|digit| digit.is_ascii_digit());
    (named && numbered).then(|| (name, text.strip_prefix(' ').unwrap_or(text)))
}

/// Whether `text` begins with `[inf] function(3):`. The function tells a head from a word in brackets.
pub(crate) fn is_strong(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('[') else {
        return false;
    };
    rest.as_bytes().get(3..5) == Some(&b"] "[..]) && rest.is_char_boundary(5) && {
        let rest = &rest[5..];
        let longest = LONGEST_FUNCTION + LONGEST_NUMBER + "():".len();
        function(&rest[..rest.floor_char_boundary(longest)]).is_some()
    }
}
