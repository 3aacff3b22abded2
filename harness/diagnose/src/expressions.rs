//! Which of many expressions a line has.
//!
//! One automaton of all expressions would have another state for every mixture of what they have begun to
//! see, and would be built anew for every other kind of line. So the words without which an expression is in
//! no line are looked for first, all in one pass. Of an expression that is a choice each branch is one of its
//! own, which has its own words and a small automaton, built when a line first has these.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use regex_automata::meta::Regex;
use regex_automata::{Anchored, Input};
use regex_syntax::ast::{self, Ast};

use crate::branch::{Lasting, passing};
use crate::literals::Literals;
use crate::required::{Reader, Required, Words};
use crate::rules::Pattern;

/// Bytes that are looked at for a branch before states are kept for it.
const OFTEN: usize = 16 << 10;
/// Words that a line has as a rule.
const OF_LINE: usize = 32;
/// Places in which a branch may begin that are looked at one by one.
const FEW: usize = 4;
/// Places of words in a line that are kept; of a line with more, where each word is first.
const MOST_PLACES: usize = 512;
/// Branches that states are kept for.
const MOST_LASTING: usize = 128;

/// Expressions that are looked for together.
pub struct Expressions {
    words: Literals,
    /// The length of each.
    lengths: Vec<usize>,
    /// Of each word, the branches that are looked at when a line has it.
    branches_of: Vec<Vec<usize>>,
    /// The branches that are looked at in every line.
    always: Vec<usize>,
    branches: Vec<Branch>,
    /// How many of them states are kept for.
    lasting: AtomicUsize,
}

/// One of the choices of an expression.
struct Branch {
    of: Pattern,
    text: String,
    /// The words that a line must have, by number: of each, one, behind those of the one before.
    needs: Vec<Vec<usize>>,
    /// Words of which one is where it begins, if that is known.
    begins: Vec<usize>,
    /// Whether that is all that it says.
    is_enough: bool,
    /// Bytes that were looked at.
    looked_at: AtomicUsize,
    passing: OnceLock<Regex>,
    lasting: OnceLock<Option<Lasting>>,
}

