//! What stands before a head: the stamp of a capture, a prompt.

/// Prompts of consoles and shells.
const PROMPTS: [&str; 8] = [
    "esp> ", "esp32> ", "uart:~$ ", "nsh> ", ">>> ", "> ", "login: ", "$ ",
];

/// The line without at most one stamp and one prompt, and without the bytes that are no text
/// (`\xNN`) around them. Empty if there is nothing else.
pub(crate) fn strip(line: &str) -> &str {
    let line = without_escapes(line);
    let line = without_escapes(stamp(line).unwrap_or(line));
    let line = PROMPTS
        .iter()
        .find_map(|prompt| line.strip_prefix(prompt))
        .unwrap_or(line);
    without_escapes(line)
}

/// Whether a line's front says nothing.
pub(crate) fn is_noise(front: &str) -> bool {
    strip(front).trim().is_empty()
}

fn without_escapes(mut line: &str) -> &str {
    let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    while let Some(escape) = line.as_bytes().get(..4)
        && escape.starts_with(b"\\x")
        && escape[2..].iter().all(is_digit)
    {
        line = &line[4..];
    }
    line
}

/// The line behind `12:31:18.532 -> `, `2026-11-28 07:35:07 `, `[2026-11-28 07:35:07] `,
/// `Nov 28 07:35:07 ` and the like: a clock's `:` twice, and a mark or blank behind it.
fn stamp(line: &str) -> Option<&str> {
    let (bracket, inner) = match line.strip_prefix('[') {
        Some(inner) => (true, inner),
        None => (false, line),
    };
    // `ts` begins with the month.
    let month = inner
        .get(..4)
        .is_some_and(|m| m.ends_with(' ') && m.as_bytes()[..3].iter().all(u8::is_ascii_alphabetic));
    let from = if month { 4 } else { 0 };
    let of_time = |byte: &u8| byte.is_ascii_digit() || b":.- T".contains(byte);
    let bytes = inner.as_bytes();
    let mut length = from
        + bytes[from..]
            .iter()
            .take(28)
            .take_while(|b| of_time(b))
            .count();
    let time = &inner[from..length];
    if !time.as_bytes().first()?.is_ascii_digit() && !month || time.matches(':').count() != 2 {
        return None;
    }
    if bracket {
        let rest = inner[length..].strip_prefix(']')?;
        return Some(rest.strip_prefix(' ').unwrap_or(rest));
    }
    // The `-` of `->` was taken for one of a date.
    if time.ends_with(" -") {
        length -= 1;
    }
    let rest = &inner[length..];
    rest.strip_prefix("-> ")
        .or_else(|| rest.strip_prefix("> "))
        .or_else(|| time.ends_with(' ').then_some(rest))
}
