//! What stands before a head: the stamps of capture tools, a prompt.

use crate::shape::{begins, digits};

/// Two tools may have stamped a line.
const MOST_STAMPS: usize = 2;
/// The longest name in a prompt, such as `esp32s3` in `esp32s3> `, in bytes.
const LONGEST_PROMPT: usize = 32;
/// Ends of prompts: consoles and NuttX, Unix shells and Zephyr, root's shell.
const PROMPT_ENDS: [&str; 3] = ["> ", "$ ", "# "];
/// Prompts without a name: MicroPython's and a login.
const PROMPTS: [&str; 4] = [">>> ", "... ", "=== ", "login: "];

/// Where a head may begin in `line`: at its beginning, behind a prompt, behind one stamp or two, and
/// behind a prompt after those.
pub(crate) fn behind(line: &str) -> impl Iterator<Item = &str> {
    unstamped(line).flat_map(|line| std::iter::once(line).chain(prompt(line)))
}

/// The line, without its first stamp, and without two.
fn unstamped(line: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(line), |line| stamp(line)).take(1 + MOST_STAMPS)
}

/// Whether a line is stamps and nothing else: one that was empty when it was captured.
pub(crate) fn is_stamped_only(line: &str) -> bool {
    !line.is_empty() && unstamped(line).any(str::is_empty)
}

/// Whether a line's front says nothing: blanks, stamps, a prompt.
pub(crate) fn is_nothing(front: &str) -> bool {
    behind(front).any(|rest| rest.trim().is_empty())
}

/// Whether `text` is a prompt and nothing else, with or without the blank at its end.
pub fn is_prompt(text: &str) -> bool {
    let text = text.trim_end();
    let is_named = |end: &str| {
        let name = text.strip_suffix(end.trim_end());
        name.is_some_and(|name| name.len() <= LONGEST_PROMPT && name.bytes().all(is_of_name))
    };
    PROMPTS.iter().any(|prompt| prompt.trim_end() == text) || PROMPT_ENDS.into_iter().any(is_named)
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.:~@/-".contains(&byte)
}

/// The line behind a prompt.
fn prompt(line: &str) -> Option<&str> {
    let behind = PROMPTS.iter().find_map(|prompt| line.strip_prefix(prompt));
    if behind.is_some() {
        return behind;
    }
    let first = line.bytes().take(LONGEST_PROMPT);
    let length = first.take_while(|byte| is_of_name(*byte)).count();
    let rest = &line[length..];
    PROMPT_ENDS.iter().find_map(|end| rest.strip_prefix(end))
}

/// The line behind the stamp of a capture tool: `07:35:07.004 -> ` (Arduino IDE), `> ` (PlatformIO),
/// `2026-11-28 07:35:07 ` (idf.py monitor), `2026-11-28T07:35:07.004 ` (tio), `Nov 28 07:35:07 ` (ts),
/// and all of them in brackets, behind which a blank may lack.
pub(crate) fn stamp(line: &str) -> Option<&str> {
    let (bracketed, inner) = match line.strip_prefix('[') {
        Some(inner) => (true, inner),
        None => (false, line),
    };
    let bytes = inner.as_bytes();
    let date = date(bytes);
    let mut at = date;
    if !begins(&bytes[at..], b"00:00:00") {
        return None;
    }
    at += 8;
    if bytes.get(at) == Some(&b'.') {
        let decimals = digits(&bytes[at + 1..], 9);
        if decimals == 0 {
            return None;
        }
        at += 1 + decimals;
    }
    if date > 0 && bytes.get(at) == Some(&b'Z') {
        at += 1;
    }
    let rest = &inner[at..];
    if bracketed {
        let rest = rest.strip_prefix(']')?;
        return Some(rest.strip_prefix(' ').unwrap_or(rest));
    }
    [" -> ", " > ", " "]
        .iter()
        .find_map(|end| rest.strip_prefix(end))
}

/// The length of a date, with what parts it from the time of day; 0 if there is none.
fn date(bytes: &[u8]) -> usize {
    for shape in [&b"0000-00-00"[..], b"00-00-00"] {
        if begins(bytes, shape) && matches!(bytes.get(shape.len()), Some(b' ' | b'T' | b'-')) {
            return shape.len() + 1;
        }
    }
    let is_month = bytes.len() > 7 && bytes[..3].iter().all(u8::is_ascii_alphabetic);
    let is_day = is_month && (begins(&bytes[3..], b" 00 ") || begins(&bytes[3..], b"  0 "));
    if is_day { 7 } else { 0 }
}
