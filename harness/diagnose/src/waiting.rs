//! How long a log goes on behind a line.

/// Milliseconds of a day.
const DAY: u64 = 24 * 60 * 60 * 1000;
/// Bytes of a line in which it tells the time of day.
const LONGEST: usize = 40;
/// Lines behind which a log without any time has waited long enough.
const ENOUGH: u64 = 8;

/// Where a line stands, by its number and by what it tells of the time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moment {
    line: u64,
    device_ms: Option<u64>,
    day_ms: Option<u64>,
}

/// How a log has waited, measured by what a rule is patient for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waited {
    /// Long enough.
    Enough,
    /// Not long enough.
    Little,
    /// The log tells no time, and goes on for some lines only.
    Unknown,
}

impl Moment {
    /// That of a line.
    pub fn of(line: u64, text: &str) -> Self {
        Self {
            line,
            device_ms: dialect::head(text).and_then(|head| head.device_ms),
            day_ms: day_ms(text),
        }
    }

    /// That of a line of which only the time of day counts, which a restart of the device leaves as it is.
    pub fn of_day(line: u64, text: &str) -> Self {
        Self {
            line,
            device_ms: None,
            day_ms: day_ms(text),
        }
    }

    /// The line's number.
    pub fn line(self) -> u64 {
        self.line
    }

    /// Whether it is known by more than its number.
    pub fn has_time(self) -> bool {
        self.device_ms.is_some() || self.day_ms.is_some()
    }

    /// How the log has waited from here on for so many seconds, if it ends there.
    pub fn waited(self, seconds: u64, end: Self) -> Waited {
        let patience = seconds * 1000;
        let ms = match (self.device_ms, end.device_ms, self.day_ms, end.day_ms) {
            (Some(from), Some(to), _, _) => to.saturating_sub(from),
            (_, _, Some(from), Some(to)) => (to + DAY - from) % DAY,
            _ if end.line.saturating_sub(self.line) >= ENOUGH => patience,
            _ => return Waited::Unknown,
        };
        if ms >= patience {
            Waited::Enough
        } else {
            Waited::Little
        }
    }
}

/// The time of day at the beginning of a line, such as a monitor writes it.
fn day_ms(text: &str) -> Option<u64> {
    let head = &text.as_bytes()[..text.len().min(LONGEST)];
    let at = head.windows(8).position(|eight| {
        let digits = [0, 1, 3, 4, 6, 7]
            .iter()
            .all(|at| eight[*at].is_ascii_digit());
        digits && eight[2] == b':' && eight[5] == b':'
    })?;
    let two = |at: usize| u64::from(head[at] - b'0') * 10 + u64::from(head[at + 1] - b'0');
    let seconds = (two(at) * 60 + two(at + 3)) * 60 + two(at + 6);
    let fraction = head
        .get(at + 8..at + 12)
        .filter(|rest| matches!(rest[0], b'.' | b',') && rest[1..].iter().all(u8::is_ascii_digit));
    let ms = fraction.map_or(0, |rest| {
        rest[1..]
            .iter()
            .fold(0, |ms, digit| ms * 10 + u64::from(digit - b'0'))
    });
    Some((seconds * 1000 + ms) % DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_has_waited_by_its_times_or_else_by_its_lines() {
        let waited = |from: &str, (line, to): (u64, &str)| {
            Moment::of(1, from).waited(20, Moment::of(line, to))
        };
        for (from, to, expected) in [
            ("I (1000) app: a", (2, "I (21000) app: b"), Waited::Enough),
            ("I (1000) app: a", (90, "I (2000) app: b"), Waited::Little),
            (
                "23:59:55.100 -> a",
                (2, "00:00:05.200 -> b"),
                Waited::Little,
            ),
            ("[12:00:01] a", (2, "[12:00:31] b"), Waited::Enough),
            ("a", (3, "b"), Waited::Unknown),
            ("a", (9, "b"), Waited::Enough),
        ] {
            assert_eq!(waited(from, to), expected, "{from}");
        }
    }
}
