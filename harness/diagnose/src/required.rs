//! Words without which an expression is in no line.

use std::collections::BTreeSet;

use regex_syntax::hir::{Class, Hir, HirKind};

/// Words in lower case, of which a line has one.
pub type Words = BTreeSet<Vec<u8>>;

/// Words that are told apart in one place of an expression.
const MOST_WORDS: usize = 16;
/// Bytes of a class that are told apart.
const MOST_LETTERS: usize = 4;
/// Bytes of a word that is worth looking for.
const SHORTEST: usize = 2;

/// What a line with an expression has, whatever the case of its letters.
pub struct Required {
    /// Of each, any one of the words; the most telling first.
    pub all: Vec<Words>,
    /// Words of which one is where the expression begins.
    pub first: Option<Words>,
    /// Whether a line with a word of the only one has the expression.
    pub is_enough: bool,
}

/// What every line has in which this is found.
pub fn required(hir: &Hir) -> Required {
    let part = Part::of(hir);
    let is_enough = matches!(part, Part::Exact(_)) && is_plain(hir);
    let first = part.first();
    let mut all = part.needs();
    all.sort_by_key(|words| std::cmp::Reverse(worth(words)));
    Required {
        is_enough: is_enough && !all.is_empty(),
        all,
        first,
    }
}

/// A part of an expression.
enum Part {
    /// It is one of these words, between what has no length.
    Exact(Words),
    /// It has a word of each of these, and begins with one of the others.
    Has(Vec<Words>, Option<Words>),
}

impl Part {
    fn of(hir: &Hir) -> Self {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => Self::Exact(nothing()),
            HirKind::Literal(literal) => Self::Exact(Words::from([literal.0.to_ascii_lowercase()])),
            HirKind::Class(class) => letters(class).map_or_else(Self::anything, Self::Exact),
            HirKind::Capture(capture) => Self::of(&capture.sub),
            HirKind::Repetition(repetition) => match (repetition.min, repetition.max) {
                (0, Some(1)) => match Self::of(&repetition.sub) {
                    Self::Exact(mut words) => {
                        words.insert(Vec::new());
                        Self::Exact(words)
                    }
                    Self::Has(..) => Self::anything(),
                },
                (0, _) => Self::anything(),
                (1, Some(1)) => Self::of(&repetition.sub),
                _ => {
                    let part = Self::of(&repetition.sub);
                    let first = part.first();
                    Self::Has(part.needs(), first)
                }
            },
            HirKind::Concat(parts) => Self::of_row(parts),
            HirKind::Alternation(parts) => Self::of_choice(parts),
        }
    }

    fn of_row(parts: &[Hir]) -> Self {
        let mut has = Vec::new();
        let mut run = nothing();
        // Of the first part that is not exact, or of what is before it.
        let mut first = None;
        for part in parts {
            match Self::of(part) {
                Self::Exact(words) if run.len() * words.len() <= MOST_WORDS => {
                    run = joined(&run, &words);
                }
                part => {
                    let (next, more, begins) = match part {
                        Self::Exact(words) => {
                            (words.clone(), Vec::new(), Self::Exact(words).first())
                        }
                        Self::Has(more, begins) => (nothing(), more, begins),
                    };
                    let before = Self::Exact(std::mem::replace(&mut run, next));
                    let is_nothing = matches!(&before, Self::Exact(words) if *words == nothing());
                    first.get_or_insert_with(|| if is_nothing { begins } else { before.first() });
                    has.extend(before.needs());
                    has.extend(more);
                }
            }
        }
        let Some(first) = first else {
            return Self::Exact(run);
        };
        has.extend(Self::Exact(run).needs());
        Self::Has(has, first)
    }

    fn of_choice(parts: &[Hir]) -> Self {
        let parts: Vec<Self> = parts.iter().map(Self::of).collect();
        let exact = |part: &Self| match part {
            Self::Exact(words) => Some(words.clone()),
            Self::Has(..) => None,
        };
        let all: Option<Vec<Words>> = parts.iter().map(exact).collect();
        if let Some(all) = all {
            let all: Words = all.into_iter().flatten().collect();
            if all.len() <= MOST_WORDS {
                return Self::Exact(all);
            }
        }
        let first: Option<Vec<Words>> = parts.iter().map(Self::first).collect();
        let first = first.map(|first| first.into_iter().flatten().collect());
        let best = |part: Self| part.needs().into_iter().max_by_key(worth);
        let any: Option<Vec<Words>> = parts.into_iter().map(best).collect();
        let any = any.map(|any| any.into_iter().flatten().collect());
        Self::Has(any.into_iter().collect(), first)
    }

    fn anything() -> Self {
        Self::Has(Vec::new(), None)
    }

    /// The words that it begins with, as far as they tell anything.
    fn first(&self) -> Option<Words> {
        match self {
            Self::Exact(words) => (shortest(words) >= SHORTEST).then(|| words.clone()),
            Self::Has(_, first) => first.clone(),
        }
    }

    /// The words that it has, as far as they tell anything.
    fn needs(self) -> Vec<Words> {
        match self {
            Self::Exact(words) if shortest(&words) >= SHORTEST => vec![words],
            Self::Exact(_) => Vec::new(),
            Self::Has(all, _) => all,
        }
    }
}

