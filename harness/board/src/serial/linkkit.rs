//! The logs of the Linkkit SDK: `[inf] function(12): text` on Linux, `[001234]<I> text` on the
//! systems of boards.

use trace::Level;

/// What the SDK's own lines are tagged with where they name no function.
const TAG: &str = "linkkit";
/// Longest function name that is taken for one, in bytes.
const LONGEST_FUNCTION: usize = 64;

/// One record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head<'l> {
    pub level: Level,
    pub tag: &'l str,
    pub device_ms: Option<u64>,
    pub text: &'l str,
}

/// The record that `line` is, if it is one. Terminal programs put the host's date in brackets
/// before it, which says nothing about the device.
pub(super) fn head(line: &str) -> Option<Head<'_>> {
    let line = without_date(line);
    of_linux(line).or_else(|| of_board(line))
}

fn without_date(line: &str) -> &str {
    let dated = || {
        let (date, rest) = line.strip_prefix('[')?.split_once(']')?;
        let shape = |c: char| c.is_ascii_digit() || matches!(c, '-' | ':' | ' ' | '.');
        let is_date = (8..=32).contains(&date.len())
            && date.contains('-')
            && date.contains(':')
            && date.chars().all(shape);
        is_date.then_some(rest)
    };
    dated().unwrap_or(line)
}

/// `[inf] function(12): text`
fn of_linux(line: &str) -> Option<Head<'_>> {
    let (name, rest) = line.strip_prefix('[')?.split_once("] ")?;
    let level = match name {
        "crt" | "err" => Level::Error,
        "wrn" => Level::Warn,
        "inf" | "prt" => Level::Info,
        "dbg" => Level::Debug,
        "flw" => Level::Trace,
        _ => return None,
    };
    let (tag, text) = function(rest).unwrap_or((TAG, rest));
    Some(Head {
        level,
        tag,
        device_ms: None,
        text,
    })
}

/// The function of `function(12): text`, and the text.
fn function(rest: &str) -> Option<(&str, &str)> {
    let (place, text) = rest.split_once("):")?;
    let (name, line) = place.split_once('(')?;
    let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let named = (1..=LONGEST_FUNCTION).contains(&name.len()) && name.chars().all(of_name);
    let numbered = !line.is_empty() && line.bytes().all(|digit| digit.is_ascii_digit());
    (named && numbered).then(|| (name, text.strip_prefix(' ').unwrap_or(text)))
}

/// `[001234]<I> text`
fn of_board(line: &str) -> Option<Head<'_>> {
    let (time, rest) = line.strip_prefix('[')?.split_once("]<")?;
    if !(1..=20).contains(&time.len()) || !time.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let (letter, text) = rest.split_once('>')?;
    let level = match letter {
        "F" | "E" => Level::Error,
        "W" => Level::Warn,
        "I" => Level::Info,
        "D" => Level::Debug,
        "V" | "T" => Level::Trace,
        _ => return None,
    };
    Some(Head {
        level,
        tag: TAG,
        device_ms: time.parse().ok(),
        text: text.strip_prefix(' ').unwrap_or(text),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_have_level_tag_and_text() {
        for (line, level, tag, device_ms, text) in [
            (
                "[inf] iotx_mc_init(2378): MQTT init success!",
                Level::Info,
                "iotx_mc_init",
                None,
                "MQTT init success!",
            ),
            ("[wrn] f(1):x", Level::Warn, "f", None, "x"),
            (
                "[prt] ok (0 skipped)",
                Level::Info,
                TAG,
                None,
                "ok (0 skipped)",
            ),
            ("[dbg] a b(1): x", Level::Debug, TAG, None, "a b(1): x"),
            (
                "[018912]<D> report token",
                Level::Debug,
                TAG,
                Some(18912),
                "report token",
            ),
            (
                "[2019-04-24-14:37:26][018930]<I> report token res:13",
                Level::Info,
                TAG,
                Some(18930),
                "report token res:13",
            ),
        ] {
            let expected = Head {
                level,
                tag,
                device_ms,
                text,
            };
            assert_eq!(head(line), Some(expected), "{line}");
        }
    }

    #[test]
    fn other_lines_are_no_records() {
        for line in [
            "",
            "[",
            "[abc] x",
            "[12]<X> x",
            "[12]<I x",
            "[2019-04-24-14:37:26]",
            "[é] x",
        ] {
            assert_eq!(head(line), None, "{line}");
        }
    }
}
