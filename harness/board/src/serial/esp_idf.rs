//! ESP-IDF's log: `I (1234) tag: text`.

use trace::Level;

/// Longest tag that is taken for one, in bytes.
const LONGEST_TAG: usize = 64;

/// What ESP-IDF prints when the firmware ends by itself, before it restarts (ESP-IDF 5.5,
/// esp_system/panic.c, esp_system_chip.c, newlib/assert.c, freertos/app_startup.c).
const PANICS: [&str; 4] = [
    "Guru Meditation Error",
    "abort() was called at PC",
    "assert failed:",
    "***ERROR*** A stack overflow in task",
];

/// The beginning of a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head<'l> {
    pub level: Level,
    pub tag: &'l str,
    pub device_ms: Option<u64>,
    pub text: &'l str,
}

/// The record that `line` begins, if it begins one. The time may be ms since the start or the time
/// of day (`CONFIG_LOG_TIMESTAMP_SOURCE_SYSTEM`), which says nothing about the start.
pub(super) fn head(line: &str) -> Option<Head<'_>> {
    let (letter, rest) = line.split_at_checked(1)?;
    let level = match letter {
        "E" => Level::Error,
        "W" => Level::Warn,
        "I" => Level::Info,
        "D" => Level::Debug,
        "V" => Level::Trace,
        _ => return None,
    };
    let (time, rest) = rest.strip_prefix(" (")?.split_once(") ")?;
    let of_time = |c: char| c.is_ascii_digit() || matches!(c, ':' | '.' | '-' | ' ');
    if time.is_empty() || time.len() > 32 || !time.chars().all(of_time) {
        return None;
    }
    let (tag, text) = rest.split_once(':')?;
    if tag.is_empty() || tag.len() > LONGEST_TAG {
        return None;
    }
    Some(Head {
        level,
        tag,
        device_ms: time.parse().ok(),
        text: text.strip_prefix(' ').unwrap_or(text),
    })
}

/// Whether the firmware says here that it ends.
pub(super) fn is_panic(line: &str) -> bool {
    PANICS.iter().any(|panic| line.starts_with(panic))
}

/// Whether this belongs to what it prints then.
pub(super) fn is_of_panic(line: &str) -> bool {
    is_panic(line) || line.starts_with("Backtrace:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_has_level_time_tag_and_text() {
        for (line, level, tag, device_ms, text) in [
            (
                "I (1234) app: hello: you",
                Level::Info,
                "app",
                Some(1234),
                "hello: you",
            ),
            (
                "E (0) wifi:mode : sta",
                Level::Error,
                "wifi",
                Some(0),
                "mode : sta",
            ),
            ("V (12:34:56.789) a b: ", Level::Trace, "a b", None, ""),
            (
                "W (2026-01-02 12:34:56.789) x: y",
                Level::Warn,
                "x",
                None,
                "y",
            ),
            (
                "D (99999999999999999999) x: y",
                Level::Debug,
                "x",
                None,
                "y",
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
    fn other_lines_begin_no_record() {
        for line in [
            "",
            "é",
            "I (1234) no tag",
            "I (x) app: text",
            "I () app: text",
            "X (1) app: text",
            "I am: here",
            "rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)",
        ] {
            assert_eq!(head(line), None, "{line}");
        }
    }

    #[test]
    fn panics_are_known_by_their_first_words() {
        assert!(is_panic(
            "Guru Meditation Error: Core  0 panic'ed (LoadProhibited)."
        ));
        assert!(is_of_panic("Backtrace: 0x400d1234:0x3ffb5678"));
        assert!(!is_panic("Backtrace: 0x400d1234:0x3ffb5678"));
    }
}
