//! A moment relative to the lab's now.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Seconds from the lab's now, written as a whole number and a unit: `-30d`, `12h`, `90m`, `5s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Offset {
    seconds: i64,
}

impl Offset {
    /// `seconds` after now, or before it if negative.
    pub const fn from_secs(seconds: i64) -> Self {
        Self { seconds }
    }

    /// Seconds from now.
    pub const fn as_secs(self) -> i64 {
        self.seconds
    }
}

/// A text is no [`Offset`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no time from now; write a whole number and one of s, m, h, d, such as -30d")]
pub struct OffsetError(String);

impl FromStr for Offset {
    type Err = OffsetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || OffsetError(text.to_owned());
        let unit = match text.chars().last() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            Some('d') => 86_400,
            _ => return Err(wrong()),
        };
        let number: i64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
        let seconds = number.checked_mul(unit).ok_or_else(wrong)?;
        Ok(Self { seconds })
    }
}

impl TryFrom<String> for Offset {
    type Error = OffsetError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Offset> for String {
    fn from(offset: Offset) -> Self {
        offset.to_string()
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, name) in [(86_400, 'd'), (3600, 'h'), (60, 'm')] {
            if self.seconds != 0 && self.seconds % unit == 0 {
                return write!(f, "{}{name}", self.seconds / unit);
            }
        }
        write!(f, "{}s", self.seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read_and_written_back() {
        for (text, seconds) in [
            ("-30d", -2_592_000),
            ("12h", 43_200),
            ("90m", 5400),
            ("5s", 5),
        ] {
            let offset: Offset = text.parse().unwrap();
            assert_eq!(offset.as_secs(), seconds, "{text}");
            assert_eq!(offset.to_string(), text);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "d",
            "3",
            "3 d",
            "3y",
            "1.5h",
            "9223372036854775807d",
            "3д",
        ] {
            assert!(text.parse::<Offset>().is_err(), "{text}");
        }
    }
}
