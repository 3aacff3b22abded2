//! The log formats of connected devices, found per line.
//!
//! Each format is a file and a row of the table in [`head`]. A head is found behind a prompt, behind the
//! stamp of a capture, behind stray bytes, and in the middle of a line where two writers interleave.

mod arduino;
mod esp_idf;
mod event;
mod linkkit;
mod prefix;
mod rust;
mod zephyr;

use trace::Level;

pub use event::{Event, event};

/// The format of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// ESP-IDF v1 and v2, also ESP8266 RTOS SDK: `I (12) tag: text`, `I tag: text`.
    EspIdf,
    /// The Arduino core for ESP32: `[  12][E][file.cpp:3] function(): text`.
    Arduino,
    /// The Linkkit SDK and AliOS-Things: `[inf] function(3): text`, `[000012]<I> text`.
    Linkkit,
    /// Zephyr: `[00:00:01.234,567] <err> module: text`.
    Zephyr,
    /// Rust's `log`: `INFO - text`, `[2026-01-02T03:04:05Z INFO target] text`.
    Rust,
}

/// What a record's head says, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head<'l> {
    /// The format.
    pub dialect: Dialect,
    /// The level.
    pub level: Level,
    /// Tag, module, function or file; none if the head has none.
    pub tag: Option<&'l str>,
    /// ms since the device's start; none if the head tells no time or the time of a clock.
    pub device_ms: Option<u64>,
    /// What follows the head.
    pub text: &'l str,
}

/// A number above this many ms (three years) is the time of a clock, not since a start.
const LONGEST_UPTIME_MS: u64 = 100_000_000_000;

type Reader = fn(&str) -> Option<Head<'_>>;

/// Every format, in the order in which they are tried.
const HEADS: [(Dialect, Reader); 5] = [
    (Dialect::EspIdf, esp_idf::head),
    (Dialect::Arduino, arduino::head),
    (Dialect::Linkkit, linkkit::head),
    (Dialect::Zephyr, zephyr::head),
    (Dialect::Rust, rust::head),
];

/// The record that begins with the first byte of `line`.
pub fn head(line: &str) -> Option<Head<'_>> {
    if !matches!(
        line.as_bytes().first(),
        Some(b'E' | b'W' | b'I' | b'D' | b'V' | b'T' | b'[' | b'<')
    ) {
        return None;
    }
    HEADS.iter().find_map(|(_, read)| read(line))
}

/// One part of a line: a record with a head, or text without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'l> {
    /// A record.
    Record(Head<'l>),
    /// Text in no known format. It may be empty.
    Plain(&'l str),
}

/// The parts of a line, without escape sequences. There is at least one.
///
/// ```
/// use dialect::{Part, parts};
/// let found = parts("W (1) a: halfE (2) b: whole");
/// let [Part::Record(first), Part::Record(second)] = &found[..] else { panic!("two records") };
/// assert_eq!((first.text, second.text), ("half", "whole"));
/// ```
pub fn parts(line: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::with_capacity(1);
    let stripped = prefix::strip(line);
    let (mut open, mut rest) = match head(stripped) {
        Some(head) => (Some(head.clone()), head.text),
        None => (None, line),
    };
    loop {
        let inner = inner(rest, open.is_none());
        let front = &rest[..inner.unwrap_or(rest.len())];
        match open.take() {
            Some(head) => parts.push(Part::Record(Head {
                text: front,
                ..head
            })),
            None if inner.is_some() && is_noise(front) => {}
            None => parts.push(Part::Plain(front)),
        }
        let Some(at) = inner else { return parts };
        match head(&rest[at..]) {
            Some(head) => {
                rest = head.text;
                open = Some(head);
            }
            None => {
                // A ROM banner: plain text of its own.
                parts.push(Part::Plain(&rest[at..]));
                return parts;
            }
        }
    }
}

/// Where in `text` another record or banner begins whose head cannot be a coincidence.
fn inner(text: &str, with_zero: bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let at_head = |at: usize| {
        (at > 0 || with_zero) && text.is_char_boundary(at) && head(&text[at..]).is_some()
    };
    for (at, &byte) in bytes.iter().enumerate() {
        let rest = &bytes[at..];
        let start = match byte {
            b'(' if at >= 2
                && bytes[at - 1] == b' '
                && matches!(bytes[at - 2], b'E' | b'W' | b'I' | b'D' | b'V')
                && esp_idf::is_timed(rest) =>
            {
                at - 2
            }
            b'[' if arduino::is_timed(rest)
                || linkkit::is_strong(rest)
                || zephyr::is_timed(rest) =>
            {
                at
            }
            b'E' if at > 0 && rest.starts_with(b"ESP-ROM:") => return Some(at),
            b'r' if at > 0 && rest.starts_with(b"rst:0x") => return Some(at),
            b'G' if at > 0 && rest.starts_with(b"Guru Meditation Error") => return Some(at),
            _ => continue,
        };
        if at_head(start) {
            return Some(start);
        }
    }
    None
}

/// Whether a front says nothing: a prompt, a stamp, or bytes that are no text (`\xNN`).
fn is_noise(front: &str) -> bool {
    let mut rest = prefix::strip(front).trim();
    while let Some(after) = rest.strip_prefix("\\x") {
        let Some(after) = after.get(2..) else { break };
        rest = after.trim_start();
    }
    rest.is_empty()
}

/// A number of ms, if it can be a time since a start.
fn uptime(digits: &str) -> Option<u64> {
    digits.parse().ok().filter(|ms| *ms < LONGEST_UPTIME_MS)
}

#[cfg(test)]
mod tests;
