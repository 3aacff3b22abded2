//! Tables of a rig file, looked into key by key, so that each mistake is found and has its place.

use std::cell::RefCell;
use std::net::IpAddr;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistake::{RigMistake, quoted};
use crate::command::CommandTemplate;

/// The longest that any limit may be.
const LONGEST_LIMIT_S: i64 = 3600;

/// What a section is read into the file's mistakes with.
pub(super) struct Notes {
    /// All paths in the file are relative to this folder.
    pub folder: PathBuf,
    mistakes: RefCell<Vec<RigMistake>>,
}

impl Notes {
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            mistakes: RefCell::default(),
        }
    }

    pub fn note(&self, mistake: RigMistake) {
        self.mistakes.borrow_mut().push(mistake);
    }

    pub fn into_mistakes(self) -> Vec<RigMistake> {
        self.mistakes.into_inner()
    }
}

/// A table, and which of its keys are known.
pub(super) struct Section<'t> {
    /// Its key, such as `boards.c6`; empty for the file itself.
    pub key: String,
    /// Where it stands.
    pub span: Range<usize>,
    table: &'t DeTable<'t>,
    known: RefCell<Vec<&'static str>>,
    notes: &'t Notes,
}

/// A value and where it stands.
pub(super) struct Found<T> {
    pub value: T,
    pub span: Range<usize>,
}

impl<'t> Section<'t> {
    pub fn new(key: &str, span: Range<usize>, table: &'t DeTable<'t>, notes: &'t Notes) -> Self {
        Self {
            key: key.to_owned(),
            span,
            table,
            known: RefCell::default(),
            notes,
        }
    }

