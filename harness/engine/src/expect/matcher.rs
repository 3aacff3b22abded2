//! Which of several patterns an event matches, in one pass over its text.

use aho_corasick::AhoCorasick;
use regex::{Regex, RegexSet};
use serde_json::Value;
use trace::{Event, Level, Secrets, Source};

use language::{Captures, Field, NotCaptured, Pattern};
use language::{plain, regular_expression};

/// Patterns, ready to be matched. Secrets in them are replaced as in the trace.
pub(super) struct Matcher {
    patterns: Vec<Ready>,
    /// Those without a text.
    textless: Vec<usize>,
    /// Finds the literal texts; each belongs to the pattern at the same place in `literal_of`.
    literals: Option<AhoCorasick>,
    literal_of: Vec<usize>,
    /// Finds the regular expressions; each belongs to the pattern at the same place in `regex_of`.
    regexes: RegexSet,
    regex_of: Vec<usize>,
    sources: Vec<Source>,
}

/// Patterns cannot be looked for.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotReady {
    /// One refers to what no step has captured.
    #[error(transparent)]
    NotCaptured(#[from] NotCaptured),
    /// Regular expressions, each of which `check` has compiled, are too large with what was
    /// captured, or together.
    #[error("the regular expressions of this step do not compile")]
    Expressions(#[from] regex::Error),
    /// Literal texts are too large together.
    #[error("the texts of this step are too large to be looked for together")]
    Texts(#[from] aho_corasick::BuildError),
}

/// A pattern without its text, which is looked for together with the others'.
struct Ready {
    source: Source,
    device: Option<String>,
    kind: Option<String>,
    level: Option<Level>,
    tag: Option<String>,
    fields: Vec<ReadyField>,
}

struct ReadyField {
    pointers: Vec<String>,
    test: Test,
}

/// What a value must be.
pub(super) enum Test {
    Text(String),
    Regex(Regex),
    Value(Value),
}

impl Matcher {
    /// Makes `patterns` ready, with `captures` put in.
    pub fn new<'p>(
        patterns: impl IntoIterator<Item = &'p Pattern>,
        captures: &Captures,
        secrets: &Secrets,
    ) -> Result<Self, NotReady> {
        let mut ready = Vec::new();
        let mut literals = Vec::new();
        let mut literal_of = Vec::new();
        let mut regexes = Vec::new();
        let mut regex_of = Vec::new();
        let mut textless = Vec::new();
        for (index, pattern) in patterns.into_iter().enumerate() {
            match text_test(pattern, captures, secrets)? {
                None => textless.push(index),
                Some(Test::Regex(regex)) => {
                    regexes.push(regex.as_str().to_owned());
                    regex_of.push(index);
                }
                Some(Test::Text(text)) => {
                    literals.push(text);
                    literal_of.push(index);
                }
                Some(Test::Value(_)) => {}
            }
            ready.push(Ready::new(pattern, captures, secrets)?);
        }
        let mut sources: Vec<_> = ready.iter().map(|pattern| pattern.source).collect();
        sources.sort_unstable();
        sources.dedup();
        Ok(Self {
            patterns: ready,
            textless,
            literals: (!literals.is_empty())
                .then(|| AhoCorasick::new(literals))
                .transpose()?,
            literal_of,
            regexes: RegexSet::new(regexes)?,
            regex_of,
            sources,
        })
    }

    /// Whose events can match at all, sorted.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Whether events of `source` can match at all.
    pub fn sees(&self, source: Source) -> bool {
        self.sources.contains(&source)
    }

    /// Puts the positions of all patterns that `event` matches into `found`, in no order.
    pub fn matching(&self, event: &Event, found: &mut Vec<usize>) {
        found.clear();
        if !self.sees(event.source) {
            return;
        }
        for index in &self.textless {
            if self.patterns[*index].matches(event) {
                found.push(*index);
            }
        }
        if event.source == Source::Log
            && let Some(line) = event.line()
        {
            self.matching_text(event, line.text, found);
        }
    }

    fn matching_text(&self, event: &Event, text: &str, found: &mut Vec<usize>) {
        if let Some(literals) = &self.literals {
            for hit in literals.find_overlapping_iter(text) {
                let index = self.literal_of[hit.pattern()];
                if !found.contains(&index) && self.patterns[index].matches(event) {
                    found.push(index);
                }
            }
        }
        if self.regex_of.is_empty() {
            return;
        }
        for part in record_and_lines(text) {
            // Whether any matches is known far sooner than which.
            if self.regexes.is_match(part) {
                for hit in &self.regexes.matches(part) {
                    let index = self.regex_of[hit];
                    if !found.contains(&index) && self.patterns[index].matches(event) {
                        found.push(index);
                    }
                }
            }
        }
    }
}

impl Ready {
    fn new(pattern: &Pattern, captures: &Captures, secrets: &Secrets) -> Result<Self, NotReady> {
        let redacted = |text: &String| secrets.redact_text(text).into_owned();
        let fields = pattern.fields.iter().map(|field| {
            Ok(ReadyField {
                pointers: field.pointers(),
                test: field_test(field, captures, secrets)?,
            })
        });
        Ok(Self {
            source: pattern.source,
            device: pattern.device.as_ref().map(|device| device.value.clone()),
            kind: pattern.kind.as_ref().map(|kind| kind.value.clone()),
            level: pattern.level,
            tag: pattern.tag.as_ref().map(redacted),
            fields: fields.collect::<Result<_, NotReady>>()?,
        })
    }

    /// Level and tag.
    fn matches_line(&self, event: &Event) -> bool {
        if self.level.is_none() && self.tag.is_none() {
            return true;
        }
        event.line().is_some_and(|line| {
            self.level.is_none_or(|level| line.level == level)
                && self.tag.as_ref().is_none_or(|tag| line.tag == tag)
        })
    }

    /// Everything but the text.
    fn matches(&self, event: &Event) -> bool {
        self.source == event.source
            && (self.device.is_none() || self.device == event.device)
            && self.kind.as_ref().is_none_or(|kind| *kind == event.kind)
            && self.matches_line(event)
            && self.fields.iter().all(|field| field.matches(&event.data))
    }
}

impl ReadyField {
    fn matches(&self, data: &Value) -> bool {
        let mut values = self
            .pointers
            .iter()
            .filter_map(|pointer| data.pointer(pointer));
        values.any(|value| self.test.passes(value))
    }
}

impl Test {
    /// Whether `value` is what it must be.
    pub fn passes(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text(wanted), Value::String(text)) => wanted == text,
            (Self::Text(wanted), other) => *wanted == plain(other),
            (Self::Regex(regex), Value::String(text)) => regex.is_match(text),
            (Self::Regex(regex), other) => regex.is_match(&plain(other)),
            (Self::Value(wanted), other) => wanted == other,
        }
    }
}

