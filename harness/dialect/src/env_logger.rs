//! Rust's `log` as env_logger prints it: `[2026-01-02T03:04:05Z INFO  target] text`.

use crate::shape::{begins, digits};
use crate::{Dialect, Head, esp_println};

const DATED: &[u8] = b"0000-00-00T00:00:00";

pub(crate) fn head(line: &str) -> Option<Head<'_>> {
    let (inside, text) = line.strip_prefix('[')?.split_once(']')?;
    let (level, target) = esp_println::level(without_time(inside))?;
    let target = target.strip_prefix(' ')?.trim_start();
    let text = match text.strip_prefix(' ') {
        Some(text) => text,
        None if text.is_empty() => text,
        None => return None,
    };
    (!target.is_empty()).then_some(Head {
        dialect: Dialect::EnvLogger,
        level: Some(level),
        tag: Some(target),
        device_ms: None,
        text,
    })
}

/// The time is that of the day, of Greenwich.
fn without_time(inside: &str) -> &str {
    let bytes = inside.as_bytes();
    if !begins(bytes, DATED) {
        return inside;
    }
    let mut at = DATED.len();
    if bytes.get(at) == Some(&b'.') {
        at += 1 + digits(&bytes[at + 1..], 9);
    }
    inside[at..].strip_prefix("Z ").unwrap_or(inside)
}

/// Whether `text` begins with `[2026-01-02T03:04:05`.
pub(crate) fn is_strong(text: &str) -> bool {
    let inside = text.as_bytes().strip_prefix(b"[");
    inside.is_some_and(|inside| begins(inside, DATED))
}
