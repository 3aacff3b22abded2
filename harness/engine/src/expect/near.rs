//! The event that almost was the wanted one.

use std::collections::BTreeSet;

use serde_json::Value;
use trace::{Event, Nearest, Secrets};

use super::matcher::{NotReady, Test, field_test, record_and_lines, text_test};
use language::plain;
use language::{Captures, Field, Pattern};

/// Longest excerpt of a text in a message, in characters.
const EXCERPT: usize = 80;
/// Below this share of what was wanted, an event is no near miss.
const NEAR: f64 = 0.5;

/// A pattern, ready to be compared with many events.
pub(super) struct Ideal<'p> {
    pattern: &'p Pattern,
    text: Option<Test>,
    fields: Vec<(&'p Field, Vec<String>, Test)>,
}

impl<'p> Ideal<'p> {
    /// Makes `pattern` ready, with `captures` put in.
    pub fn new(
        pattern: &'p Pattern,
        captures: &Captures,
        secrets: &Secrets,
    ) -> Result<Self, NotReady> {
        let fields = pattern.fields.iter().map(|field| {
            let test = field_test(field, captures, secrets)?;
            Ok((field, field.pointers(), test))
        });
        Ok(Self {
            pattern,
            text: text_test(pattern, captures, secrets)?,
            fields: fields.collect::<Result<_, NotReady>>()?,
        })
    }

    /// The event of `events` that is most like it, and what it lacks; the later of two that are
    /// equally alike.
    pub fn nearest<'e>(&self, events: impl IntoIterator<Item = &'e Event>) -> Option<Nearest> {
        let mut best: Option<(f64, Nearest)> = None;
        for event in events {
            if event.source != self.pattern.source {
                continue;
            }
            let (score, lacks) = self.compare(event);
            if score >= NEAR && best.as_ref().is_none_or(|(least, _)| score >= *least) {
                let seq = event.seq;
                best = Some((score, Nearest { seq, lacks }));
            }
        }
        best.map(|(_, nearest)| nearest)
    }

    /// How alike `event` is, 0 to 1, and what it lacks.
    fn compare(&self, event: &Event) -> (f64, String) {
        let mut likeness = Likeness::default();
        let line = event.line();
        if let Some(kind) = &self.pattern.kind {
            likeness.equal("kind", kind, &event.kind, 2.0);
        }
        if let Some(device) = &self.pattern.device {
            let found = event.device.as_deref().unwrap_or("none");
            likeness.equal("device", device, found, 0.5);
        }
        if let Some(level) = self.pattern.level {
            let found = line.map(|line| format!("{:?}", line.level).to_lowercase());
            let wanted = format!("{level:?}").to_lowercase();
            likeness.equal("level", &wanted, found.as_deref().unwrap_or_default(), 0.5);
        }
        if let Some(tag) = &self.pattern.tag {
            let found = line.map(|line| line.tag);
            likeness.equal("tag", tag, found.unwrap_or_default(), 0.5);
        }
        if let Some(test) = &self.text {
            likeness.text(test, line.map(|line| line.text).unwrap_or_default());
        }
        for (field, pointers, test) in &self.fields {
            let value = pointers
                .iter()
                .find_map(|pointer| event.data.pointer(pointer));
            likeness.field(&field.name, test, value);
        }
        likeness.verdict()
    }
}

/// Sums up what is alike and what is not.
#[derive(Default)]
struct Likeness {
    wanted: f64,
    found: f64,
    lacks: Vec<String>,
}

impl Likeness {
    fn equal(&mut self, what: &str, wanted: &str, found: &str, weight: f64) {
        self.wanted += weight;
        if wanted == found {
            self.found += weight;
        } else {
            self.lacks
                .push(format!("{what} is `{found}`, not `{wanted}`"));
        }
    }

    fn text(&mut self, test: &Test, found: &str) {
        self.wanted += 2.0;
        let (wanted, is_there) = match test {
            Test::Text(text) => (text.clone(), found.contains(text)),
            Test::Regex(regex) => {
                let is_there = record_and_lines(found).any(|part| regex.is_match(part));
                (format!("/{regex}/"), is_there)
            }
            Test::Value(value) => (value.to_string(), false),
        };
        if is_there {
            self.found += 2.0;
        } else {
            self.found += 2.0 * shared_words(&wanted, found);
            self.lacks.push(format!(
                "text is `{}`, without `{}`",
                excerpt(found),
                excerpt(&wanted)
            ));
        }
    }

    fn field(&mut self, name: &str, test: &Test, value: Option<&Value>) {
        self.wanted += 1.0;
        match value {
            Some(value) if test.passes(value) => self.found += 1.0,
            Some(value) => self
                .lacks
                .push(format!("{name} is `{}`", excerpt(&plain(value)))),
            None => self.lacks.push(format!("{name} is not there")),
        }
    }

    fn verdict(self) -> (f64, String) {
        if self.lacks.is_empty() {
            let lacks = "it matches, but it came before what an earlier step waited for, and this step reads on from there; `since: start` reads from the beginning";
            return (1.0, lacks.into());
        }
        (self.found / self.wanted.max(1.0), self.lacks.join("; "))
    }
}

/// The share of the words in `wanted` that are in `found`, 0 to 1.
fn shared_words(wanted: &str, found: &str) -> f64 {
    let wanted = words(wanted);
    if wanted.is_empty() {
        return 0.0;
    }
    let found = words(found);
    let shared = wanted.iter().filter(|word| found.contains(*word)).count();
    shared as f64 / wanted.len() as f64
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| word.len() > 1)
        .collect()
}

fn excerpt(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect();
    match line.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