/// The text of a record, and each of its lines if it has several: `^` and `$` of a regular expression
/// stand for the ends of both.
pub(super) fn record_and_lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.contains('\n').then(|| text.split('\n'));
    std::iter::once(text).chain(lines.into_iter().flatten())
}

/// What the text of a log line must be: it must hold a [`Test::Text`], not equal it.
pub(super) fn text_test(
    pattern: &Pattern,
    captures: &Captures,
    secrets: &Secrets,
) -> Result<Option<Test>, NotReady> {
    pattern
        .text
        .as_ref()
        .map(|text| test(text, captures, secrets))
        .transpose()
}

/// What a field's value must be.
pub(super) fn field_test(
    field: &Field,
    captures: &Captures,
    secrets: &Secrets,
) -> Result<Test, NotReady> {
    match &field.value.value {
        Value::String(text) => test(text, captures, secrets),
        other => Ok(Test::Value(other.clone())),
    }
}

fn test(text: &str, captures: &Captures, secrets: &Secrets) -> Result<Test, NotReady> {
    if let Some(expression) = regular_expression(text) {
        let filled = captures.fill_expression(expression)?;
        return Ok(Test::Regex(Regex::new(&secrets.redact_text(&filled))?));
    }
    let filled = captures.fill(text)?;
    Ok(Test::Text(secrets.redact_text(&filled).into_owned()))
}