    /// Notes every key that was not asked for.
    pub fn end(self) {
        let known = self.known.borrow();
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let message = if self.key.is_empty() {
                    format!("a rig file has no `{name}`")
                } else {
                    format!("`{}` has no key `{name}`", self.key)
                };
                let mistake = RigMistake::unknown(key.span(), message, name, &known);
                self.notes.note(mistake);
            }
        }
    }

    /// Notes a mistake at `span`.
    pub fn note(&self, span: Range<usize>, message: impl Into<String>, help: impl Into<String>) {
        self.notes.note(RigMistake::new(span, message, help));
    }

    /// Notes a mistake that is put into words already.
    pub fn note_mistake(&self, mistake: RigMistake) {
        self.notes.note(mistake);
    }

    /// Notes a mistake about something that must not be shown.
    pub fn note_secret(
        &self,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.notes
            .note(RigMistake::new(span, message, help).about_a_secret());
    }

    /// Notes that a key is missing; `example` is the line to write.
    pub fn missing(&self, key: &str, example: &str) {
        let message = format!("`{}` has no `{key}`", self.key);
        self.note(self.span.clone(), message, format!("write {example}"));
    }

    /// The full name of one of this table's keys.
    pub fn name(&self, key: &str) -> String {
        if self.key.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.key)
        }
    }

    pub fn folder(&self) -> &Path {
        &self.notes.folder
    }

    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Whether `key` is there and is a table.
    pub fn is_table(&self, key: &str) -> bool {
        let value = self.table.get(key);
        value.is_some_and(|value| value.get_ref().as_table().is_some())
    }

    /// Whether `key` is there and is a text.
    pub fn is_text(&self, key: &str) -> bool {
        let value = self.table.get(key);
        value.is_some_and(|value| value.get_ref().as_str().is_some())
    }

    /// Where the value of a key stands, if it is there; the key is known then.
    pub fn place_of(&self, key: &'static str) -> Option<Range<usize>> {
        self.value(key).map(Spanned::span)
    }

    fn value(&self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.known.borrow_mut().push(key);
        self.table.get(key)
    }

    /// Notes that a key's value is of another kind than `wanted`.
    fn wrong(&self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str, example: &str) {
        let found = kind(value.get_ref());
        let message = format!("`{}` must be {wanted}, not {found}", self.name(key));
        self.note(value.span(), message, format!("write {example}"));
    }

    /// A table, with its keys still to be asked for.
    pub fn table(&self, key: &'static str, example: &str) -> Option<Section<'t>> {
        let value = self.value(key)?;
        let Some(table) = value.get_ref().as_table() else {
            self.wrong(key, value, "a table", example);
            return None;
        };
        Some(Section::new(
            &self.name(key),
            value.span(),
            table,
            self.notes,
        ))
    }

    /// The tables in a table, by their names, where each stands.
    pub fn tables(&self, key: &'static str, example: &str) -> Vec<(String, Section<'t>)> {
        let Some(outer) = self.table(key, example) else {
            return Vec::new();
        };
        let mut tables = Vec::new();
        for (name, value) in outer.table {
            let key = format!("{}.{}", outer.key, name.get_ref());
            match value.get_ref().as_table() {
                // A table without a header of its own stands where its name does.
                Some(table) => {
                    let inner = Section::new(&key, name.span(), table, self.notes);
                    tables.push((name.get_ref().to_string(), inner));
                }
                None => {
                    let found = kind(value.get_ref());
                    let message = format!("`{key}` must be a table, not {found}");
                    self.note(value.span(), message, format!("write {example}"));
                }
            }
        }
        tables
    }

    /// The tables of a list.
    pub fn list(&self, key: &'static str, example: &str) -> Vec<Section<'t>> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let Some(items) = value.get_ref().as_array() else {
            self.wrong(key, value, "a list of tables", example);
            return Vec::new();
        };
        let mut sections = Vec::new();
        for (number, item) in items.iter().enumerate() {
            let key = format!("{}[{number}]", self.name(key));
            match item.get_ref().as_table() {
                Some(table) => sections.push(Section::new(&key, item.span(), table, self.notes)),
                None => {
                    let found = kind(item.get_ref());
                    let message = format!("`{key}` must be a table, not {found}");
                    self.note(item.span(), message, format!("write {example}"));
                }
            }
        }
        sections
    }

    pub fn string(&self, key: &'static str, example: &str) -> Option<Found<String>> {
        let value = self.value(key)?;
        match value.get_ref().as_str() {
            Some("") => {
                let message = format!("`{}` is empty", self.name(key));
                self.note(value.span(), message, format!("write {example}"));
                None
            }
            Some(text) if text.chars().any(char::is_control) => {
                let message = format!("`{}` holds control characters", self.name(key));
                self.note(value.span(), message, format!("write {example}"));
                None
            }
            Some(text) => Some(Found {
                value: text.to_owned(),
                span: value.span(),
            }),
            None => {
                self.wrong(key, value, "a text", example);
                None
            }
        }
    }

    /// A text with whatever is in it.
    pub fn multiline(&self, key: &'static str, example: &str) -> Option<Found<String>> {
        let value = self.value(key)?;
        match value.get_ref().as_str() {
            Some(text) => Some(Found {
                value: text.to_owned(),
                span: value.span(),
            }),
            None => {
                self.wrong(key, value, "a text", example);
                None
            }
        }
    }

    pub fn required_string(&self, key: &'static str, example: &str) -> Option<Found<String>> {
        if !self.has(key) {
            self.known.borrow_mut().push(key);
            self.missing(key, example);
            return None;
        }
        self.string(key, example)
    }

    /// A path, relative to the file's folder.
    pub fn path(&self, key: &'static str, example: &str) -> Option<PathBuf> {
        let found = self.string(key, example)?;
        Some(self.folder().join(found.value))
    }

    pub fn number(
        &self,
        key: &'static str,
        range: RangeInclusive<i64>,
        example: &str,
    ) -> Option<i64> {
        let value = self.value(key)?;
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong(key, value, "a whole number", example);
            return None;
        };
        let digits = integer.as_str().replace('_', "");
        match i64::from_str_radix(&digits, integer.radix()) {
            Ok(number) if range.contains(&number) => Some(number),
            _ => {
                let (least, most) = range.into_inner();
                let message = format!("`{}` must be from {least} to {most}", self.name(key));
                self.note(value.span(), message, format!("write {example}"));
                None
            }
        }
    }

    /// Two addresses, from the first to before the second.
    pub fn addresses(&self, key: &'static str, example: &str) -> Option<Range<u64>> {
        let value = self.value(key)?;
        let wanted = "two addresses, the first before the second";
        let Some(items) = value.get_ref().as_array() else {
            self.wrong(key, value, wanted, example);
            return None;
        };
        let ends: Vec<_> = items
            .iter()
            .filter_map(|item| {
                let integer = item.get_ref().as_integer()?;
                let digits = integer.as_str().replace('_', "");
                u64::from_str_radix(&digits, integer.radix()).ok()
            })
            .collect();
        match ends.as_slice() {
            [start, end] if items.len() == 2 && start < end => Some(*start..*end),
            _ => {
                let message = format!("`{}` must be {wanted}", self.name(key));
                self.note(value.span(), message, format!("write {example}"));
                None
            }
        }
    }

    pub fn flag(&self, key: &'static str, example: &str) -> Option<bool> {
        let value = self.value(key)?;
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.wrong(key, value, "true or false", example);
        }
        flag
    }

    /// A limit in whole seconds.
    pub fn seconds(&self, key: &'static str, default: u64) -> Duration {
        let seconds = self.number(key, 1..=LONGEST_LIMIT_S, &format!("`{key} = {default}`"));
        let seconds = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        Duration::from_secs(seconds.unwrap_or(default))
    }

    pub fn address(&self, key: &'static str, example: &str) -> Option<Found<IpAddr>> {
        let found = self.required_string(key, example)?;
        match found.value.parse() {
            Ok(value) => Some(Found {
                value,
                span: found.span,
            }),
            Err(_) => {
                let message = format!("`{}` is no IP address: `{}`", self.name(key), found.value);
                self.note(found.span, message, format!("write {example}"));
                None
            }
        }
    }

    /// One of these words.
    pub fn word<T: Copy>(&self, key: &'static str, words: &[(&'static str, T)]) -> Option<T> {
        let example = format!("`{key} = \"{}\"`", words[0].0);
        let found = self.string(key, &example)?;
        self.chosen(key, &found, words)
    }

    /// Several of these words.
    pub fn words<T: Copy>(
        &self,
        key: &'static str,
        words: &[(&'static str, T)],
    ) -> Option<Vec<(T, Range<usize>)>> {
        let example = format!("`{key} = [\"{}\"]`", words[0].0);
        let texts = self.strings(key, &example)?;
        let chosen = texts
            .into_iter()
            .filter_map(|text| Some((self.chosen(key, &text, words)?, text.span)));
        Some(chosen.collect())
    }

    fn chosen<T: Copy>(
        &self,
        key: &str,
        found: &Found<String>,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let chosen = words.iter().find(|(word, _)| *word == found.value);
        if chosen.is_none() {
            let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            let message = format!("`{}` cannot be `{}`", self.name(key), found.value);
            let span = found.span.clone();
            self.notes
                .note(RigMistake::unknown(span, message, &found.value, &known));
        }
        chosen.map(|(_, value)| *value)
    }

    /// A list of texts.
    pub fn strings(&self, key: &'static str, example: &str) -> Option<Vec<Found<String>>> {
        let value = self.value(key)?;
        let Some(items) = value.get_ref().as_array() else {
            self.wrong(key, value, "a list of texts", example);
            return None;
        };
        let mut texts = Vec::new();
        for item in items {
            match item.get_ref().as_str() {
                Some(text) => texts.push(Found {
                    value: text.to_owned(),
                    span: item.span(),
                }),
                None => {
                    self.wrong(key, item, "a list of texts", example);
                    return None;
                }
            }
        }
        Some(texts)
    }

    /// The texts of a table, by their names, in the order of the names.
    pub fn texts(&self, key: &'static str, example: &str) -> Vec<(String, Found<String>)> {
        let Some(table) = self.table(key, example) else {
            return Vec::new();
        };
        let mut texts = Vec::new();
        for (name, value) in table.table {
            match value.get_ref().as_str() {
                Some(text) => {
                    let found = Found {
                        value: text.to_owned(),
                        span: value.span(),
                    };
                    texts.push((name.get_ref().to_string(), found));
                }
                None => table.wrong(name.get_ref(), value, "a text", example),
            }
        }
        texts
    }

    /// A command in which these placeholders stand for something.
    pub fn command(
        &self,
        key: &'static str,
        known: &[&str],
        limit: Duration,
        example: &str,
    ) -> Option<Found<CommandTemplate>> {
        let span = self.value(key)?.span();
        let words = self.strings(key, example)?;
        let words = words.into_iter().map(|word| word.value).collect();
        match CommandTemplate::new(words, known, limit, self.folder()) {
            Ok(value) => Some(Found { value, span }),
            Err(error) => {
                let message = format!("`{}` is no command: {error}", self.name(key));
                self.note(span, message, format!("write {example}"));
                None
            }
        }
    }

    /// Notes a missing key of which one of several must be there.
    pub fn one_of(&self, keys: &[&str], example: &str) {
        let message = format!("`{}` has none of {}", self.key, quoted(keys));
        self.note(self.span.clone(), message, format!("write {example}"));
    }
}

/// The kind of a value, as the rest of a sentence.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
