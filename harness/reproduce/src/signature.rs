//! What is left of a log without its values.

use std::collections::VecDeque;
use std::sync::LazyLock;

use dialect::{Text, head};
use regex::Regex;

/// Lines that are kept of a log's beginning, and as many of its end.
const KEPT: usize = 400;
/// Bytes of a line that count.
const LONGEST: usize = 300;

/// Values in a line, and what stands for them. Numbers in hex stay: they are codes of errors.
static VALUES: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    const TABLE: [(&str, &str); 7] = [
        (r"\bPROV_[0-9A-F]{6}\b", "PROV_N"),
        (r#""[^"]*"|<[^<>]{1,60}>"#, "…"),
        (r"\b([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}\b", "MAC"),
        (r"\b\d{1,3}(\.\d{1,3}){3}(:\d+)?\b", "IP"),
        (r"\b[\w-]+(\.[\w-]+)+\.?(:\d+)?\b", "HOST"),
        (r"\b[0-9]+\b", "N"),
        (r"\s+", " "),
    ];
    let mut values = Vec::new();
    for (expression, word) in TABLE {
        #[expect(
            clippy::expect_used,
            reason = "the expressions are part of the program"
        )]
        let expression = Regex::new(expression).expect("the expression is sound");
        values.push((expression, word));
    }
    values
});

/// The telling lines of a log without their values, in order, a line that repeats itself once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signature {
    first: Vec<String>,
    last: VecDeque<String>,
}

impl Signature {
    /// Takes the next line, without its end.
    pub fn line(&mut self, line: &[u8]) {
        let text = Text::of(&line[..line.len().min(LONGEST)]);
        let clean = text.clean();
        if !diagnose::is_telling(clean) {
            return;
        }
        let line = without_values(clean);
        let before = self.last.back().or(self.first.last());
        if before == Some(&line) {
            return;
        }
        if self.first.len() < KEPT {
            self.first.push(line);
            return;
        }
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    /// The lines.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.first.iter().chain(&self.last).map(String::as_str)
    }
}

/// A line of a log without its time and its values: what is left is alike in two logs of the same.
pub fn without_values(line: &str) -> String {
    let mut text = match head(line) {
        Some(head) => match head.tag {
            Some(tag) => format!("{tag}: {}", head.text),
            None => head.text.to_owned(),
        },
        None => line.to_owned(),
    };
    for (expression, word) in VALUES.iter() {
        text = expression.replace_all(&text, *word).into_owned();
    }
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> Vec<String> {
        let mut signature = Signature::default();
        for line in lines {
            signature.line(line.as_bytes());
        }
        signature.lines().map(str::to_owned).collect()
    }

    #[test]
    fn lines_differ_by_their_words_and_their_error_codes_alone() {
        let one = of(&[
            "E (5012) esp-tls: couldn't get hostname for :broker.example: getaddrinfo() returns 202",
            "E (6012) esp-tls-mbedtls: mbedtls_ssl_handshake returned -0x2700",
        ]);
        let other = of(&[
            "E (77) esp-tls: couldn't get hostname for :mqtt.lamp.example: getaddrinfo() returns 202",
            "E (99) esp-tls-mbedtls: mbedtls_ssl_handshake returned -0x2700",
        ]);
        assert_eq!(one, other);
        let third = of(&["E (99) esp-tls-mbedtls: mbedtls_ssl_handshake returned -0x7780"]);
        assert_ne!(one[1..], third[..]);
    }

    #[test]
    fn what_repeats_itself_and_what_tells_nothing_counts_once_or_not_at_all() {
        let lines = [
            "I (1) app: temperature 21",
            "W (2) app: disconnected, reason 15",
        ];
        let twice = [lines[0], lines[1], lines[1]];
        assert_eq!(of(&twice).len(), 1);
    }

    #[test]
    fn memory_does_not_grow_with_the_log() {
        let mut signature = Signature::default();
        for number in 0..10_000 {
            let reason = if number % 2 == 0 { 15 } else { 201 };
            let word = if reason == 15 { "reason" } else { "Reason" };
            signature.line(format!("W ({number}) app: disconnected, {word} {reason}").as_bytes());
        }
        assert!(signature.lines().count() <= 2 * KEPT);
    }
}
