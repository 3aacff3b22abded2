//! Lines without a head that are known all the same: a ROM's, a crash's, those that tools insert, and
//! those that go on with the record before them.

use crate::{Dialect, crash, prefix, reset};

/// What a line without a head is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// What a chip's ROM prints while it starts, or a system's first line.
    Rom,
    /// Registers, stack or backtrace of a crash, or the line that tells of it.
    Crash,
    /// Inserted by the program that captured the log.
    Tool,
    /// A console's prompt.
    Prompt,
}

/// How the lines of a ROM begin.
const ROM: [&str; 29] = [
    "ESP-ROM:",
    "ESP-ROM-LP:",
    "Build:",
    "rst:0x",
    "ets Jan ",
    "ets Jun ",
    "ets Jul ",
    "Saved PC:0x",
    "Core0 Saved PC:0x",
    "Core1 Saved PC:0x",
    "SPIWP:0x",
    "mode:DIO, clock div:",
    "mode:DOUT, clock div:",
    "mode:QIO, clock div:",
    "mode:QOUT, clock div:",
    "SPI mode:",
    "configsip: ",
    "clk_drv:0x",
    "load:0x",
    "entry 0x",
    "load 0x",
    "chksum 0x",
    "csum 0x",
    "wdt reset",
    "waiting for host",
    "waiting for download",
    "wait usb download",
    "*** Booting ",
    "MPY: soft reboot",
];

/// What a line without a head is, if it is known.
pub fn row(text: &str) -> Option<Row> {
    let text = text.trim();
    if crash::cause(text).is_some() {
        return Some(Row::Crash);
    }
    if reset::cause(text, None).is_some() || ROM.iter().any(|begin| text.starts_with(begin)) {
        return Some(Row::Rom);
    }
    if crash::is_row(text) {
        return Some(Row::Crash);
    }
    if is_tools(text) {
        return Some(Row::Tool);
    }
    prefix::is_prompt(text).then_some(Row::Prompt)
}

/// Whether so much is known of a line that a stamp before it is a tool's.
pub(crate) fn is_known(text: &str) -> bool {
    matches!(row(text), Some(Row::Rom | Row::Crash))
}

/// `--- 0x4037c686: func at f.c:64` (esp-idf-monitor), `0x400d1234: func at f.c:9` (its older versions),
/// `0x40800540 - func` and `at ??:??` (espflash), `#0  0x400d1234 in func` (PlatformIO).
fn is_tools(text: &str) -> bool {
    let address = |text: &str| {
        let (digits, rest) = text.strip_prefix("0x")?.split_at_checked(8)?;
        digits
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit())
            .then(|| rest.to_owned())
    };
    let behind = address(text.strip_prefix("--- ").unwrap_or(text));
    let of_monitor = behind.is_some_and(|rest| {
        rest.starts_with(" - ") || rest.starts_with(": ") && rest.contains(" at ")
    });
    let of_platformio = || {
        let (number, rest) = text.strip_prefix('#')?.split_once(' ')?;
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        (is_number && number.len() <= 3).then(|| address(rest.trim_start()))?
    };
    of_monitor || of_platformio().is_some() || text == "at ??:??"
}

/// Whether a line without a head, directly behind a record of `dialect`, goes on with it: lists,
/// rows of bytes, JSON, the calls of a traceback.
pub fn goes_on(dialect: Dialect, text: &str) -> bool {
    let begins = |marks: &[&str]| marks.iter().any(|mark| text.starts_with(mark));
    match dialect {
        // They have no head, so that nothing tells whose line this is.
        Dialect::Esp8266 | Dialect::Tasmota => false,
        _ if begins(&[" ", "\t", "{", "}", "]", "-----BEGIN ", "-----END "]) => true,
        Dialect::Linkkit => begins(&["> ", "< ", "+---"]),
        Dialect::Arduino => begins(&["/* 0x"]),
        _ => false,
    }
}
