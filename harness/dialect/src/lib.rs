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

/// A head with its file, function or tag is no longer, in bytes.
const LONGEST_HEAD: usize = 512;

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
    head_in(line, None)
}

/// The same, in this format alone if there is one.
fn head_in(line: &str, only: Option<Dialect>) -> Option<Head<'_>> {
    if !matches!(
        line.as_bytes().first(),
        Some(b'E' | b'W' | b'I' | b'D' | b'V' | b'T' | b'[' | b'<')
    ) {
        return None;
    }
    HEADS
        .iter()
        .filter(|(dialect, _)| only.is_none_or(|only| only == *dialect))
        .find_map(|(_, read)| read(line))
}

/// Whether these bytes begin with a head that cannot be a coincidence, wherever it stands.
pub fn is_strong(bytes: &[u8]) -> bool {
    let window = &bytes[..bytes.len().min(LONGEST_HEAD)];
    let text = match std::str::from_utf8(window) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&window[..error.valid_up_to()]).unwrap_or_default(),
    };
    is_strong_in(text, None)
}

fn is_strong_in(text: &str, only: Option<Dialect>) -> bool {
    let bytes = text.as_bytes();
    let looks = match bytes.first() {
        Some(b'E' | b'W' | b'I' | b'D' | b'V' | b'T') => {
            bytes.get(1) == Some(&b' ') && esp_idf::is_timed(&bytes[2..]) || rust::is_timed(text)
        }
        Some(b'[') => {
            arduino::is_timed(bytes)
                || linkkit::is_strong(text)
                || zephyr::is_timed(bytes)
                || rust::is_dated(text)
        }
        _ => false,
    };
    if !looks {
        return false;
    }
    let window = &text[..text.floor_char_boundary(LONGEST_HEAD)];
    #[cfg(test)]
    tests::count(window.len());
    head_in(window, only).is_some()
}

/// One part of a line: a record with a head, or text without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'l> {
    /// A record.
    Record(Head<'l>),
    /// Text in no known format. It may be empty.
    Plain(&'l str),
}

/// The parts of a line, without escape sequences. There is at least one. The work is linear in the
/// line's length.
///
/// ```
/// use dialect::{Part, parts};
/// let found = parts("W (1) a: halfE (2) b: whole", None);
/// let [Part::Record(first), Part::Record(second)] = &found[..] else { panic!("two records") };
/// assert_eq!((first.text, second.text), ("half", "whole"));
/// ```
///
/// With `only`, heads of other formats are text.
pub fn parts(line: &str, only: Option<Dialect>) -> Vec<Part<'_>> {
    let mut parts = Vec::with_capacity(1);
    let mut from = 0;
    for to in starts(line, only) {
        let front = &line[from..to];
        if !(from == 0 && prefix::is_noise(front)) {
            parts.push(part(front, from == 0, only));
        }
        from = to;
    }
    parts.push(part(&line[from..], from == 0, only));
    parts
}

/// The parts of what goes on a line whose front was given already: a head that could be a
/// coincidence is none at its beginning.
pub fn parts_inside(line: &str, only: Option<Dialect>) -> Vec<Part<'_>> {
    match starts(line, only).next() {
        None => vec![Part::Plain(line)],
        Some(0) => parts(line, only),
        Some(at) => {
            let mut found = vec![Part::Plain(&line[..at])];
            found.extend(parts(&line[at..], only));
            found
        }
    }
}

/// One part, which is the first of its line or begins where [`starts`] says.
fn part(text: &str, is_first: bool, only: Option<Dialect>) -> Part<'_> {
    let begin = match is_first {
        true => prefix::strip(text),
        false => text,
    };
    match head_in(begin, only) {
        Some(head) => Part::Record(head),
        None => Part::Plain(text),
    }
}

/// What a ROM or a panic handler prints, which another writer's line may stand before.
const BANNERS: [&str; 6] = [
    "ESP-ROM:",
    "rst:0x",
    "Guru Meditation Error",
    "ets Jan ",
    "ets Jun ",
    "ets Jul ",
];

/// Where in `line` records and banners begin that cannot be a coincidence.
fn starts(line: &str, only: Option<Dialect>) -> impl Iterator<Item = usize> {
    line.bytes().enumerate().filter_map(move |(at, byte)| {
        let is_start = match byte {
            b'E' | b'W' | b'I' | b'D' | b'V' | b'T' | b'[' if is_strong_in(&line[at..], only) => {
                true
            }
            b'E' | b'r' | b'G' | b'e' if at > 0 => {
                let rest = &line.as_bytes()[at..];
                BANNERS
                    .iter()
                    .any(|banner| rest.starts_with(banner.as_bytes()))
            }
            _ => false,
        };
        is_start.then_some(at)
    })
}

/// A number of ms, if it can be a time since a start.
fn uptime(digits: &str) -> Option<u64> {
    digits.parse().ok().filter(|ms| *ms < LONGEST_UPTIME_MS)
}

#[cfg(test)]
mod tests;
