//! What a device prints, and where in it the answer is.

use std::collections::VecDeque;
use std::fmt::Write;

/// What a console prints when it waits for a line.
const PROMPT: &[u8] = b">> ";
/// Longest line that can be an answer: more digits than any endpoint's answer has.
const LONGEST_LINE: usize = 16 * 1024;
/// How many lines of noise are kept, for people.
const MOST_NOISE: usize = 8;
/// How much of each is.
const LONGEST_NOISE: usize = 200;

/// What matters of what a device prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ConsoleEvent {
    /// An answer.
    Answer(Vec<u8>),
    /// The device waits for the next line.
    Prompt,
}

/// Reads what a device prints. No input or output.
#[derive(Debug)]
pub(super) struct Listening {
    /// What the device still has to echo before anything counts.
    echo: VecDeque<u8>,
    /// Whether the line that holds the end of the echo is still running.
    in_echo: bool,
    /// Whether answers count: one does, and none before the echo.
    wants_answer: bool,
    escape: Escape,
    line: Vec<u8>,
    is_overlong: bool,
    heard: VecDeque<ConsoleEvent>,
    noise: VecDeque<String>,
    total: usize,
}

/// Where in a terminal's escape sequence (ECMA-48 §5.4) it is; colours of the log are such.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    Outside,
    Begun,
    Parameters,
}

impl Listening {
    /// An empty line was sent; only prompts count, and none from before its echo.
    pub(super) fn to_prompt() -> Self {
        Self {
            echo: [b'\r'].into(),
            in_echo: true,
            wants_answer: false,
            escape: Escape::Outside,
            line: Vec::new(),
            is_overlong: false,
            heard: VecDeque::new(),
            noise: VecDeque::new(),
            total: 0,
        }
    }

    /// `line` was sent, with its CR.
    pub(super) fn to_answer_of(line: &[u8]) -> Self {
        let echo = line.strip_suffix(b"\r").unwrap_or(line);
        Self {
            echo: echo.iter().copied().collect(),
            in_echo: true,
            wants_answer: true,
            ..Self::to_prompt()
        }
    }

    /// Takes what was printed.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.total = self.total.saturating_add(bytes.len());
        for byte in bytes {
            self.take(*byte);
        }
    }

    /// What was heard and not yet told.
    pub(super) fn next(&mut self) -> Option<ConsoleEvent> {
        self.heard.pop_front()
    }

    /// Number of bytes so far.
    pub(super) fn total(&self) -> usize {
        self.total
    }

    /// The last lines that are no answer, the unfinished one among them.
    pub(super) fn said(&self) -> Vec<String> {
        let unfinished = (!self.in_echo).then(|| noise(&self.line)).flatten();
        self.noise.iter().cloned().chain(unfinished).collect()
    }

    fn take(&mut self, byte: u8) {
        if self.is_escape(byte) {
            return;
        }
        // Whatever is logged in the middle of the echo, its characters come in their order.
        if self.echo.front() == Some(&byte) {
            self.echo.pop_front();
        }
        match byte {
            b'\r' | b'\n' => self.end_line(),
            0 => {}
            _ if self.line.len() == LONGEST_LINE => self.is_overlong = true,
            _ => self.line.push(byte),
        }
        if self.line == PROMPT && self.counts() {
            self.line.clear();
            self.heard.push_back(ConsoleEvent::Prompt);
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let is_whole = !std::mem::take(&mut self.is_overlong);
        if !self.counts() {
            // What follows the echo on its line belongs to it.
            self.in_echo = !self.echo.is_empty();
            return;
        }
        if self.wants_answer
            && is_whole
            && let Some(answer) = answer(&line)
        {
            self.wants_answer = false;
            self.heard.push_back(ConsoleEvent::Answer(answer));
        } else if let Some(line) = noise(&line) {
            self.noise.push_back(line);
            if self.noise.len() > MOST_NOISE {
                self.noise.pop_front();
            }
        }
    }

    fn counts(&self) -> bool {
        !self.in_echo
    }

    /// Whether `byte` belongs to an escape sequence.
    fn is_escape(&mut self, byte: u8) -> bool {
        let was = self.escape;
        self.escape = match (was, byte) {
            (_, 0x1b) => Escape::Begun,
            (Escape::Begun, b'[') => Escape::Parameters,
            (Escape::Parameters, 0x20..=0x3f) => Escape::Parameters,
            _ => Escape::Outside,
        };
        // A sequence that a line break interrupts is none.
        let ends = !matches!(byte, b'\r' | b'\n');
        byte == 0x1b || (was != Escape::Outside && ends)
    }
}

fn answer(line: &[u8]) -> Option<Vec<u8>> {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if line.is_empty() || !line.iter().all(is_digit) {
        return None;
    }
    hex::decode(line).ok()
}

