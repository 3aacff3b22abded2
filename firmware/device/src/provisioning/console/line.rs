//! A line as ESP-IDF's console reads it (`esp_console`, `protocomm_console.c`).

use alloc::string::String;
use alloc::vec::Vec;

/// Words of a line at most.
const MAX_WORDS: usize = 8;

/// Collects what is typed until it is a line.
///
/// The end of a line is looked for in the last byte of what has come together, and nowhere else:
/// CR and LF in one go do not end a line, nor do two lines that come in one go end twice.
#[derive(Debug)]
pub(super) struct Typed {
    limit: usize,
    bytes: Vec<u8>,
    overrun: bool,
}

/// What has become of what was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line, without its end.
    Whole(Vec<u8>),
    /// The buffer is full, and no end came.
    TooLong,
}

impl Typed {
    /// Nothing, with room for `limit` bytes, the line's end included.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            bytes: Vec::new(),
            overrun: false,
        }
    }

    /// Takes in what has come together; a line, if that ends one.
    pub(super) fn push(&mut self, burst: &[u8]) -> Option<Line> {
        let room = self.limit.saturating_sub(self.bytes.len());
        self.overrun |= burst.len() > room;
        self.bytes.extend(burst.iter().take(room));
        if self.overrun {
            self.clear();
            return Some(Line::TooLong);
        }
        match self.bytes.split_last() {
            Some((b'\r', line)) => {
                let line = line.to_vec();
                self.clear();
                Some(Line::Whole(line))
            }
            _ if self.bytes.len() == self.limit => {
                self.clear();
                Some(Line::TooLong)
            }
            _ => None,
        }
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.overrun = false;
    }
}

/// What is asked for in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// The list of commands.
    Help,
    /// An endpoint.
    Request {
        endpoint: String,
        session: u32,
        payload: Vec<u8>,
    },
    /// A line that gets no answer.
    Nothing,
}

impl Command {
    /// The command of a line.
    pub(super) fn parse(line: &[u8]) -> Self {
        let words = words(line);
        let mut words = words.iter().map(Vec::as_slice);
        match (words.next(), words.next(), words.next()) {
            (Some(b"help"), ..) => Self::Help,
            (Some(endpoint), Some(session), Some(digits)) => match hex::decode(digits) {
                Ok(payload) if !payload.is_empty() => Self::Request {
                    endpoint: String::from_utf8_lossy(endpoint).into_owned(),
                    session: number(session),
                    payload,
                },
                _ => Self::Nothing,
            },
            _ => Self::Nothing,
        }
    }
}

/// Words between spaces; quotation marks hold one together, and a backslash takes the next byte as
/// it is.
fn words(line: &[u8]) -> Vec<Vec<u8>> {
    let mut words: Vec<Vec<u8>> = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let (mut quoted, mut escaped) = (false, false);
    for &byte in line {
        match byte {
            byte if escaped => {
                word.get_or_insert_default().push(byte);
                escaped = false;
            }
            b'\\' => {
                word.get_or_insert_default();
                escaped = true;
            }
            b'"' => {
                quoted = !quoted;
                match quoted {
                    true => drop(word.get_or_insert_default()),
                    false => words.extend(word.take()),
                }
            }
            b' ' if !quoted => words.extend(word.take()),
            byte => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word);
    words.truncate(MAX_WORDS);
    words
}

/// As C's `atoi` reads it: digits up to the first that is none, 0 if there are none. What does not
/// fit wraps.
fn number(word: &[u8]) -> u32 {
    let (negative, digits) = match word {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    let value = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0_u32, |value, digit| {
            value.wrapping_mul(10).wrapping_add(u32::from(digit - b'0'))
        });
    match negative {
        true => value.wrapping_neg(),
        false => value,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(endpoint: &str, session: u32, payload: &[u8]) -> Command {
        Command::Request {
            endpoint: endpoint.into(),
            session,
            payload: payload.to_vec(),
        }
    }

    #[test]
    fn a_line_ends_with_a_carriage_return_at_the_end_of_a_burst() {
        let mut typed = Typed::new(256);
        assert_eq!(typed.push(b"he"), None);
        assert_eq!(typed.push(b"lp\r"), Some(Line::Whole(b"help".to_vec())));
        assert_eq!(typed.push(b"\r"), Some(Line::Whole(Vec::new())));
    }

    #[test]
    fn carriage_return_and_line_feed_together_are_no_end() {
        let mut typed = Typed::new(256);
        assert_eq!(typed.push(b"help\r\n"), None);
        let line = typed.push(b"\r");
        assert_eq!(line, Some(Line::Whole(b"help\r\n".to_vec())));
    }

    #[test]
    fn two_lines_in_one_go_end_once() {
        let mut typed = Typed::new(256);
        let line = typed.push(b"one\rtwo\r");
        assert_eq!(line, Some(Line::Whole(b"one\rtwo".to_vec())));
    }

    #[test]
    fn a_line_with_its_end_fits_exactly() {
        let mut typed = Typed::new(8);
        let line = typed.push(b"1234567\r");
        assert_eq!(line, Some(Line::Whole(b"1234567".to_vec())));
        assert_eq!(typed.push(b"12345678"), Some(Line::TooLong));
        assert_eq!(typed.push(b"12345678\r"), Some(Line::TooLong));
        assert_eq!(typed.push(b"1234"), None);
        assert_eq!(typed.push(b"56789\r"), Some(Line::TooLong));
        assert_eq!(typed.push(b"ok\r"), Some(Line::Whole(b"ok".to_vec())));
    }

    #[test]
    fn a_request_is_endpoint_session_and_hex() {
        for (line, command) in [
            (&b"proto-ver 0 2d2d2d"[..], request("proto-ver", 0, b"---")),
            (
                b"  proto-ver  17  2D2d more",
                request("proto-ver", 17, b"--"),
            ),
            (
                b"proto-ver 4294967295 00",
                request("proto-ver", u32::MAX, &[0]),
            ),
            (b"proto-ver -1 00", request("proto-ver", u32::MAX, &[0])),
            (b"proto-ver x 00", request("proto-ver", 0, &[0])),
            (b"proto-ver 3x 00", request("proto-ver", 3, &[0])),
            (b"\"a b\" 1 00", request("a b", 1, &[0])),
            (b"a\\ b 1 00", request("a b", 1, &[0])),
            (b"help", Command::Help),
            (b"help me", Command::Help),
            (b"proto-ver 0", Command::Nothing),
            (b"proto-ver", Command::Nothing),
            (b"", Command::Nothing),
            (b"proto-ver 0 2d2", Command::Nothing),
            (b"proto-ver 0 zz", Command::Nothing),
            (b"proto-ver 0 \"\"", Command::Nothing),
            (b"proto-ver 0 2d2d2d\r\n", Command::Nothing),
        ] {
            assert_eq!(Command::parse(line), command, "{}", line.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn whatever_is_typed_is_survived(
            bursts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..64), 0..32),
            limit in 0..128_usize,
        ) {
            let mut typed = Typed::new(limit);
            for burst in bursts {
                if let Some(Line::Whole(line)) = typed.push(&burst) {
                    prop_assert!(line.len() < limit);
                    Command::parse(&line);
                }
                prop_assert!(typed.bytes.len() <= limit);
            }
        }
    }
}
