//! A log and a console on one UART, told apart.
//!
//! ESP-IDF prints its log where its console is: prompts, the echo of what is typed, and answers stand
//! between log lines and within them. What is known to be the console's is taken out of the log; in
//! doubt it stays.

use std::collections::VecDeque;

/// What a console prints when it waits for a line.
const PROMPT: &[u8] = b">> ";
/// So much of what was typed may still have to be echoed, in bytes.
const MOST_ECHO: usize = 16 * 1024;
/// No answer of a console is longer, in bytes.
const LONGEST_ANSWER: usize = 16 * 1024;
/// So many bytes of an echo are no coincidence.
const CERTAIN: usize = 4;

/// Takes the console out of what a UART prints. No input or output.
#[derive(Debug, Default)]
pub(super) struct Parting {
    /// What was typed and not echoed yet.
    echo: VecDeque<u8>,
    /// Whether a line was typed, whose answer may come.
    wants_answer: bool,
    /// The line so far, as long as it may be the console's.
    held: Vec<u8>,
    /// How much of `held` is the prompt and the echo.
    claimed: usize,
    /// Whether the rest of the line is the log's.
    passing: bool,
    /// Whether the line before was the console's, around which it leaves lines empty.
    was_console: bool,
}

impl Parting {
    /// This was typed.
    pub(super) fn typed(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\r' | b'\n' => self.wants_answer = true,
                byte => self.echo.push_back(*byte),
            }
        }
        let excess = self.echo.len().saturating_sub(MOST_ECHO);
        self.echo.drain(..excess);
    }

    /// The device starts anew, and knows nothing of what was typed.
    pub(super) fn restart(&mut self) {
        *self = Self::default();
    }

    /// What of `bytes` is the log's, and what of the bytes before is now known to be.
    pub(super) fn log_of(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut log = Vec::with_capacity(bytes.len());
        for byte in bytes {
            self.take(*byte, &mut log);
        }
        log
    }

    fn take(&mut self, byte: u8, log: &mut Vec<u8>) {
        if byte == b'\n' {
            self.end_line(log);
            return;
        }
        if self.passing {
            log.push(byte);
            return;
        }
        self.held.push(byte);
        let is_short = self.held.len() <= LONGEST_ANSWER;
        if is_short && byte == b'\r' || self.is_prompt() || self.is_echo(byte) || self.is_answer() {
            return;
        }
        // A log line has cut the console off.
        let claimed = std::mem::take(&mut self.claimed);
        let is_console = self.held.starts_with(PROMPT) || claimed >= CERTAIN;
        let from = if is_console { claimed } else { 0 };
        self.was_console = is_console;
        log.extend_from_slice(&self.held[from..]);
        self.held.clear();
        self.passing = true;
    }

    /// Whether the line is a prompt, or the beginning of one.
    fn is_prompt(&mut self) -> bool {
        let is_prompt = PROMPT.starts_with(&self.held);
        if is_prompt && self.held.len() == PROMPT.len() {
            self.claimed = PROMPT.len();
        }
        is_prompt
    }

    /// Whether the line's last byte is the next that the device echoes. Counts.
    fn is_echo(&mut self, byte: u8) -> bool {
        let follows = self.claimed + 1 == self.held.len() && self.claimed < MOST_ECHO;
        if follows && self.echo.front() == Some(&byte) {
            self.echo.pop_front();
            self.claimed += 1;
            return true;
        }
        false
    }

    fn is_answer(&self) -> bool {
        let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        self.wants_answer
            && self.claimed == 0
            && self.held.len() <= LONGEST_ANSWER
            && self.held.iter().all(is_digit)
    }

    fn end_line(&mut self, log: &mut Vec<u8>) {
        let line = std::mem::take(&mut self.held);
        let claimed = std::mem::take(&mut self.claimed);
        if std::mem::take(&mut self.passing) {
            log.push(b'\n');
            self.was_console = false;
            return;
        }
        let text = line.strip_suffix(b"\r").unwrap_or(&line);
        if text.is_empty() {
            if !self.was_console && !self.wants_answer {
                log.extend_from_slice(&line);
                log.push(b'\n');
            }
            return;
        }
        // Nothing else is echoed in a line of its own, and a whole one is an answer.
        let is_console = claimed == text.len() && (claimed >= CERTAIN || self.echo.is_empty())
            || text.starts_with(PROMPT);
        let is_answer = claimed == 0 && self.wants_answer && text.len().is_multiple_of(2);
        if is_answer {
            self.wants_answer = false;
            self.echo.clear();
        }
        self.was_console = is_console || is_answer;
        if !self.was_console {
            log.extend_from_slice(&line);
            log.push(b'\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TYPED: &[u8] = b"prov-session 17 08025a00\r";

    /// The log of what is printed after `typed`, in pieces of every length.
    fn log(typed: &[u8], printed: &[u8]) -> String {
        let mut logs: Vec<String> = Vec::new();
        for piece in [1, 3, 7, printed.len().max(1)] {
            let mut parting = Parting::default();
            parting.typed(typed);
            let log: Vec<u8> = printed
                .chunks(piece)
                .flat_map(|piece| parting.log_of(piece))
                .collect();
            logs.push(String::from_utf8(log).expect("text"));
        }
        logs.dedup();
        assert_eq!(logs.len(), 1, "{logs:?}");
        logs.remove(0)
    }

    #[test]
    fn prompt_echo_and_answer_are_no_log() {
        let printed = b"\r\n>> prov-session 17 08025a00\r\n\r\n0803aa\r\n\n>> ";
        assert_eq!(log(TYPED, printed), "");
    }

    #[test]
    fn a_log_line_behind_a_prompt_is_one() {
        assert_eq!(log(b"", b">> I (99) wifi: bcn\r\n"), "I (99) wifi: bcn\r\n");
        let coloured = b">> \x1b[0;32mI (99) wifi: bcn\x1b[0m\r\n";
        assert_eq!(log(b"", coloured), "\x1b[0;32mI (99) wifi: bcn\x1b[0m\r\n");
    }

    #[test]
    fn a_log_line_that_cuts_the_echo_off_is_one() {
        let printed = b">> prov-sessI (99) wifi: bcn\r\nion 17 08025a00\r\n\r\nff00\r\n\n>> ";
        assert_eq!(log(TYPED, printed), "I (99) wifi: bcn\r\n");
        let printed =
            b">> prov-session 17 08025a00\r\nI (5) app: hm\r\n\r\nff00\r\nW (6) app: so\r\n>> ";
        assert_eq!(log(TYPED, printed), "I (5) app: hm\r\nW (6) app: so\r\n");
    }

    #[test]
    fn without_anything_typed_everything_is_log() {
        let printed = b"I (1) boot: a\r\n\r\nff00\r\npanic'ed at\r\n>>> no prompt\r\n";
        assert_eq!(log(b"", printed).as_bytes(), printed);
        // It begins like what was typed.
        assert_eq!(log(b"panel on\r", b"panic'ed\r\n"), "panic'ed\r\n");
    }

    #[test]
    fn what_was_typed_is_forgotten_when_the_device_starts_anew() {
        let mut parting = Parting::default();
        parting.typed(TYPED);
        parting.restart();
        assert_eq!(parting.log_of(b"ff00\r\n"), b"ff00\r\n");
    }

    proptest! {
        #[test]
        fn whatever_comes_is_kept_within_bounds(
            typed in proptest::collection::vec(any::<u8>(), 0..300),
            printed in proptest::collection::vec(prop_oneof![
                proptest::sample::select(b">> \r\n0123abcprov-session".to_vec()),
                any::<u8>(),
            ], 0..2000),
            times in 1_usize..20,
        ) {
            let mut parting = Parting::default();
            for _ in 0..times {
                parting.typed(&typed);
                let log = parting.log_of(&printed);
                prop_assert!(log.len() <= printed.len() + LONGEST_ANSWER);
                prop_assert!(parting.held.len() <= LONGEST_ANSWER + MOST_ECHO);
                prop_assert!(parting.echo.len() <= MOST_ECHO);
            }
        }

        #[test]
        fn log_lines_among_anything_typed_stay_whole(
            lines in proptest::collection::vec("[IWE] \\([0-9]{1,6}\\) [a-z]{1,8}: [ -~]{0,60}", 0..12),
            typed in "[a-z-]{1,12} [0-9]{1,4} ([0-9a-f][0-9a-f]){1,20}\r",
        ) {
            let printed: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            prop_assert_eq!(log(typed.as_bytes(), printed.as_bytes()), printed);
        }
    }
}
