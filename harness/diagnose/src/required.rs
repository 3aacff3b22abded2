//! Words without which an expression is in no line.

use regex_syntax::ast::{
    Alternation, Ast, ClassBracketed, ClassSet, ClassSetItem, Concat, Flag, Flags, GroupKind,
    Literal, RepetitionKind, RepetitionRange,
};

/// Words in lower case, of which a line has one; each once.
pub type Words = Vec<Vec<u8>>;

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
    /// Their places in the order in which they stand in a line, each behind the end of the one before.
    pub order: Vec<usize>,
    /// Words of which one is where the expression begins.
    pub first: Option<Words>,
    /// Whether a line with a word of the only one has the expression.
    pub is_enough: bool,
}

/// Reads what lines must have out of an expression of bytes as it is written, which takes a fraction of the
/// time of what its automaton is built from. Flags that are set in it hold for what is read next.
#[derive(Clone, Copy, Default)]
pub struct Reader {
    /// Whether letters stand for both cases.
    folds: bool,
    /// Whether signs and classes are of Unicode, of which nothing is read.
    is_unicode: bool,
}

impl Reader {
    /// What every line has in which this is found.
    pub fn required(&mut self, expression: &Ast) -> Required {
        let before = *self;
        let part = self.part(expression);
        let is_enough =
            matches!(part, Part::Exact(_)) && Self::is_plain(&mut { before }, expression);
        let first = part.first();
        let mut all: Vec<(usize, Words)> = part.needs().into_iter().enumerate().collect();
        all.sort_by_key(|(_, words)| std::cmp::Reverse(worth(words)));
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.sort_by_key(|place| all[*place].0);
        Required {
            is_enough: is_enough && !all.is_empty(),
            all: all.into_iter().map(|(_, words)| words).collect(),
            order,
            first,
        }
    }

    fn part(&mut self, expression: &Ast) -> Part {
        match expression {
            Ast::Empty(_) | Ast::Assertion(_) => Part::Exact(nothing()),
            Ast::Flags(set) => {
                self.set(&set.flags);
                Part::Exact(nothing())
            }
            Ast::Literal(literal) => {
                let mut row = Row::new();
                self.take_literal(literal, &mut row);
                row.end()
            }
            Ast::Dot(_) | Ast::ClassUnicode(_) | Ast::ClassPerl(_) => Part::anything(),
            Ast::ClassBracketed(class) => {
                self.letters(class).map_or_else(Part::anything, Part::Exact)
            }
            Ast::Repetition(repetition) => {
                let part = self.part(&repetition.ast);
                match (times(&repetition.op.kind), part) {
                    ((0, Some(1)), Part::Exact(mut words)) => {
                        if words.first().is_none_or(|first| !first.is_empty()) {
                            words.insert(0, Vec::new());
                        }
                        Part::Exact(words)
                    }
                    ((0, _), _) => Part::anything(),
                    ((1, Some(1)), part) => part,
                    (_, part) => {
                        let first = part.first();
                        Part::Has(part.needs(), first)
                    }
                }
            }
            Ast::Group(group) => {
                let before = *self;
                if let GroupKind::NonCapturing(flags) = &group.kind {
                    self.set(flags);
                }
                let part = self.part(&group.ast);
                *self = before;
                part
            }
            Ast::Alternation(choice) => self.of_choice(choice),
            Ast::Concat(row) => {
                let mut parts = Row::new();
                self.take_row(row, &mut parts);
                parts.end()
            }
        }
    }

    /// Takes the parts of a row, those of rows within it as its own.
    fn take_row(&mut self, row: &Concat, parts: &mut Row) {
        for part in &row.asts {
            match part {
                Ast::Literal(literal) => self.take_literal(literal, parts),
                Ast::Group(group) => match &*group.ast {
                    Ast::Concat(row) => {
                        let before = *self;
                        if let GroupKind::NonCapturing(flags) = &group.kind {
                            self.set(flags);
                        }
                        self.take_row(row, parts);
                        *self = before;
                    }
                    _ => parts.take(self.part(part)),
                },
                _ => parts.take(self.part(part)),
            }
        }
    }

