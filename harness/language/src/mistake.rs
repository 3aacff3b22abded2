//! What is wrong with a scenario file, and where.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};
use serde_saphyr::Error as YamlError;

use super::advice;
use super::span::Span;
use super::tree::span_of;

/// Everything that is wrong with one file.
#[derive(Debug)]
pub struct Mistakes {
    file: String,
    list: Vec<Report>,
}

impl Mistakes {
    pub(super) fn new(file: &str, text: &str, mut list: Vec<Mistake>) -> Self {
        list.sort_by_key(|mistake| mistake.span.unwrap_or_default());
        list.dedup();
        let text: Arc<str> = text.into();
        Self {
            file: file.to_owned(),
            list: list
                .into_iter()
                .map(|mistake| Report {
                    source: NamedSource::new(file, Arc::clone(&text)),
                    file: file.to_owned(),
                    mistake,
                })
                .collect(),
        }
    }

    /// Path of the file as it was given.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.list.len()
    }

    /// Each with its snippet.
    pub fn iter(&self) -> impl Iterator<Item = &Report> {
        self.list.iter()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.count() == 1 { "" } else { "s" };
        write!(f, "{}: {} mistake{plural}", self.file, self.count())
    }
}

impl Error for Mistakes {}

impl Diagnostic for Mistakes {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(
            self.list.iter().map(|report| report as &dyn Diagnostic),
        ))
    }
}

/// One mistake with the text in which it was made.
#[derive(Debug)]
pub struct Report {
    source: NamedSource<Arc<str>>,
    file: String,
    mistake: Mistake,
}

impl Report {
    /// Where it stands.
    pub fn span(&self) -> Span {
        self.mistake.span.unwrap_or_default()
    }

    /// Path of its file as it was given.
    pub fn file(&self) -> &str {
        &self.file
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.mistake.message)
    }
}

impl Error for Report {}

impl Diagnostic for Report {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.mistake.help.as_ref()?;
        Some(Box::new(help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.span();
        let label = LabeledSpan::new(Some("here".into()), span.offset, span.length);
        Some(Box::new(std::iter::once(label)))
    }
}

/// Something that is wrong, before it is known in which file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// Not known until the reader has passed by a value with a place.
    pub span: Option<Span>,
    pub message: String,
    pub help: Option<String>,
}

impl Mistake {
    /// `message` about what stands at `span`.
    pub fn at(span: Span, message: impl Into<String>) -> Self {
        Self {
            span: Some(span),
            message: message.into(),
            help: None,
        }
    }

    /// With advice.
    pub fn help(self, help: impl Into<String>) -> Self {
        Self {
            help: Some(help.into()),
            ..self
        }
    }

    /// With advice, if there is any.
    pub fn with(self, help: Option<String>) -> Self {
        Self {
            help: help.or(self.help),
            ..self
        }
    }

    /// `found` is none of `known`, which are things of kind `what`.
    pub fn unknown<'k>(
        span: Option<Span>,
        what: &str,
        found: &str,
        known: impl IntoIterator<Item = &'k str>,
    ) -> Self {
        let known: Vec<_> = known.into_iter().collect();
        let help = match (nearest(found, &known), known.is_empty()) {
            (Some(word), _) => format!("did you mean `{word}`?"),
            (None, true) => format!("there is no {what} here"),
            (None, false) => format!("there are: {}", quoted(&known)),
        };
        Self {
            span,
            message: format!("unknown {what} `{found}`"),
            help: Some(help),
        }
    }

    /// The same, but at `span` if its place was not known.
    pub fn or_at(self, span: Span) -> Self {
        Self {
            span: self.span.or(Some(span)),
            ..self
        }
    }

    /// What the YAML reader found.
    pub fn of_yaml(error: &YamlError, text: &str) -> Self {
        let error = error.without_snippet();
        let mut span = error.location().map(span_of).unwrap_or_default();
        if span.offset == 0 {
            // Of what it cannot even scan, the reader knows line and column only.
            span.offset = offset_of(span.line, span.column, text);
        }
        span.offset = span.offset.min(text.len());
        span.length = span.length.min(text.len() - span.offset);
        let message = match error {
            YamlError::Budget { .. } => "this is more than any scenario needs".into(),
            YamlError::DuplicateMappingKey { key: Some(key), .. } => {
                format!("`{key}` is given twice")
            }
            other => strip_place(&other.to_string()).to_owned(),
        };
        let help = advice::of_yaml(&message, text, span.offset);
        Self::at(span, message).with(help)
    }
}

/// Where a line and column, both from 1, stand in `text`.
fn offset_of(line: u64, column: u64, text: &str) -> usize {
    let index = |number: u64| usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
    let before = text.split_inclusive('\n').take(index(line));
    let start = before.map(str::len).sum::<usize>();
    let rest = &text[start..];
    let within = rest.char_indices().nth(index(column));
    start + within.map_or(rest.len(), |(offset, _)| offset)
}

/// The YAML reader's message without the place that we show ourselves.
fn strip_place(message: &str) -> &str {
    let end = message.find(" at line ").unwrap_or(message.len());
    message[..end].lines().next().unwrap_or_default()
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Mistake {}

/// The word of `known` that was most likely meant by `found`.
pub fn nearest<'k>(found: &str, known: &[&'k str]) -> Option<&'k str> {
    let limit = found.chars().count().max(3) / 3;
    known
        .iter()
        .map(|word| (distance(found, word), *word))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, word)| word)
}

/// `words` as they stand in a sentence.
pub(super) fn quoted(words: &[&str]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

/// Letters to insert, remove, replace or swap with their neighbour to get from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.to_lowercase().chars().take(100).collect();
    let b: Vec<char> = b.to_lowercase().chars().take(100).collect();
    let mut before_last = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                let swapped: &Vec<usize> = &before_last;
                least = least.min(swapped[j - 2] + 1);
            }
            row.push(least);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_and_a_column_lead_to_an_offset() {
        let text = "a\nä: b\n\nc";
        for (line, column, expected) in [
            (1, 1, "a\n"),
            (2, 2, ": b"),
            (4, 1, "c"),
            (4, 2, ""),
            (9, 9, ""),
            (0, 0, "a\n"),
        ] {
            let rest = &text[offset_of(line, column, text)..];
            assert!(rest.starts_with(expected), "{line}:{column}: {rest:?}");
        }
    }

    #[test]
    fn the_nearest_word_is_the_one_meant() {
        let known = ["phone", "device", "outcome", "within"];
        assert_eq!(nearest("phoen", &known), Some("phone"));
        assert_eq!(nearest("withn", &known), Some("within"));
        assert_eq!(nearest("Outcome", &known), Some("outcome"));
        assert_eq!(nearest("broker", &known), None);
    }

    #[test]
    fn distance_counts_single_changes() {
        for (a, b, expected) in [
            ("", "", 0),
            ("a", "", 1),
            ("ab", "ba", 1),
            ("abc", "adc", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}