fn noise(line: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(&line[..line.len().min(LONGEST_NOISE)]);
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Lines as the end of a message.
pub(super) fn shown(lines: &[String]) -> String {
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let lead = if index == 0 { "; it said: " } else { " / " };
        // Writing to a String cannot fail.
        let _ = write!(text, "{lead}{line}");
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LINE: &[u8] = b"prov-session 17 08025a00\r";

    fn heard(printed: &[u8]) -> Vec<ConsoleEvent> {
        let mut listening = Listening::to_answer_of(LINE);
        listening.feed(printed);
        std::iter::from_fn(|| listening.next()).collect()
    }

    fn answered(bytes: &[u8]) -> Vec<ConsoleEvent> {
        vec![ConsoleEvent::Answer(bytes.to_vec()), ConsoleEvent::Prompt]
    }

    #[test]
    fn an_answer_is_the_hex_line_after_the_echo() {
        let printed = b"prov-session 17 08025a00\r\n\r\n08036a00\r\n\n>> ";
        assert_eq!(heard(printed), answered(&[0x08, 0x03, 0x6a, 0x00]));
    }

    #[test]
    fn the_echo_of_the_request_is_no_answer_however_it_is_interrupted() {
        for printed in [
            &b"prov-session 17 I (99) wifi: bcn\r\n08025a00\r\n\r\nff\r\n\n>> "[..],
            b"prov-sess\r\nI (99) wifi: bcn\r\nion 17 08025a00\r\n\r\nff\r\n\n>> ",
            b"prov-session 17 0802\n5a00\r\n\r\nff\r\n\n>> ",
        ] {
            assert_eq!(heard(printed), answered(&[0xff]));
        }
    }

    #[test]
    fn a_prompt_from_before_the_empty_line_answers_nothing() {
        let mut listening = Listening::to_prompt();
        listening.feed(b"\n>> ");
        assert_eq!(listening.next(), None);
        listening.feed(b"\r\n\n>> ");
        assert_eq!(listening.next(), Some(ConsoleEvent::Prompt));
    }

    #[test]
    fn log_lines_with_colours_are_noise() {
        let printed =
            b"prov-session 17 08025a00\r\n\x1b[0;32mI (1234) app: hi\x1b[0m\r\n\r\nff00\r\n\
            \x1b[0;31mE (1240) wifi: bad\x1b[0m\n\n\x1b[0m>> ";
        assert_eq!(heard(printed), answered(&[0xff, 0x00]));
    }

    #[test]
    fn a_prompt_without_an_answer_tells_what_was_said_instead() {
        let mut listening = Listening::to_answer_of(LINE);
        listening.feed(
            b"prov-session 17 08025a00\r\nE (5) security1: Key mismatch. Close connection\r\n\n>> ",
        );
        assert_eq!(listening.next(), Some(ConsoleEvent::Prompt));
        assert_eq!(
            shown(&listening.said()),
            "; it said: E (5) security1: Key mismatch. Close connection"
        );
    }

    #[test]
    fn what_is_no_lower_case_hex_of_whole_bytes_is_no_answer() {
        for line in ["FF", "fff", "0x12", "12 34", "ff."] {
            let printed = format!("prov-session 17 08025a00\r\n\r\n{line}\r\n\n>> ");
            assert_eq!(heard(printed.as_bytes()), [ConsoleEvent::Prompt], "{line}");
        }
    }

    #[test]
    fn a_prompt_that_came_before_the_echo_does_not_count() {
        let printed = b"\n>> \n>> prov-session 17 08025a00\r\n\r\nff\r\n\n>> ";
        assert_eq!(heard(printed), answered(&[0xff]));
    }

    proptest! {
        #[test]
        fn any_answer_is_found_among_any_log_lines(
            answer in proptest::collection::vec(any::<u8>(), 1..600),
            before in proptest::collection::vec("[IWE] \\([0-9]{1,6}\\) [a-z]{1,8}: [ -~]{0,60}", 0..12),
            after in proptest::collection::vec("[IWE] \\([0-9]{1,6}\\) [a-z]{1,8}: [ -~]{0,60}", 0..4),
            piece in 1_usize..40,
        ) {
            let mut printed = LINE.to_vec();
            printed.push(b'\n');
            before.iter().for_each(|line| printed.extend(format!("{line}\r\n").bytes()));
            printed.extend(format!("\r\n{}\r\n", hex::encode(&answer)).bytes());
            after.iter().for_each(|line| printed.extend(format!("{line}\n").bytes()));
            printed.extend(b"\n>> ");
            let mut listening = Listening::to_answer_of(LINE);
            printed.chunks(piece).for_each(|piece| listening.feed(piece));
            let heard: Vec<_> = std::iter::from_fn(|| listening.next()).collect();
            prop_assert_eq!(heard, answered(&answer));
            prop_assert!(listening.said().len() <= MOST_NOISE);
        }

        #[test]
        fn anything_printed_takes_bounded_memory(
            printed in proptest::collection::vec(any::<u8>(), 0..2_000),
            times in 1_usize..40,
        ) {
            let mut listening = Listening::to_answer_of(LINE);
            for _ in 0..times {
                listening.feed(&printed);
            }
            prop_assert!(listening.line.len() <= LONGEST_LINE);
            prop_assert!(listening.said().iter().all(|line| line.len() <= 3 * LONGEST_NOISE));
            prop_assert!(listening.heard.iter().filter(|heard| matches!(heard, ConsoleEvent::Answer(_))).count() <= 1);
        }
    }
}
