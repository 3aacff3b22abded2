//! The grammar that all expressions share: terms, `!` (or `not`), `&` (`and`), `|` (`or`), brackets.

use std::fmt;

use miette::{Diagnostic, SourceSpan};

/// Terms and how they are joined.
#[derive(Clone, Debug)]
pub(super) enum Expression<T> {
    Term(T),
    Not(Box<Expression<T>>),
    And(Box<Expression<T>>, Box<Expression<T>>),
    Or(Box<Expression<T>>, Box<Expression<T>>),
}

impl<T> Expression<T> {
    /// Whether it is true where `is_true` says which terms are.
    pub fn holds(&self, is_true: &mut impl FnMut(&T) -> bool) -> bool {
        match self {
            Self::Term(term) => is_true(term),
            Self::Not(inner) => !inner.holds(is_true),
            Self::And(left, right) => left.holds(is_true) && right.holds(is_true),
            Self::Or(left, right) => left.holds(is_true) || right.holds(is_true),
        }
    }

    /// Looks at each term, from left to right, until there is a mistake.
    pub fn each(
        &self,
        look: &mut impl FnMut(&T) -> Result<(), FilterError>,
    ) -> Result<(), FilterError> {
        match self {
            Self::Term(term) => look(term),
            Self::Not(inner) => inner.each(look),
            Self::And(left, right) | Self::Or(left, right) => {
                left.each(look)?;
                right.each(look)
            }
        }
    }
}

/// A filter expression could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    text: String,
    at: usize,
    problem: String,
}

impl FilterError {
    /// The mistake `problem` at byte `at` of `text`.
    pub(super) fn new(text: &str, at: usize, problem: String) -> Self {
        Self {
            text: text.to_owned(),
            at,
            problem,
        }
    }

    /// Byte of the expression where the problem is.
    pub fn position(&self) -> usize {
        self.at
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "failed to read the filter `{}`: {}",
            self.text, self.problem
        )
    }
}

impl std::error::Error for FilterError {}

impl Diagnostic for FilterError {
    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(&self.text)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = miette::LabeledSpan> + '_>> {
        let span = SourceSpan::from((self.at, 0));
        let label = miette::LabeledSpan::new_with_span(Some(self.problem.clone()), span);
        Some(Box::new(std::iter::once(label)))
    }
}

/// Deeper nesting than any that is written.
const DEEPEST: usize = 64;

/// What reads an expression. `T` is what its terms are.
pub(super) struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

/// Reads one term.
type ReadTerm<'t, T> = fn(&mut Parser<'t>) -> Result<T, FilterError>;

impl<'t> Parser<'t> {
    /// Reads all of `text`, its terms with `term`.
    pub fn read<T>(text: &'t str, term: ReadTerm<'t, T>) -> Result<Expression<T>, FilterError> {
        let mut parser = Self {
            text,
            at: 0,
            depth: 0,
        };
        let expression = parser.alternatives(term)?;
        parser.skip_spaces();
        if parser.at < text.len() {
            return Err(parser.error("expected `&`, `|` or the end"));
        }
        Ok(expression)
    }

    /// The byte that it stands at.
    pub fn at(&self) -> usize {
        self.at
    }

    fn alternatives<T>(&mut self, term: ReadTerm<'t, T>) -> Result<Expression<T>, FilterError> {
        let mut left = self.conjunction(term)?;
        while self.eat_operator('|', "or") {
            let right = self.conjunction(term)?;
            left = Expression::Or(Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn conjunction<T>(&mut self, term: ReadTerm<'t, T>) -> Result<Expression<T>, FilterError> {
        let mut left = self.negation(term)?;
        while self.eat_operator('&', "and") {
            let right = self.negation(term)?;
            left = Expression::And(Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn negation<T>(&mut self, term: ReadTerm<'t, T>) -> Result<Expression<T>, FilterError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error("too deeply nested"));
        }
        let expression = if self.eat_operator('!', "not") {
            Expression::Not(Box::new(self.negation(term)?))
        } else {
            self.group_or_term(term)?
        };
        self.depth -= 1;
        Ok(expression)
    }

    fn group_or_term<T>(&mut self, term: ReadTerm<'t, T>) -> Result<Expression<T>, FilterError> {
        self.skip_spaces();
        if self.eat('(') {
            let inner = self.alternatives(term)?;
            self.skip_spaces();
            if !self.eat(')') {
                return Err(self.error("expected `)`"));
            }
            return Ok(inner);
        }
        term(self).map(Expression::Term)
    }

    /// What stands before the bracket that closes the term; it may hold pairs of brackets itself.
    pub fn argument(&mut self) -> Result<&'t str, FilterError> {
        let rest = &self.text[self.at..];
        let mut open = 0_usize;
        for (index, letter) in rest.char_indices() {
            match letter {
                '(' => open += 1,
                ')' if open == 0 => {
                    self.at += index + 1;
                    return Ok(rest[..index].trim());
                }
                ')' => open -= 1,
                _ => {}
            }
        }
        self.at = self.text.len();
        Err(self.error("expected `)`"))
    }

    /// `sign`, doubled or not, or `word` as a word of its own.
    fn eat_operator(&mut self, sign: char, word: &str) -> bool {
        self.skip_spaces();
        if self.eat(sign) {
            if sign != '!' {
                self.eat(sign);
            }
            return true;
        }
        let rest = &self.text[self.at..];
        let is_word = rest.strip_prefix(word).is_some_and(|after| {
            after.starts_with(|letter: char| letter.is_whitespace() || letter == '(')
        });
        if is_word {
            self.at += word.len();
        }
        is_word
    }

    pub fn eat(&mut self, letter: char) -> bool {
        let found = self.text[self.at..].starts_with(letter);
        if found {
            self.at += letter.len_utf8();
        }
        found
    }

    pub fn skip_spaces(&mut self) {
        self.take_while(char::is_whitespace);
    }

    pub fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = &self.text[self.at..];
        let length = rest.find(|letter| !wanted(letter)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    pub fn error(&self, problem: &str) -> FilterError {
        self.error_at(self.at, problem)
    }

    pub fn error_at(&self, at: usize, problem: &str) -> FilterError {
        FilterError::new(self.text, at, problem.to_owned())
    }
}
