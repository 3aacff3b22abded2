//! The log formats of connected devices, found per line.
//!
//! Each format is a file and a row of the table in `table.rs`. [`Text`] makes the copy of a line's
//! bytes on which formats are looked for: without escape sequences and without bytes that are no text,
//! wherever they stand. A head is found behind a prompt, behind the stamps of captures, and in the
//! middle of a line where two writers interleave. [`event`] reads resets and crashes.

mod alios;
mod arduino;
mod crash;
mod env_logger;
mod esp8266;
mod esp_idf;
mod esp_println;
mod esphome;
mod event;
mod linkkit;
mod micropython;
mod nuttx;
mod prefix;
mod reset;
mod rows;
mod shape;
mod starts;
mod table;
mod tasmota;
mod text;
mod zephyr;

use trace::Level;

pub use event::{Event, event};
pub use micropython::exception;
pub use prefix::is_prompt;
pub use reset::Chip;
pub use rows::{Row, goes_on, row};
pub use starts::is_strong;
pub use table::DIALECTS;
pub use text::Text;

use starts::starts;

/// The format of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// ESP-IDF v1 and v2, also ESP8266 RTOS SDK 3: `I (12) tag: text`, `I tag: text`.
    EspIdf,
    /// The Arduino core for ESP32: `[  12][E][file.cpp:3] function(): text`.
    Arduino,
    /// ESPHome: `[D][tag:012]: text`.
    EspHome,
    /// The Linkkit C SDK: `[inf] function(3): text`.
    Linkkit,
    /// AliOS-Things: `[000012]<I> text`.
    AliOs,
    /// Zephyr: `[00:00:01.234,567] <err> module: text`.
    Zephyr,
    /// Zephyr's minimal log: `E: text`.
    ZephyrMinimal,
    /// NuttX: `[    1.234000] [  INFO] name: text`.
    NuttX,
    /// Rust's `log` by esp-println: `INFO - text`, `WARN (12) - text`.
    EspPrintln,
    /// Rust's `log` by env_logger: `[2026-01-02T03:04:05Z INFO target] text`.
    EnvLogger,
    /// Tasmota, which tells no level: `00:00:01.234 WIF: text`.
    Tasmota,
    /// MicroPython's exceptions: `Traceback (most recent call last):`.
    MicroPython,
    /// The ESP8266 NONOS SDK, which has no head and tells no level: `state: 2 -> 3 (0)`.
    Esp8266,
}

/// What a record's head says, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head<'l> {
    /// The format.
    pub dialect: Dialect,
    /// The level; none if the format tells none.
    pub level: Option<Level>,
    /// Tag, module, function or file; none if the head has none.
    pub tag: Option<&'l str>,
    /// ms since the device's start; none if the head tells no time or the time of a clock.
    pub device_ms: Option<u64>,
    /// What follows the head.
    pub text: &'l str,
}

/// A number above this many ms (three years) is the time of a clock, not since a start.
const LONGEST_UPTIME_MS: u64 = 100_000_000_000;

/// The record that begins with the first byte of `line`.
pub fn head(line: &str) -> Option<Head<'_>> {
    table::head(line, None)
}

/// One part of a line: a record with a head, or text without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'l> {
    /// A record.
    Record(Head<'l>),
    /// Text in no known format. It may be empty.
    Plain(&'l str),
}

/// The parts of a line, as [`Text::clean`] has it. There is at least one. The work is linear in the
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
pub fn parts<'l>(line: &'l str, only: Option<&[Dialect]>) -> Vec<Part<'l>> {
    let mut parts = Vec::with_capacity(1);
    let mut from = 0;
    for to in starts(line, only) {
        let front = &line[from..to];
        if !(from == 0 && prefix::is_nothing(front)) {
            parts.push(part(front, only));
        }
        from = to;
    }
    parts.push(part(&line[from..], only));
    parts
}

/// The parts of a line that goes on where a piece before it was cut, and that repeats the last `seen`
/// bytes of that piece. A head that could be a coincidence is none at its beginning, and one that the
/// piece before has given already is none at all.
pub fn parts_inside<'l>(line: &'l str, seen: usize, only: Option<&[Dialect]>) -> Vec<Part<'l>> {
    let is_new = |at: &usize| match part(&line[*at..], only) {
        Part::Record(head) => line.len() - head.text.len() > seen,
        Part::Plain(_) => *at >= seen,
    };
    let first = starts(line, only).find(is_new);
    match first {
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
fn part<'l>(text: &'l str, only: Option<&[Dialect]>) -> Part<'l> {
    for begin in prefix::behind(text) {
        if let Some(head) = table::head(begin, only) {
            return Part::Record(head);
        }
        // Stamps are kept before text that nothing is known of: they may be the device's own.
        if begin.len() < text.len() && rows::is_known(begin) {
            return Part::Plain(begin);
        }
    }
    Part::Plain(if prefix::is_stamped_only(text) {
        ""
    } else {
        text
    })
}

/// A number of ms, if it can be a time since a start.
fn uptime(digits: &str) -> Option<u64> {
    digits.parse().ok().filter(|ms| *ms < LONGEST_UPTIME_MS)
}

#[cfg(test)]
mod tests;
