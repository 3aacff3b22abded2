//! Choosing cases: `tag(smoke) & !name(mallory) | path(scenarios/tls)`.
//!
//! | term | chooses cases |
//! | --- | --- |
//! | `tag(t)` | whose scenario has the tag `t` |
//! | `name(n)`, or just `n` | whose identifier, matrix values included, contains `n` |
//! | `path(p)` | whose file's path contains `p` |
//! | `catches(b)` | whose scenario claims to catch the bug `b` |
//! | `all()` | whatsoever |
//!
//! `=x` in the place of `x` means equal, `~x` contained, `/x/` matched by the regular expression;
//! `tag` and `catches` take `=` where nothing else is said. `!` (or `not`) binds closer than `&`
//! (`and`), and that closer than `|` (`or`); brackets group.

use std::collections::BTreeSet;
use std::fmt;

use miette::{Diagnostic, SourceSpan};
use regex::Regex;

use super::mistake::{Mistake, nearest};
use super::scenario::Case;

/// A filter expression.
#[derive(Clone, Debug)]
pub struct Filter {
    text: String,
    expression: Expression,
}

#[derive(Clone, Debug)]
enum Expression {
    All,
    Term(Predicate, Matcher, usize),
    Not(Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Predicate {
    Tag,
    Name,
    Path,
    Catches,
}

#[derive(Clone, Debug)]
enum Matcher {
    Equal(String),
    Contains(String),
    Regex(Regex),
}

impl Filter {
    /// Reads an expression.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let mut parser = Parser {
            text,
            at: 0,
            depth: 0,
        };
        let expression = parser.alternatives()?;
        parser.skip_spaces();
        if parser.at < text.len() {
            return Err(parser.error("expected `&`, `|` or the end"));
        }
        Ok(Self {
            text: text.to_owned(),
            expression,
        })
    }

    /// Whether `case` is chosen.
    pub fn matches(&self, case: &Case) -> bool {
        self.expression.matches(case)
    }

    /// A mistake for a tag that none of `cases` has, and for a bug that is none of `bugs`. What is
    /// only contained, or matched by a regular expression, may be nowhere.
    pub fn check(&self, cases: &[Case], bugs: &[String]) -> Result<(), FilterError> {
        let tags: BTreeSet<&str> = cases
            .iter()
            .flat_map(|case| case.scenario.tags.iter().map(String::as_str))
            .collect();
        let tags: Vec<&str> = tags.into_iter().collect();
        let bugs: Vec<&str> = bugs.iter().map(String::as_str).collect();
        self.expression.each_term(&mut |predicate, matcher, at| {
            let (what, known) = match predicate {
                Predicate::Tag => ("tag", &tags),
                Predicate::Catches => ("bug", &bugs),
                Predicate::Name | Predicate::Path => return Ok(()),
            };
            match matcher {
                Matcher::Equal(wanted) if !known.contains(&wanted.as_str()) => {
                    let mistake = Mistake::unknown(None, what, wanted, known.iter().copied());
                    let help = mistake.help.unwrap_or_default();
                    Err(FilterError {
                        text: self.text.clone(),
                        at,
                        problem: format!("{}; {help}", mistake.message),
                    })
                }
                _ => Ok(()),
            }
        })
    }
}

impl Expression {
    fn each_term(
        &self,
        look: &mut impl FnMut(Predicate, &Matcher, usize) -> Result<(), FilterError>,
    ) -> Result<(), FilterError> {
        match self {
            Self::All => Ok(()),
            Self::Term(predicate, matcher, at) => look(*predicate, matcher, *at),
            Self::Not(inner) => inner.each_term(look),
            Self::And(left, right) | Self::Or(left, right) => {
                left.each_term(look)?;
                right.each_term(look)
            }
        }
    }

    fn matches(&self, case: &Case) -> bool {
        match self {
            Self::All => true,
            Self::Not(inner) => !inner.matches(case),
            Self::And(left, right) => left.matches(case) && right.matches(case),
            Self::Or(left, right) => left.matches(case) || right.matches(case),
            Self::Term(Predicate::Tag, matcher, _) => {
                case.scenario.tags.iter().any(|tag| matcher.matches(tag))
            }
            Self::Term(Predicate::Name, matcher, _) => matcher.matches(&case.id),
            Self::Term(Predicate::Path, matcher, _) => matcher.matches(&case.file),
            Self::Term(Predicate::Catches, matcher, _) => {
                case.catches().iter().any(|bug| matcher.matches(bug))
            }
        }
    }
}

