//! MicroPython, which prints no log but tells of an exception that nothing has caught: a first line, a
//! row for each call, and the exception.

use trace::Level;

use crate::{Dialect, Head};

const TRACEBACK: &str = "Traceback (most recent call last):";
/// Names of exceptions are no longer, in bytes.
const LONGEST_NAME: usize = 64;

pub(crate) fn head(line: &str) -> Option<Head<'_>> {
    (line.trim_end() == TRACEBACK).then_some(Head {
        dialect: Dialect::MicroPython,
        level: Some(Level::Error),
        tag: None,
        device_ms: None,
        text: line,
    })
}

/// Type and message of an exception, the last row of a traceback: `OSError: -202`, or the type alone.
pub fn exception(line: &str) -> Option<(&str, &str)> {
    let (name, message) = match line.split_once(':') {
        Some((name, message)) => (name, message.strip_prefix(' ').unwrap_or(message)),
        None => (line.trim_end(), ""),
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_.".contains(&byte);
    ((1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(is_name)
        && name.as_bytes()[0].is_ascii_alphabetic())
    .then_some((name, message))
}