/// Words of a line, by number, each with its place.
#[derive(Clone, Copy)]
enum Places<'w> {
    /// All of them.
    All(&'w [(usize, usize)]),
    /// Each where it is first.
    First(&'w [(usize, usize)]),
}

/// Why an expression cannot be one.
#[derive(Debug, thiserror::Error)]
pub enum ExpressionError {
    /// It is none.
    #[error("expression `{text}` cannot be read")]
    Syntax {
        /// The expression.
        text: String,
        /// What is wrong with it.
        source: Box<ast::Error>,
    },
}

impl Expressions {
    /// Of these texts. They are of bytes: what is looked for is ASCII, and automata are far smaller.
    pub fn new<T: AsRef<str>>(texts: &[T]) -> Result<Self, ExpressionError> {
        let mut words = Numbers::default();
        let mut branches_of: Vec<Vec<usize>> = Vec::new();
        let (mut always, mut branches) = (Vec::new(), Vec::new());
        for (of, text) in texts.iter().enumerate() {
            let text = text.as_ref();
            let read = ast::parse::Parser::new()
                .parse(text)
                .map_err(|source| unread(text, source))?;
            let mut reader = Reader::default();
            for (text, branch) in split(text, &read) {
                let Required {
                    all,
                    order,
                    first: begins,
                    is_enough,
                } = reader.required(branch);
                let all: Vec<Vec<usize>> = all.into_iter().map(|any| words.of_all(any)).collect();
                let needs = order.iter().map(|place| all[*place].clone()).collect();
                let first = all.into_iter().next();
                let begins = begins.map_or(Vec::new(), |begins| words.of_all(begins));
                branches_of.resize_with(words.0.len(), Vec::new);
                match first {
                    None => always.push(branches.len()),
                    Some(any) => any
                        .into_iter()
                        .for_each(|word| branches_of[word].push(branches.len())),
                }
                branches.push(Branch {
                    of,
                    text,
                    needs,
                    begins,
                    is_enough,
                    looked_at: AtomicUsize::new(0),
                    passing: OnceLock::new(),
                    lasting: OnceLock::new(),
                });
            }
        }
        let words = words.in_order();
        Ok(Self {
            lengths: words.iter().map(Vec::len).collect(),
            words: Literals::new(&words),
            branches_of,
            always,
            branches,
            lasting: AtomicUsize::new(0),
        })
    }

    /// Adds those that are found in a line to those of another.
    pub fn add_found_in(&self, line: &[u8], found: &mut Vec<Pattern>) {
        found.extend(self.found_in(line));
        found.sort_unstable();
        found.dedup();
    }

    /// Those that are found in a line, in their order.
    pub fn found_in(&self, line: &[u8]) -> Vec<Pattern> {
        let mut has = Bits::new(self.branches_of.len());
        // Each word where it is first, and where all of them are.
        let mut met = Vec::with_capacity(OF_LINE);
        let mut all = Vec::with_capacity(OF_LINE);
        self.words.each_in(line, |number, start| {
            if all.len() <= MOST_PLACES {
                all.push((number, start));
            }
            if has.insert(number) {
                met.push((number, start));
            }
        });
        let places = match all.len() {
            ..=MOST_PLACES => Places::All(&all),
            _ => Places::First(&met),
        };
        let mut found = Vec::new();
        let leads = |(word, _): &(usize, usize)| !self.branches_of[*word].is_empty();
        if self.always.is_empty() && !met.iter().any(leads) {
            return found;
        }
        let has_any = |any: &Vec<usize>| any.iter().any(|word| has.contains(*word));
        // A branch of several words is looked at once.
        let mut looked_at = Bits::new(self.branches.len());
        let of_words = met.iter().flat_map(|(word, _)| &self.branches_of[*word]);
        for number in of_words.chain(&self.always) {
            let branch = &self.branches[*number];
            if !looked_at.insert(*number)
                || !branch.needs.iter().all(has_any)
                || found.contains(&branch.of)
            {
                continue;
            }
            if branch.is_enough || self.is_in(branch, line, places) {
                found.push(branch.of);
            }
        }
        found.sort_unstable();
        found
    }

    /// The text of each branch.
    #[cfg(test)]
    pub fn branches(&self) -> impl Iterator<Item = &str> {
        self.branches.iter().map(|branch| &*branch.text)
    }

    /// Whether a line with a branch's words, and others in these places, has it.
    fn is_in(&self, branch: &Branch, line: &[u8], places: Places<'_>) -> bool {
        let (Places::All(words) | Places::First(words)) = places;
        let mut begins = words
            .iter()
            .filter(|(word, _)| branch.begins.contains(word))
            .map(|(_, place)| *place);
        let from = match begins.next() {
            None if !branch.begins.is_empty() => return false,
            from => from.unwrap_or(0),
        };
        let is_in_turn = |from| match places {
            Places::All(words) => branch.needs.len() < 2 || self.has_in_turn(branch, words, from),
            Places::First(_) => true,
        };
        if !is_in_turn(from) {
            return false;
        }
        let input = Input::new(line).range(from..).earliest(true);
        let length = input.get_span().len();
        let before = branch.looked_at.fetch_add(length, Ordering::Relaxed);
        let with_states = (before >= OFTEN)
            .then(|| branch.lasting.get_or_init(|| self.lasting(&branch.text)))
            .and_then(|lasting| lasting.as_ref()?.is_in(&input));
        with_states.unwrap_or_else(|| {
            let passing = branch.passing.get_or_init(|| passing(&branch.text));
            let is_one_of_few = !branch.begins.is_empty() && begins.clone().nth(FEW - 1).is_none();
            if let (Places::All(_), true) = (places, is_one_of_few) {
                let at = |place| input.clone().range(place..).anchored(Anchored::Yes);
                let mut begins = std::iter::once(from).chain(begins);
                begins.any(|begin| is_in_turn(begin) && passing.is_match(at(begin)))
            } else {
                passing.is_match(input)
            }
        })
    }

    /// Whether a branch's words stand one behind another from a place on.
    fn has_in_turn(&self, branch: &Branch, places: &[(usize, usize)], mut from: usize) -> bool {
        branch.needs.iter().all(|any| {
            let ends = places
                .iter()
                .filter(|(word, place)| *place >= from && any.contains(word))
                .map(|(word, place)| place + self.lengths[*word]);
            let end = ends.min();
            from = end.unwrap_or(from);
            end.is_some()
        })
    }

    fn lasting(&self, text: &str) -> Option<Lasting> {
        let before = self.lasting.fetch_add(1, Ordering::Relaxed);
        (before < MOST_LASTING).then(|| Lasting::of(text))
    }
}

/// Words and their numbers.
#[derive(Default)]
struct Numbers(HashMap<Vec<u8>, usize>);

impl Numbers {
    fn of(&mut self, word: Vec<u8>) -> usize {
        let next = self.0.len();
        *self.0.entry(word).or_insert(next)
    }

    fn of_all(&mut self, words: Words) -> Vec<usize> {
        words.into_iter().map(|word| self.of(word)).collect()
    }

    fn in_order(self) -> Vec<Vec<u8>> {
        let mut words: Vec<(Vec<u8>, usize)> = self.0.into_iter().collect();
        words.sort_by_key(|(_, number)| *number);
        words.into_iter().map(|(word, _)| word).collect()
    }
}

/// A set of small numbers.
struct Bits(Vec<u64>);

impl Bits {
    fn new(end: usize) -> Self {
        Self(vec![0; end.div_ceil(64)])
    }

    /// Whether it was not there yet.
    fn insert(&mut self, number: usize) -> bool {
        let is_new = !self.contains(number);
        self.0[number / 64] |= 1 << (number % 64);
        is_new
    }

    fn contains(&self, number: usize) -> bool {
        self.0[number / 64] & (1 << (number % 64)) != 0
    }
}

fn unread(text: &str, source: ast::Error) -> ExpressionError {
    ExpressionError::Syntax {
        text: text.to_owned(),
        source: Box::new(source),
    }
}

/// The choices of an expression, each with its text and the flags that hold in it.
fn split<'a>(text: &str, read: &'a Ast) -> Vec<(String, &'a Ast)> {
    let Ast::Alternation(choice) = read else {
        return vec![(text.to_owned(), read)];
    };
    let mut flags = String::new();
    let of_span = |span: &ast::Span| &text[span.start.offset..span.end.offset];
    let mut branches = Vec::new();
    for branch in &choice.asts {
        branches.push((format!("{flags}{}", of_span(branch.span())), branch));
        // Flags hold to the end, in the choices behind them too.
        let parts = match branch {
            Ast::Concat(row) => &row.asts[..],
            other => std::slice::from_ref(other),
        };
        for part in parts {
            if let Ast::Flags(set) = part {
                flags.push_str(of_span(&set.span));
            }
        }
    }
    branches
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "in tests a panic is the message")]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;
    use std::sync::LazyLock;

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;
    use regex::bytes;

    use super::*;
    use crate::rules;

    #[test]
    fn each_choice_has_the_flags_before_it() {
        for (text, choices) in [
            ("ab|cd", vec!["ab", "cd"]),
            ("(?i)ab|c(d|e)", vec!["(?i)ab", "(?i)c(d|e)"]),
            (
                "ab|(?i)cd|(?-i)ef|",
                vec!["ab", "(?i)cd", "(?i)(?-i)ef", "(?i)(?-i)"],
            ),
            ("(a|b)c", vec!["(a|b)c"]),
        ] {
            let read = ast::parse::Parser::new().parse(text).unwrap();
            let split = split(text, &read).into_iter().map(|(text, _)| text);
            assert_eq!(split.collect::<Vec<_>>(), choices, "{text}");
        }
    }

    /// Each expression by itself, as the plain engine has it.
    static PLAIN: LazyLock<Vec<bytes::Regex>> = LazyLock::new(|| {
        let plain = |text: &String| {
            bytes::RegexBuilder::new(text)
                .unicode(false)
                .dfa_size_limit(1 << 20)
                .build()
                .unwrap()
        };
        rules::rules().expressions.iter().map(plain).collect()
    });
    static LINES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let folders = folder
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let logs = folders
            .filter(|path| path.is_dir())
            .flat_map(|folder| folder.read_dir().unwrap())
            .map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
        let lines: BTreeSet<Vec<u8>> = logs
            .flat_map(|log| {
                let lines = log.split(|byte| *byte == b'\n');
                lines.map(<[u8]>::to_vec).collect::<Vec<_>>()
            })
            .collect();
        lines.into_iter().collect()
    });

    fn plainly_in(line: &[u8]) -> Vec<Pattern> {
        let plain = PLAIN.iter().enumerate();
        plain
            .filter(|(_, expression)| expression.is_match(line))
            .map(|(pattern, _)| pattern)
            .collect()
    }

    #[test]
    fn lines_of_logs_have_the_expressions_that_each_by_itself_finds() {
        let all = &rules::rules().set;
        for line in LINES.iter() {
            assert_eq!(
                all.found_in(line),
                plainly_in(line),
                "{}",
                String::from_utf8_lossy(line)
            );
        }
    }

    proptest! {
        #[test]
        fn other_lines_have_the_expressions_that_each_by_itself_finds(
            parts in vec((any::<Index>(), any::<Index>(), any::<Index>(), any::<bool>()), 1..4),
            between in vec(any::<u8>(), 0..3),
        ) {
            let mut line = Vec::new();
            for (of, from, to, is_loud) in parts {
                let part = of.get(&LINES);
                let (from, to) = (from.index(part.len() + 1), to.index(part.len() + 1));
                let mut part = part[from.min(to)..from.max(to)].to_vec();
                if is_loud {
                    part.make_ascii_uppercase();
                }
                line.extend(part);
                line.extend(&between);
            }
            prop_assert_eq!(rules::rules().set.found_in(&line), plainly_in(&line));
        }
    }

    #[test]
    fn a_line_that_is_looked_at_again_and_again_has_the_same_expressions() {
        let all = Expressions::new(&[
            r"(?i)mqtt[^\n]{0,60}\b(failed|refused)\b",
            "refused|OOM",
            r"\d",
            "never",
        ])
        .unwrap();
        let line = b"E (9) MQTT: connection refused";
        for _ in 0..2 * OFTEN / "refused".len() {
            assert_eq!(all.found_in(line), [0, 1, 2]);
        }
        assert_eq!(all.lasting.load(Ordering::Relaxed), 3);
        assert_eq!(all.found_in("oom in mqtt".as_bytes()), [0; 0]);
    }
}
