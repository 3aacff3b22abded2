//! The log: records of the `log` facade as defmt frames over RTT.
//!
//! Each record is one frame of the format string in [`Log::log`], which the host knows and turns
//! back into level, tag and text.

use alloc::string::String;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering};

use log::{Level, LevelFilter, Log, Metadata, Record};

use defmt_rtt as _;

use crate::is_firmware;

/// Bytes of one text; what is longer is cut off, as by a device's line buffer.
const LONGEST_TEXT: usize = 8 * 1024;
/// Bytes of a last text, which is made without the heap.
const LONGEST_LAST_TEXT: usize = 512;

/// A frame is being written; an interrupt handler must not write another meanwhile.
static WRITING: AtomicBool = AtomicBool::new(false);

struct DefmtLog;

/// Sends the log to the debugger.
pub fn start() {
    // Another logger can only be there if this was called before.
    if log::set_logger(&DefmtLog).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
}

/// Logs from a panic or fault handler: an error, without the heap, and not at all if the log
/// itself was interrupted.
pub fn last_words(tag: &str, place: Place<'_>, words: fmt::Arguments<'_>) {
    let mut text = LastText {
        bytes: [0; LONGEST_LAST_TEXT],
        length: 0,
    };
    // Does not fail: it cuts off.
    let _ = text.write_fmt(words);
    write(Level::Error, place, tag, text.as_str());
}

impl Log for DefmtLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= LevelFilter::Debug
    }

    fn log(&self, record: &Record<'_>) {
        let module = record.module_path().unwrap_or_default();
        if !self.enabled(record.metadata()) || !is_firmware(record.target(), module) {
            return;
        }
        let place = Place {
            module,
            file: record.file().unwrap_or_default(),
            line: record.line().unwrap_or_default(),
        };
        match record.args().as_str() {
            Some(text) => write(record.level(), place, record.target(), text),
            None => {
                let mut text = Bounded(String::new());
                // Does not fail: it cuts off.
                let _ = text.write_fmt(*record.args());
                write(record.level(), place, record.target(), &text.0);
            }
        }
    }

    fn flush(&self) {}
}

/// Where a record comes from.
#[derive(Clone, Copy, Debug)]
pub struct Place<'r> {
    /// Path of the module; empty if it is not known.
    pub module: &'r str,
    /// Path of the file.
    pub file: &'r str,
    /// From 1 on.
    pub line: u32,
}

/// Here.
#[macro_export]
macro_rules! here {
    () => {
        $crate::logging::Place {
            module: module_path!(),
            file: file!(),
            line: line!(),
        }
    };
}

fn write(level: Level, place: Place<'_>, tag: &str, text: &str) {
    if WRITING.swap(true, Ordering::Acquire) {
        return;
    }
    let Place { module, file, line } = place;
    match level {
        Level::Error => {
            defmt::error!(
                "[{=str} {=str}:{=u32}] {=str}: {=str}",
                module,
                file,
                line,
                tag,
                text
            )
        }
        Level::Warn => {
            defmt::warn!(
                "[{=str} {=str}:{=u32}] {=str}: {=str}",
                module,
                file,
                line,
                tag,
                text
            )
        }
        Level::Info => {
            defmt::info!(
                "[{=str} {=str}:{=u32}] {=str}: {=str}",
                module,
                file,
                line,
                tag,
                text
            )
        }
        Level::Debug | Level::Trace => {
            defmt::debug!(
                "[{=str} {=str}:{=u32}] {=str}: {=str}",
                module,
                file,
                line,
                tag,
                text
            )
        }
    }
    WRITING.store(false, Ordering::Release);
}

/// Text that is cut off at [`LONGEST_TEXT`].
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = LONGEST_TEXT.saturating_sub(self.0.len());
        self.0.push_str(&text[..text.floor_char_boundary(room)]);
        Ok(())
    }
}

/// Text that is cut off at [`LONGEST_LAST_TEXT`].
struct LastText {
    bytes: [u8; LONGEST_LAST_TEXT],
    length: usize,
}

impl LastText {
    fn as_str(&self) -> &str {
        // Only whole characters were written.
        core::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl Write for LastText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let kept = text.floor_char_boundary(LONGEST_LAST_TEXT - self.length);
        self.bytes[self.length..self.length + kept].copy_from_slice(&text.as_bytes()[..kept]);
        self.length += kept;
        Ok(())
    }
}
