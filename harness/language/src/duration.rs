//! Durations as scenarios write them: `300ms`, `5s`, `2m`, `1h`.

use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserializer;
use serde::de::{Error, Unexpected, Visitor};

/// What a duration looks like, for messages.
pub(super) const SHAPE: &str = "a duration such as `300ms`, `5s`, `2m` or `1h`";

/// The duration that `text` writes.
pub fn parse(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text[..digits].parse().ok()?;
    let millis = match &text[digits..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

/// `duration` in the shortest way that a scenario could write it.
pub fn display(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        0 => "0s".into(),
        _ if millis.is_multiple_of(60_000) => format!("{}m", millis / 60_000),
        _ if millis.is_multiple_of(1_000) => format!("{}s", millis / 1_000),
        _ => format!("{millis}ms"),
    }
}

/// What `text`, which is no duration, was most likely meant to be.
pub(super) fn meant(text: &str) -> Option<String> {
    let text = text.trim();
    let end = text
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let millis = match unit.trim().to_lowercase().as_str() {
        "ms" | "msec" | "millis" | "millisecond" | "milliseconds" => 1.0,
        "" | "s" | "sec" | "secs" | "second" | "seconds" => 1_000.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000.0,
        "h" | "hour" | "hours" => 3_600_000.0,
        _ => return None,
    };
    let millis = number.parse::<f64>().ok()? * millis;
    // Beyond, a float is no whole number of milliseconds.
    (millis.is_finite() && millis < 9e15)
        .then(|| Duration::from_millis(millis.round() as u64))
        .map(|duration| format!("write `{}`", display(duration)))
}

/// For `#[serde(deserialize_with)]`.
pub(super) fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    deserializer.deserialize_str(DurationVisitor)
}

struct DurationVisitor;

impl Visitor<'_> for DurationVisitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHAPE)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

/// For `#[serde(default, deserialize_with)]`.
pub(super) fn optional<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    required(deserializer).map(Some)
}

/// The schema of a duration.
pub(super) struct Text;

impl JsonSchema for Text {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A number and `ms`, `s`, `m` or `h`.",
            "pattern": "^[0-9]+(ms|s|m|h)$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        for (text, millis) in [
            ("300ms", 300),
            ("5s", 5_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "",
            "5",
            "s",
            "5 s",
            "-5s",
            "1.5s",
            "5S",
            "99999999999999999999s",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_told_as_it_must_be_written() {
        for (text, advice) in [
            ("15", Some("write `15s`")),
            ("1.5s", Some("write `1500ms`")),
            ("5 s", Some("write `5s`")),
            ("5sec", Some("write `5s`")),
            ("2min", Some("write `2m`")),
            ("5S", Some("write `5s`")),
            ("soon", None),
            ("", None),
            ("1.1.1s", None),
            ("99999999999999999999h", None),
        ] {
            assert_eq!(meant(text).as_deref(), advice, "{text}");
        }
    }

    #[test]
    fn a_duration_is_shown_as_it_could_be_written() {
        for text in ["0s", "300ms", "1500ms", "5s", "2m", "90s"] {
            assert_eq!(display(parse(text).expect("a duration")), text);
        }
    }
}
