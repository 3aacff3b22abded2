//! The logs of the Linkkit SDK: `[inf] function(12): text` on Linux, `[001234]<I> text` on the
//! systems of boards.

use trace::Level;

use crate::{Dialect, Head, uptime};

/// Longest function name that is taken for one, in bytes.
const LONGEST_FUNCTION: usize = 64;

/// The record that `line` is, if it is one. Terminal programs put the host's date in brackets
/// before it, which says nothing about the device.
pub(crate) fn head(line: &str) -> Option<Head<'_>> {
    let line = without_date(line);
    of_linux(line).or_else(|| of_board(line))
}

fn without_date(line: &str) -> &str {
    let dated = || {
        let (date, rest) = line.strip_prefix('[')?.split_once(']')?;
        let shape = |c: char| c.is_ascii_digit() || matches!(c, '-' | ':' | ' ' | '.');
        let is_date = (8..=32).contains(&date.len())
            && date.contains('-')
            && date.contains(':')
            && date.chars().all(shape);
        is_date.then_some(rest)
    };
    dated().unwrap_or(line)
}

/// `[inf] function(12): text`
fn of_linux(line: &str) -> Option<Head<'_>> {
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
    Some(Head {
        dialect: Dialect::Linkkit,
        level,
        tag,
        device_ms: None,
        text,
    })
}

/// The function of `function(12): text`, and the text.
fn function(rest: &str) -> Option<(&str, &str)> {
    let (place, text) = rest.split_once("):")?;
    let (name, line) = place.split_once('(')?;
    let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let named = (1..=LONGEST_FUNCTION).contains(&name.len()) && name.chars().all(of_name);
    let numbered = !line.is_empty() && line.bytes().all(|digit| digit.is_ascii_digit());
    (named && numbered).then(|| (name, text.strip_prefix(' ').unwrap_or(text)))
}

/// `[001234]<I> text`
fn of_board(line: &str) -> Option<Head<'_>> {
    let (time, rest) = line.strip_prefix('[')?.split_once("]<")?;
    if !(1..=20).contains(&time.len()) || !time.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let (letter, text) = rest.split_once('>')?;
    let level = match letter {
        "A" | "F" | "E" => Level::Error,
        "W" => Level::Warn,
        "I" => Level::Info,
        "D" => Level::Debug,
        "V" | "T" => Level::Trace,
        _ => return None,
    };
    Some(Head {
        dialect: Dialect::Linkkit,
        level,
        tag: None,
        device_ms: uptime(time),
        text: text.strip_prefix(' ').unwrap_or(text),
    })
}

/// Whether `text` begins with `[inf] function(3):` or `[000012]<I>`.
pub(crate) fn is_strong(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('[') else {
        return false;
    };
    let bytes = rest.as_bytes();
    let digits = bytes
        .iter()
        .take(20)
        .take_while(|b| b.is_ascii_digit())
        .count();
    if digits >= 6 {
        return matches!(&bytes[digits..], [b']', b'<', letter, b'>', ..] if letter.is_ascii_uppercase());
    }
    // The function tells a head from a word in brackets.
    bytes.get(3..5) == Some(&b"] "[..]) && {
        let rest = &rest[5..];
        function(&rest[..rest.floor_char_boundary(LONGEST_FUNCTION + 16)]).is_some()
    }
}
