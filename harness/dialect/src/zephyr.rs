//! Zephyr's log (subsys/logging/log_output.c): `[00:00:01.234,567] <err> module: text`, and its minimal
//! one: `E: text`.

use trace::Level;

use crate::{Dialect, Head, esp_idf};

/// A thread's name or address is no longer, in bytes.
const LONGEST_THREAD: usize = 48;
const LONGEST_TIME: usize = 24;
/// Cycles have so many digits, or twice as many.
const CYCLE_DIGITS: usize = 8;

pub(crate) fn head(line: &str) -> Option<Head<'_>> {
    if is_loss(line) {
        return Some(Head {
            dialect: Dialect::Zephyr,
            level: Some(Level::Warn),
            tag: None,
            device_ms: None,
            text: line,
        });
    }
    let (device_ms, rest) = match line.strip_prefix('[') {
        Some(rest) => {
            let (time, rest) = rest.split_once("] ")?;
            (time_ms(time)?, rest)
        }
        None => (None, line),
    };
    let (word, rest) = rest.strip_prefix('<')?.split_once("> ")?;
    let level = match word {
        "err" => Level::Error,
        "wrn" => Level::Warn,
        "inf" => Level::Info,
        "dbg" => Level::Debug,
        _ => return None,
    };
    let threaded = rest
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "));
    let rest = match threaded {
        Some((thread, rest)) if thread.len() <= LONGEST_THREAD => rest,
        _ => rest,
    };
    let of_module = |byte: u8| byte.is_ascii_alphanumeric() || b"_./-".contains(&byte);
    let is_module = |text: &str| {
        let first = text.bytes().next();
        text.bytes().all(of_module)
            && first.is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
    };
    let (tag, text) = match rest.split_once(": ") {
        Some((module, text)) if is_module(module) => (Some(module), text),
        _ => (None, rest),
    };
    Some(Head {
        dialect: Dialect::Zephyr,
        level: Some(level),
        tag,
        device_ms,
        text,
    })
}

/// `E: text`
pub(crate) fn minimal(line: &str) -> Option<Head<'_>> {
    let level = esp_idf::level(*line.as_bytes().first()?)?;
    let text = line.get(1..)?.strip_prefix(": ")?;
    (level != Level::Trace).then_some(Head {
        dialect: Dialect::ZephyrMinimal,
        level: Some(level),
        tag: None,
        device_ms: None,
        text,
    })
}

/// `--- 5 messages dropped ---`
fn is_loss(line: &str) -> bool {
    let number = line
        .strip_prefix("--- ")
        .and_then(|rest| rest.trim_end().strip_suffix(" messages dropped ---"));
    number.is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// ms of `00:00:01.234,567` or `    1.234000`; none inside for raw cycles, whose unit nothing tells.
fn time_ms(time: &str) -> Option<Option<u64>> {
    let time = time.trim_start_matches(' ');
    let of_time = |byte: u8| byte.is_ascii_digit() || b":.,".contains(&byte);
    if time.is_empty() || time.len() > LONGEST_TIME || !time.bytes().all(of_time) {
        return None;
    }
    let Some((whole, part)) = time.split_once('.') else {
        let is_cycles = time.bytes().all(|byte| byte.is_ascii_digit())
            && [CYCLE_DIGITS, 2 * CYCLE_DIGITS].contains(&time.len());
        return is_cycles.then_some(None);
    };
    let mut seconds: u64 = 0;
    for number in whole.split(':') {
        seconds = seconds.checked_mul(60)?.checked_add(number.parse().ok()?)?;
    }
    let ms: u64 = part.get(..3)?.parse().ok()?;
    Some(seconds.checked_mul(1000)?.checked_add(ms))
}

/// Whether `text` begins with `[00:00:01.234,567] <`.
pub(crate) fn is_strong(text: &str) -> bool {
    let Some(rest) = text.as_bytes().strip_prefix(b"[") else {
        return false;
    };
    let of_time = |byte: &u8| byte.is_ascii_digit() || b":., ".contains(byte);
    let window = rest.iter().take(LONGEST_TIME);
    let length = window.take_while(|byte| of_time(byte)).count();
    length > 0 && rest[length..].starts_with(b"] <")
}
