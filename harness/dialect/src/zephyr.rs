//! Zephyr's log (subsys/logging/log_output.c): `[00:00:01.234,567] <err> module: text`.

use trace::Level;

use crate::{Dialect, Head};

pub(crate) fn head(line: &str) -> Option<Head<'_>> {
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
    // A thread's name may stand before the module's.
    let rest = match rest
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "))
    {
        Some((thread, rest)) if thread.len() <= 48 => rest,
        _ => rest,
    };
    let of_module = |byte: u8| byte.is_ascii_alphanumeric() || b"_./-".contains(&byte);
    let (tag, text) = match rest.split_once(": ") {
        Some((module, text)) if !module.is_empty() && module.bytes().all(of_module) => {
            (Some(module), text)
        }
        _ => (None, rest),
    };
    Some(Head {
        dialect: Dialect::Zephyr,
        level,
        tag,
        device_ms,
        text,
    })
}

/// ms of `00:00:01.234,567` or `    1.234000`; none inside for raw cycles, whose unit nothing tells.
fn time_ms(time: &str) -> Option<Option<u64>> {
    let time = time.trim_start_matches(' ');
    if time.is_empty()
        || time.len() > 24
        || !time
            .bytes()
            .all(|b| b.is_ascii_digit() || b":.,".contains(&b))
    {
        return None;
    }
    let Some((whole, part)) = time.split_once('.') else {
        return Some(None);
    };
    let mut seconds: u64 = 0;
    for number in whole.split(':') {
        seconds = seconds.checked_mul(60)?.checked_add(number.parse().ok()?)?;
    }
    let ms: u64 = part.get(..3)?.parse().ok()?;
    Some(seconds.checked_mul(1000)?.checked_add(ms))
}

/// Whether these bytes begin with `[00:00:01.234,567] <`.
pub(crate) fn is_timed(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.strip_prefix(b"[") else {
        return false;
    };
    let of_time = |byte: &u8| byte.is_ascii_digit() || b":., ".contains(byte);
    let length = rest.iter().take(24).take_while(|b| of_time(b)).count();
    length > 0 && rest[length..].starts_with(b"] <")
}