    fn of_choice(&mut self, choice: &Alternation) -> Part {
        let parts: Vec<Part> = choice.asts.iter().map(|part| self.part(part)).collect();
        let exact = |part: &Part| match part {
            Part::Exact(words) => Some(words.len()),
            Part::Has(..) => None,
        };
        // As many at the most, for some may be the same.
        let all: Option<usize> = parts.iter().map(exact).sum();
        if all.is_some() {
            let words = |part: &Part| match part {
                Part::Exact(words) => words.clone(),
                Part::Has(..) => Words::new(),
            };
            let all = sorted(parts.iter().flat_map(words).collect());
            if all.len() <= MOST_WORDS {
                return Part::Exact(all);
            }
        }
        let first: Option<Vec<Words>> = parts.iter().map(Part::first).collect();
        let first = first.map(|first| sorted(first.concat()));
        let best = |part: Part| part.needs().into_iter().max_by_key(worth);
        let any: Option<Vec<Words>> = parts.into_iter().map(best).collect();
        let any = any.map(|any| sorted(any.concat()));
        Part::Has(any.into_iter().collect(), first)
    }

    fn set(&mut self, flags: &Flags) {
        let state = |flag| flags.flag_state(flag);
        self.folds = state(Flag::CaseInsensitive).unwrap_or(self.folds);
        self.is_unicode = state(Flag::Unicode).unwrap_or(self.is_unicode);
    }

    fn take_literal(self, literal: &Literal, parts: &mut Row) {
        let mut of_char = [0; 4];
        let text = match byte(literal) {
            Some(byte) => &[byte],
            None => literal.c.encode_utf8(&mut of_char).as_bytes(),
        };
        match self.is_unicode {
            true => parts.take(Part::anything()),
            false => parts.text(text),
        }
    }

    /// The bytes of a class in lower case, if they are few.
    fn letters(self, class: &ClassBracketed) -> Option<Words> {
        let mut letters = Words::new();
        for byte in bytes(class).filter(|_| !self.is_unicode)? {
            let letter = vec![byte.to_ascii_lowercase()];
            if !letters.contains(&letter) {
                letters.push(letter);
            }
            if letters.len() > MOST_LETTERS {
                return None;
            }
        }
        letters.sort_unstable();
        (!letters.is_empty()).then_some(letters)
    }

