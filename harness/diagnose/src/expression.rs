//! One expression of a line.

use std::borrow::Cow;
use std::ops::{Index, Range};
use std::sync::OnceLock;

use regex::{Regex, bytes};
use regex_syntax::ast::parse::Parser;

use crate::required::{Reader, Words};

/// Signs whose other case is a letter of ASCII.
const LONG_S: char = '\u{17f}';
const KELVIN: char = '\u{212a}';

/// An expression, built when a line is first looked at. In a line of ASCII its classes and the borders of its
/// words are those of ASCII: what is found is the same, and the automaton is a tenth as large.
pub struct Expression {
    text: &'static str,
    /// What it is in a line of ASCII.
    text_of_ascii: &'static str,
    /// None if it cannot be told in bytes.
    of_ascii: OnceLock<Option<bytes::Regex>>,
    of_any: OnceLock<Regex>,
    /// Of each, words of which a line must have one.
    needs: OnceLock<Vec<Words>>,
}

/// What a line has of an expression.
pub struct Captures<'l> {
    line: &'l str,
    groups: Vec<Option<Range<usize>>>,
}

/// What a line has of a group.
#[derive(Clone, Copy)]
pub struct Match<'l>(&'l str);

impl Expression {
    /// Of this text.
    pub const fn new(text: &'static str) -> Self {
        Self {
            text,
            text_of_ascii: text,
            of_ascii: OnceLock::new(),
            of_any: OnceLock::new(),
            needs: OnceLock::new(),
        }
    }

    /// The same with a text of its own for lines of ASCII, without the choices that these cannot have; the groups
    /// behind such a choice have other numbers in it.
    pub const fn in_ascii(mut self, text: &'static str) -> Self {
        self.text_of_ascii = text;
        self
    }

    /// Whether a line has it.
    #[cfg(test)]
    pub fn is_match(&self, line: &str) -> bool {
        match self.of_ascii(line) {
            Some(expression) => expression.is_match(line.as_bytes()),
            None => self
                .of_any(line)
                .is_some_and(|of_any| of_any.is_match(line)),
        }
    }

    /// Where a line first has it.
    pub fn captures<'l>(&self, line: &'l str) -> Option<Captures<'l>> {
        match self.of_ascii(line) {
            Some(expression) => {
                let found = expression.captures(line.as_bytes())?;
                Some(Captures::of_ascii(line, &found))
            }
            None => Some(Captures::of_any(line, &self.of_any(line)?.captures(line)?)),
        }
    }

    /// All places where a line has it.
    pub fn all_captures<'l>(&self, line: &'l str) -> Vec<Captures<'l>> {
        match self.of_ascii(line) {
            Some(expression) => {
                let all = expression.captures_iter(line.as_bytes());
                all.map(|found| Captures::of_ascii(line, &found)).collect()
            }
            None => {
                let all = self.of_any(line).map(|of_any| of_any.captures_iter(line));
                let all = all.into_iter().flatten();
                all.map(|found| Captures::of_any(line, &found)).collect()
            }
        }
    }

    /// A line with something else in all those places.
    pub fn replace_all<'l>(&self, line: Cow<'l, str>, with: &str) -> Cow<'l, str> {
        let replaced = match self.of_ascii(&line) {
            Some(expression) => {
                let replaced = expression.replace_all(line.as_bytes(), with.as_bytes());
                match replaced {
                    Cow::Borrowed(_) => None,
                    Cow::Owned(bytes) => String::from_utf8(bytes).ok(),
                }
            }
            None => match self
                .of_any(&line)
                .map(|of_any| of_any.replace_all(&line, with))
            {
                None | Some(Cow::Borrowed(_)) => None,
                Some(Cow::Owned(text)) => Some(text),
            },
        };
        replaced.map_or(line, Cow::Owned)
    }

    fn of_ascii(&self, line: &str) -> Option<&bytes::Regex> {
        let built = || {
            bytes::RegexBuilder::new(self.text_of_ascii)
                .unicode(false)
                .build()
        };
        line.is_ascii()
            .then(|| self.of_ascii.get_or_init(|| built().ok()))
            .and_then(Option::as_ref)
    }

    #[cfg(test)]
    pub fn is_sound(&self) -> bool {
        Regex::new(self.text).is_ok()
    }

    /// None if the line cannot have it, so that nothing needs to be built.
    #[expect(clippy::expect_used, reason = "the expression is part of the program")]
    fn of_any(&self, line: &str) -> Option<&Regex> {
        if self.of_any.get().is_none() && !self.may_be_in(line) {
            return None;
        }
        let built = || Regex::new(self.text).expect("the expression is sound");
        Some(self.of_any.get_or_init(built))
    }

    /// Whether a line has the words without which it does not have the expression.
    fn may_be_in(&self, line: &str) -> bool {
        let read = || {
            let Ok(read) = Parser::new().parse(self.text) else {
                return Vec::new();
            };
            let mut all = Reader::default().required(&read).all;
            // Other letters have other cases.
            all.retain(|any| any.iter().all(|word| word.is_ascii()));
            all
        };
        let line = line.replace(LONG_S, "s").replace(KELVIN, "k");
        let line = line.to_ascii_lowercase();
        let has = |word: &Vec<u8>| find(line.as_bytes(), word);
        self.needs
            .get_or_init(read)
            .iter()
            .all(|any| any.iter().any(has))
    }
}

