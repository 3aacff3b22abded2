//! Fixed shapes of text, such as those of times.

/// Whether `bytes` begin with `shape`, in which `0` stands for any digit.
pub(crate) fn begins(bytes: &[u8], shape: &[u8]) -> bool {
    let fits = |(byte, wanted): (&u8, &u8)| match wanted {
        b'0' => byte.is_ascii_digit(),
        _ => byte == wanted,
    };
    bytes.len() >= shape.len() && bytes.iter().zip(shape).all(fits)
}

/// How many digits `bytes` begin with, `most` at most.
pub(crate) fn digits(bytes: &[u8], most: usize) -> usize {
    let first = bytes.iter().take(most);
    first.take_while(|byte| byte.is_ascii_digit()).count()
}

/// How many blanks `bytes` begin with, `most` at most.
pub(crate) fn blanks(bytes: &[u8], most: usize) -> usize {
    let first = bytes.iter().take(most);
    first.take_while(|byte| **byte == b' ').count()
}

/// Whether `text` is a name of the language C, such as a function's.
pub(crate) fn is_c_name(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.bytes().all(is_word)
        && text
            .bytes()
            .next()
            .is_some_and(|byte| !byte.is_ascii_digit())
}

/// ms of `    1.234000`, or of another number of seconds with at least three decimals.
pub(crate) fn seconds_ms(text: &str) -> Option<u64> {
    let (whole, part) = text.trim_start_matches(' ').split_once('.')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(part) {
        return None;
    }
    let seconds: u64 = whole.parse().ok()?;
    let ms: u64 = part.get(..3)?.parse().ok()?;
    seconds.checked_mul(1000)?.checked_add(ms)
}