impl Matcher {
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Equal(wanted) => wanted == text,
            Self::Contains(part) => text.contains(part),
            Self::Regex(regex) => regex.is_match(text),
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

/// Deeper nesting than anybody writes.
const DEEPEST: usize = 64;

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn alternatives(&mut self) -> Result<Expression, FilterError> {
        let mut left = self.conjunction()?;
        while self.eat_operator('|', "or") {
            let right = self.conjunction()?;
            left = Expression::Or(Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn conjunction(&mut self) -> Result<Expression, FilterError> {
        let mut left = self.negation()?;
        while self.eat_operator('&', "and") {
            let right = self.negation()?;
            left = Expression::And(Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn negation(&mut self) -> Result<Expression, FilterError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error("too deeply nested"));
        }
        let expression = if self.eat_operator('!', "not") {
            Expression::Not(Box::new(self.negation()?))
        } else {
            self.group_or_term()?
        };
        self.depth -= 1;
        Ok(expression)
    }

    fn group_or_term(&mut self) -> Result<Expression, FilterError> {
        self.skip_spaces();
        if self.eat('(') {
            let inner = self.alternatives()?;
            self.skip_spaces();
            if !self.eat(')') {
                return Err(self.error("expected `)`"));
            }
            return Ok(inner);
        }
        self.term()
    }

    fn term(&mut self) -> Result<Expression, FilterError> {
        let start = self.at;
        let word = self.take_while(|letter| !letter.is_whitespace() && !"()&|!".contains(letter));
        if word.is_empty() {
            return Err(self.error("expected a term such as `tag(smoke)`"));
        }
        if !self.eat('(') {
            return Ok(Expression::Term(
                Predicate::Name,
                Matcher::Contains(word.into()),
                start,
            ));
        }
        let predicate = match word {
            "all" => None,
            "tag" => Some(Predicate::Tag),
            "name" => Some(Predicate::Name),
            "path" => Some(Predicate::Path),
            "catches" => Some(Predicate::Catches),
            other => {
                self.at = start;
                let known = ["tag", "name", "path", "catches", "all"];
                let hint = nearest(other, &known).map_or_else(
                    || "`tag`, `name`, `path`, `catches` or `all`".into(),
                    |word| format!("`{word}`"),
                );
                return Err(self.error(&format!(
                    "unknown predicate `{other}`; did you mean {hint}?"
                )));
            }
        };
        let argument_at = self.at;
        let argument = self.argument()?;
        match predicate {
            None if argument.is_empty() => Ok(Expression::All),
            None => Err(self.error("`all()` takes nothing")),
            Some(predicate) => {
                let matcher = self.matcher(predicate, argument, argument_at)?;
                Ok(Expression::Term(predicate, matcher, argument_at))
            }
        }
    }

    /// What stands before the bracket that closes the term; it may hold pairs of brackets itself.
    fn argument(&mut self) -> Result<&'t str, FilterError> {
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

    fn matcher(
        &self,
        predicate: Predicate,
        argument: &str,
        at: usize,
    ) -> Result<Matcher, FilterError> {
        if argument.is_empty() {
            return Err(self.error_at(at, "expected something between the brackets"));
        }
        if let Some(wanted) = argument.strip_prefix('=') {
            return Ok(Matcher::Equal(wanted.into()));
        }
        if let Some(part) = argument.strip_prefix('~') {
            return Ok(Matcher::Contains(part.into()));
        }
        if let Some(expression) = super::pattern::regular_expression(argument) {
            return Regex::new(expression).map(Matcher::Regex).map_err(|error| {
                let error = error.to_string();
                let reason = error.lines().last().unwrap_or_default();
                self.error_at(at, &format!("not a regular expression: {reason}"))
            });
        }
        Ok(match predicate {
            Predicate::Tag | Predicate::Catches => Matcher::Equal(argument.into()),
            Predicate::Name | Predicate::Path => Matcher::Contains(argument.into()),
        })
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

    fn eat(&mut self, letter: char) -> bool {
        let found = self.text[self.at..].starts_with(letter);
        if found {
            self.at += letter.len_utf8();
        }
        found
    }

    fn skip_spaces(&mut self) {
        self.take_while(char::is_whitespace);
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = &self.text[self.at..];
        let length = rest.find(|letter| !wanted(letter)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn error(&self, problem: &str) -> FilterError {
        self.error_at(self.at, problem)
    }

    fn error_at(&self, at: usize, problem: &str) -> FilterError {
        FilterError {
            text: self.text.to_owned(),
            at,
            problem: problem.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Known, parse};
    use super::*;

    fn case() -> Case {
        let text = "
name: Token used by another phone
tags: [linkkit, slow]
matrix: { security: [v1] }
world: { devices: { device: { provisioning: { security: \"${security}\" } } } }
steps: [power: on]
never: [{ log: { level: error }, catches: [silent-hang] }]
";
        let known = Known {
            bugs: vec!["silent-hang".into()],
            ..Known::default()
        };
        parse("scenarios/linkkit/used.yaml", text, &known)
            .expect("a scenario")
            .remove(0)
    }

    fn chosen(expression: &str) -> bool {
        Filter::parse(expression)
            .expect(expression)
            .matches(&case())
    }

    #[test]
    fn terms_choose_by_tag_name_path_and_bug() {
        for expression in [
            "tag(slow)",
            "tag(~low)",
            "tag(/^s.*w$/)",
            "name(another phone)",
            "name(=Token used by another phone[security=v1])",
            "name(security=v1)",
            "another",
            "path(linkkit/)",
            "path(/\\.yaml$/)",
            "catches(silent-hang)",
            "all()",
        ] {
            assert!(chosen(expression), "{expression}");
        }
        for expression in [
            "tag(slo)",
            "name(=Token)",
            "path(tls)",
            "catches(silent)",
            "Another",
        ] {
            assert!(!chosen(expression), "{expression}");
        }
    }

    #[test]
    fn not_binds_closer_than_and_and_that_closer_than_or() {
        assert!(chosen("tag(x) & tag(x) | tag(slow)"));
        assert!(chosen("tag(slow) | tag(x) & tag(x)"));
        assert!(!chosen("(tag(slow) | tag(x)) & tag(x)"));
        assert!(chosen("!tag(x) & tag(slow)"));
        assert!(!chosen("!(tag(x) | tag(slow))"));
        assert!(chosen("not tag(x) and tag(slow) or tag(x)"));
        assert!(chosen("tag(slow) && !!tag(slow) || tag(x)"));
    }

    #[test]
    fn mistakes_say_where() {
        for (expression, at, problem) in [
            ("", 0, "expected a term"),
            ("tag(smoke) &", 12, "expected a term"),
            ("tag(smoke", 9, "expected `)`"),
            ("tga(smoke)", 0, "did you mean `tag`?"),
            ("tag(a) tag(b)", 7, "expected `&`"),
            ("(tag(a)", 7, "expected `)`"),
            ("name(/[/)", 5, "not a regular expression"),
            ("tag()", 4, "expected something"),
        ] {
            let error = Filter::parse(expression).expect_err(expression);
            assert_eq!(error.position(), at, "{error}");
            assert!(error.to_string().contains(problem), "{error}");
        }
    }

    #[test]
    fn a_tag_or_bug_that_is_nowhere_is_told_with_the_nearest() {
        let cases = [case()];
        let bugs = ["silent-hang".to_owned(), "retry-storm".to_owned()];
        for (expression, at, problem) in [
            ("tag(slwo)", 4, "unknown tag `slwo`; did you mean `slow`?"),
            (
                "!tag(=smoke) & all()",
                5,
                "unknown tag `smoke`; there are: `linkkit`, `slow`",
            ),
            (
                "tag(slow) | catches(silent-hnag)",
                20,
                "unknown bug `silent-hnag`; did you mean `silent-hang`?",
            ),
        ] {
            let filter = Filter::parse(expression).expect(expression);
            let error = filter.check(&cases, &bugs).expect_err(expression);
            assert_eq!(error.position(), at, "{error}");
            assert!(error.to_string().ends_with(problem), "{error}");
        }
        for expression in [
            "tag(slow)",
            "tag(~x)",
            "catches(retry-storm)",
            "name(x)",
            "x",
        ] {
            let filter = Filter::parse(expression).expect(expression);
            assert_eq!(filter.check(&cases, &bugs), Ok(()), "{expression}");
        }
    }

    proptest! {
        #[test]
        fn no_expression_makes_it_panic(text in "[a-z()!&|~=/ é]{0,60}") {
            let _ = Filter::parse(&text);
        }
    }
}