fn nothing() -> Words {
    Words::from([Vec::new()])
}

/// The shortest word's length; 0 of none, for what no line has is not looked for.
fn shortest(words: &Words) -> usize {
    words.iter().map(Vec::len).min().unwrap_or(0)
}

/// What tells more is larger: fewer lines have it.
fn worth(words: &Words) -> (usize, usize) {
    (shortest(words), usize::MAX - words.len())
}

fn joined(first: &Words, second: &Words) -> Words {
    let behind = |word: &Vec<u8>| {
        let word = word.clone();
        second.iter().map(move |end| [&word[..], end].concat())
    };
    first.iter().flat_map(behind).collect()
}

/// The bytes of a class in lower case, if they are few.
fn letters(class: &Class) -> Option<Words> {
    let Class::Bytes(class) = class else {
        return None;
    };
    let mut letters = Words::new();
    for byte in class.iter().flat_map(|range| range.start()..=range.end()) {
        letters.insert(vec![byte.to_ascii_lowercase()]);
        if letters.len() > MOST_LETTERS {
            return None;
        }
    }
    (!letters.is_empty()).then_some(letters)
}

/// Whether an expression says no more than which words it is, in letters of either case.
fn is_plain(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty => true,
        HirKind::Look(_) => false,
        HirKind::Literal(literal) => !literal.0.iter().any(u8::is_ascii_alphabetic),
        // As few bytes as are told apart.
        HirKind::Class(Class::Bytes(class)) => {
            let ranges = || class.iter().map(|range| range.start()..=range.end());
            let has = |byte: u8| ranges().any(|range| range.contains(&byte));
            ranges()
                .flatten()
                .all(|byte| has(byte.to_ascii_lowercase()) && has(byte.to_ascii_uppercase()))
        }
        HirKind::Class(Class::Unicode(_)) => false,
        HirKind::Capture(capture) => is_plain(&capture.sub),
        HirKind::Repetition(repetition) => is_plain(&repetition.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().all(is_plain),
    }
}

#[cfg(test)]
mod tests {
    use regex_syntax::ParserBuilder;

    use super::*;

    #[test]
    fn every_line_with_an_expression_has_a_word_of_each() {
        for (expression, all) in [
            ("(?i)Handshake failed", "handshake failed"),
            (r"\bOOM\b", "oom"),
            (
                "(?i)mqtt[^\n]{0,9}connect(ed|ion)?",
                "connect|connected|connection & mqtt",
            ),
            ("(?i)auth[ _]fail", "auth fail|auth_fail"),
            ("(timeout|no reply).*dhcp", "no reply|timeout & dhcp"),
            (r"\d+ bytes", " bytes"),
            (r"(\d+|abc)x", ""),
            (r"(\d+x|abc)yes", "yes"),
            ("(ab)+c|abc", "ab|abc"),
            ("(ab){2}", "ab"),
            ("a?", ""),
            ("[^a]", ""),
        ] {
            let shown: Vec<String> = required(&hir(expression)).all.iter().map(shown).collect();
            assert_eq!(shown.join(" & "), all, "{expression}");
        }
    }

    #[test]
    fn an_expression_begins_with_one_of_its_first_words() {
        for (expression, first) in [
            (r"(?i)\bmqtt\w*.*failed", "mqtt"),
            (r"(connect\w*|(tls|ssl)\b)[^\n]{0,9}lost", "connect|ssl|tls"),
            (r"(\w*connect|tls) lost", ""),
            (r"\d+ lost", ""),
            (r"(ab)+\d", "ab"),
            (r"(ab)*\d", ""),
            (r"x?\d", ""),
            (r"(?i)[^\n]mqtt", ""),
            (r"^\W*abc", ""),
        ] {
            let shown = required(&hir(expression)).first.as_ref().map(shown);
            assert_eq!(shown.unwrap_or_default(), first, "{expression}");
        }
    }

    #[test]
    fn words_are_enough_where_nothing_is_said_of_their_case_and_place() {
        for (expression, is_enough) in [
            ("(?i)handshake (failed|lost)", true),
            ("(?i)a.b", false),
            ("(?i)wi-?fi", true),
            ("0[0-9]", false),
            ("0-1(23)", true),
            ("OOM", false),
            (r"(?i)oom\b", false),
            ("(?i)x", false),
            ("(?i)ab(?-i:C)", false),
        ] {
            assert_eq!(
                required(&hir(expression)).is_enough,
                is_enough,
                "{expression}"
            );
        }
    }

    fn shown(words: &Words) -> String {
        let words: Vec<_> = words
            .iter()
            .map(|word| String::from_utf8_lossy(word))
            .collect();
        words.join("|")
    }

    fn hir(expression: &str) -> Hir {
        #[expect(clippy::unwrap_used, reason = "in tests a panic is the message")]
        ParserBuilder::new()
            .unicode(false)
            .utf8(false)
            .build()
            .parse(expression)
            .unwrap()
    }
}
