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

use regex::Regex;

use super::logic::{Expression, FilterError, Parser};
use super::mistake::{Mistake, nearest};
use super::scenario::Case;

/// A filter expression.
#[derive(Clone, Debug)]
pub struct Filter {
    text: String,
    expression: Expression<Term>,
}

#[derive(Clone, Debug)]
enum Term {
    All,
    Of(Predicate, Matcher, usize),
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
        let expression = Parser::read(text, Parser::case_term)?;
        Ok(Self {
            text: text.to_owned(),
            expression,
        })
    }

    /// Whether `case` is chosen.
    pub fn matches(&self, case: &Case) -> bool {
        self.expression.holds(&mut |term| term.matches(case))
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
        self.expression.each(&mut |term| {
            let Term::Of(predicate, matcher, at) = term else {
                return Ok(());
            };
            let (what, known) = match predicate {
                Predicate::Tag => ("tag", &tags),
                Predicate::Catches => ("bug", &bugs),
                Predicate::Name | Predicate::Path => return Ok(()),
            };
            match matcher {
                Matcher::Equal(wanted) if !known.contains(&wanted.as_str()) => {
                    let mistake = Mistake::unknown(None, what, wanted, known.iter().copied());
                    let help = mistake.help.unwrap_or_default();
                    Err(FilterError::new(
                        &self.text,
                        *at,
                        format!("{}; {help}", mistake.message),
                    ))
                }
                _ => Ok(()),
            }
        })
    }
}

impl Term {
    fn matches(&self, case: &Case) -> bool {
        let Self::Of(predicate, matcher, _) = self else {
            return true;
        };
        match predicate {
            Predicate::Tag => case.scenario.tags.iter().any(|tag| matcher.matches(tag)),
            Predicate::Name => matcher.matches(&case.id),
            Predicate::Path => matcher.matches(&case.file),
            Predicate::Catches => case.catches().iter().any(|bug| matcher.matches(bug)),
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

impl Parser<'_> {
    fn case_term(&mut self) -> Result<Term, FilterError> {
        let start = self.at();
        let word = self.take_while(|letter| !letter.is_whitespace() && !"()&|!".contains(letter));
        if word.is_empty() {
            return Err(self.error("expected a term such as `tag(smoke)`"));
        }
        if !self.eat('(') {
            return Ok(Term::Of(
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
                let known = ["tag", "name", "path", "catches", "all"];
                let hint = nearest(other, &known).map_or_else(
                    || "`tag`, `name`, `path`, `catches` or `all`".into(),
                    |word| format!("`{word}`"),
                );
                return Err(self.error_at(
                    start,
                    &format!("unknown predicate `{other}`; did you mean {hint}?"),
                ));
            }
        };
        let argument_at = self.at();
        let argument = self.argument()?;
        match predicate {
            None if argument.is_empty() => Ok(Term::All),
            None => Err(self.error("`all()` takes nothing")),
            Some(predicate) => {
                let matcher = self.matcher(predicate, argument, argument_at)?;
                Ok(Term::Of(predicate, matcher, argument_at))
            }
        }
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