    /// Whether an expression says no more than which words it is, in letters of either case.
    fn is_plain(&mut self, expression: &Ast) -> bool {
        match expression {
            Ast::Empty(_) => true,
            Ast::Flags(set) => {
                self.set(&set.flags);
                true
            }
            Ast::Literal(literal) => {
                let is_letter = byte(literal).is_some_and(|byte| byte.is_ascii_alphabetic());
                self.folds || !is_letter
            }
            // As few bytes as are told apart.
            Ast::ClassBracketed(class) => {
                let Some(bytes) = bytes(class) else {
                    return false;
                };
                let has = |byte: u8| bytes.contains(&byte);
                self.folds
                    || bytes.iter().all(|byte| {
                        has(byte.to_ascii_lowercase()) && has(byte.to_ascii_uppercase())
                    })
            }
            Ast::Repetition(repetition) => self.is_plain(&repetition.ast),
            Ast::Group(group) => {
                let before = *self;
                if let GroupKind::NonCapturing(flags) = &group.kind {
                    self.set(flags);
                }
                let is_plain = self.is_plain(&group.ast);
                *self = before;
                is_plain
            }
            Ast::Alternation(choice) => choice.asts.iter().all(|part| self.is_plain(part)),
            Ast::Concat(row) => row.asts.iter().all(|part| self.is_plain(part)),
            Ast::Assertion(_) | Ast::Dot(_) | Ast::ClassUnicode(_) | Ast::ClassPerl(_) => false,
        }
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

/// The parts of a row so far.
struct Row {
    has: Vec<Words>,
    /// The words that its last parts are together.
    run: Words,
    /// Of the first part that is not exact, or of what is before it.
    first: Option<Option<Words>>,
}

impl Row {
    fn new() -> Self {
        Self {
            has: Vec::new(),
            run: nothing(),
            first: None,
        }
    }

    fn text(&mut self, text: &[u8]) {
        let letters = text.iter().map(u8::to_ascii_lowercase);
        let words = self.run.iter_mut();
        words.for_each(|word| word.extend(letters.clone()));
    }

    fn take(&mut self, part: Part) {
        let (next, more, begins) = match part {
            Part::Exact(words) if self.run.len() * words.len() <= MOST_WORDS => {
                if !is_nothing(&words) {
                    self.run = joined(&self.run, &words);
                }
                return;
            }
            Part::Exact(words) => (words.clone(), Vec::new(), Part::Exact(words).first()),
            Part::Has(more, begins) => (nothing(), more, begins),
        };
        let before = Part::Exact(std::mem::replace(&mut self.run, next));
        let is_first = matches!(&before, Part::Exact(words) if is_nothing(words));
        self.first.get_or_insert_with(|| match is_first {
            true => begins,
            false => before.first(),
        });
        self.has.extend(before.needs());
        self.has.extend(more);
    }

    fn end(mut self) -> Part {
        let Some(first) = self.first else {
            return Part::Exact(self.run);
        };
        self.has.extend(Part::Exact(self.run).needs());
        Part::Has(self.has, first)
    }
}

fn nothing() -> Words {
    vec![Vec::new()]
}

fn is_nothing(words: &Words) -> bool {
    matches!(&words[..], [word] if word.is_empty())
}

fn sorted(mut words: Words) -> Words {
    words.sort_unstable();
    words.dedup();
    words
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
    sorted(first.iter().flat_map(behind).collect())
}

/// How often something is repeated, at least and at the most.
fn times(kind: &RepetitionKind) -> (u32, Option<u32>) {
    match kind {
        RepetitionKind::ZeroOrOne => (0, Some(1)),
        RepetitionKind::ZeroOrMore => (0, None),
        RepetitionKind::OneOrMore => (1, None),
        RepetitionKind::Range(RepetitionRange::Exactly(times)) => (*times, Some(*times)),
        RepetitionKind::Range(RepetitionRange::AtLeast(least)) => (*least, None),
        RepetitionKind::Range(RepetitionRange::Bounded(least, most)) => (*least, Some(*most)),
    }
}

/// The byte that a sign is; none of one that is written in several.
fn byte(literal: &Literal) -> Option<u8> {
    let ascii = u8::try_from(literal.c).ok().filter(u8::is_ascii);
    literal.byte().or(ascii)
}

/// The bytes of a class that lists them.
fn bytes(class: &ClassBracketed) -> Option<Vec<u8>> {
    let ClassSet::Item(item) = &class.kind else {
        return None;
    };
    let items = match item {
        ClassSetItem::Union(union) => &union.items[..],
        item => std::slice::from_ref(item),
    };
    let mut bytes = Vec::new();
    for item in items {
        match item {
            ClassSetItem::Literal(literal) => bytes.push(byte(literal)?),
            ClassSetItem::Range(range) => bytes.extend(byte(&range.start)?..=byte(&range.end)?),
            _ => return None,
        }
    }
    (!class.negated).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use regex_syntax::ast::parse::Parser;

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
            let shown: Vec<String> = required(expression).all.iter().map(shown).collect();
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
            let shown = required(expression).first.as_ref().map(shown);
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
            assert_eq!(required(expression).is_enough, is_enough, "{expression}");
        }
    }

    fn shown(words: &Words) -> String {
        let words: Vec<_> = words
            .iter()
            .map(|word| String::from_utf8_lossy(word))
            .collect();
        words.join("|")
    }

    fn required(expression: &str) -> Required {
        #[expect(clippy::unwrap_used, reason = "in tests a panic is the message")]
        let read = Parser::new().parse(expression).unwrap();
        Reader::default().required(&read)
    }
}