/// Whether a text has a word.
fn find(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

impl<'l> Captures<'l> {
    fn of_ascii(line: &'l str, found: &bytes::Captures<'_>) -> Self {
        let groups = found.iter().map(|group| Some(group?.range())).collect();
        Self { line, groups }
    }

    fn of_any(line: &'l str, found: &regex::Captures<'_>) -> Self {
        let groups = found.iter().map(|group| Some(group?.range())).collect();
        Self { line, groups }
    }

    /// A group, if it has a part in it; the first is all of it.
    pub fn get(&self, group: usize) -> Option<Match<'l>> {
        let range = self.groups.get(group)?.clone()?;
        self.line.get(range).map(Match)
    }

    /// All groups.
    pub fn iter(&self) -> impl Iterator<Item = Option<Match<'l>>> {
        (0..self.groups.len()).map(|group| self.get(group))
    }
}

impl Index<usize> for Captures<'_> {
    type Output = str;

    fn index(&self, group: usize) -> &str {
        self.get(group).map_or("", Match::as_str)
    }
}

impl<'l> Match<'l> {
    /// Its text.
    pub fn as_str(self) -> &'l str {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_ascii_has_what_another_has() {
        static EXPRESSION: Expression = Expression::new(r"(?i)\b(k\w+)[^\n]{0,4}(?:(\d)|(x))");
        for end in ["", " \u{e9}"] {
            let line = format!("Kind: 5 kilo x{end}");
            assert!(EXPRESSION.is_match(&line));
            let all = EXPRESSION.all_captures(&line);
            let all: Vec<Vec<Option<&str>>> = all
                .iter()
                .map(|found| found.iter().map(|group| group.map(Match::as_str)).collect())
                .collect();
            assert_eq!(
                all,
                [
                    vec![Some("Kind: 5"), Some("Kind"), Some("5"), None],
                    vec![Some("kilo x"), Some("kilo"), None, Some("x")]
                ]
            );
            let replaced = EXPRESSION.replace_all(Cow::Borrowed(&line), "<$1>");
            assert_eq!(replaced, format!("<Kind> <kilo>{end}"));
        }
    }

    #[test]
    fn a_line_without_the_words_of_an_expression_does_not_have_it() {
        static DESK: Expression = Expression::new(r"(?i)\bdesk \w");
        static STREET: Expression = Expression::new(r"(?i)\bstra\u{e9} \w");
        assert!(!DESK.is_match("d\u{e9}sk 5"));
        assert!(DESK.of_any.get().is_none());
        assert!(DESK.is_match("DE\u{17f}\u{212a} \u{e9}"));
        assert!(STREET.is_match("STRA\u{c9} 5"));
    }
}
