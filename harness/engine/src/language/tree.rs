//! A scenario file as a tree that knows where everything stands.
//!
//! Going through a tree has three uses: variables can be put in wherever they stand, one mistake
//! does not hide the next, and a mistake's place is exact even behind a variable.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Options, Spanned};

use super::mistake::Mistake;
use super::span::Span;

/// A value of a scenario file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub span: Span,
    pub kind: Kind,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub key: String,
    pub key_span: Span,
    pub value: Node,
}

impl Node {
    /// Reads the one YAML document in `text`.
    pub fn read(text: &str) -> Result<Self, Mistake> {
        let mut root: Self = serde_saphyr::from_str_with_options(text, options())
            .map_err(|error| Mistake::of_yaml(&error, text))?;
        root.show_first_lines(text);
        Ok(root)
    }

    /// The entries, if it is a map.
    pub fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The value under `key`, if it is a map that has one.
    pub fn child(&self, key: &str) -> Option<&Self> {
        self.entries()
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.value)
    }

    /// Calls `visit` with this value and all below it.
    pub fn walk<'n>(&'n self, visit: &mut impl FnMut(&'n Self)) {
        visit(self);
        match &self.kind {
            Kind::List(items) => items.iter().for_each(|item| item.walk(visit)),
            Kind::Map(entries) => entries.iter().for_each(|entry| entry.value.walk(visit)),
            _ => {}
        }
    }

    /// Maps and lists are shown by their first line only.
    fn show_first_lines(&mut self, text: &str) {
        match &mut self.kind {
            Kind::List(items) => items
                .iter_mut()
                .for_each(|item| item.show_first_lines(text)),
            Kind::Map(entries) => {
                entries
                    .iter_mut()
                    .for_each(|entry| entry.value.show_first_lines(text));
            }
            _ => return,
        }
        let rest = text.get(self.span.offset..).unwrap_or_default();
        self.span.length = rest.lines().next().unwrap_or_default().trim_end().len();
    }
}

/// Far more than a scenario needs, far less than a bomb.
fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: 100_000,
            max_aliases: 1_000,
            max_anchors: 1_000,
            max_depth: 32,
            max_documents: 1,
            max_nodes: 50_000,
            max_total_scalar_bytes: 1 << 20,
            max_merge_keys: 1_000,
        },
        strict_booleans: true,
        with_snippet: false,
    }
}

/// Where `location` lies in a text that was read as a whole.
pub(super) fn span_of(location: Location) -> Span {
    let span = location.span();
    let bytes = |count: Option<u64>| usize::try_from(count.unwrap_or_default()).unwrap_or_default();
    Span {
        offset: bytes(span.byte_offset()),
        length: bytes(span.byte_len()),
        line: location.line(),
        column: location.column(),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Kind>::deserialize(deserializer)?;
        Ok(Self {
            span: span_of(spanned.referenced),
            kind: spanned.value,
        })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_none<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Kind, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        Ok(Kind::Unsigned(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        Ok(u64::try_from(value).map_or(Kind::Signed(value), Kind::Unsigned))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Kind, E> {
        Ok(Kind::Float(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Kind, E> {
        Ok(Kind::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Kind, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Kind::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = map.next_entry::<Spanned<String>, Node>()? {
            entries.push(Entry {
                key_span: span_of(key.referenced),
                key: key.value,
                value,
            });
        }
        Ok(Kind::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_knows_where_it_stands() {
        let text = "a: [1, -2, on]\nb:\n  \"c d\": é${x}\n  e: {f: 1.5, g: true}\n";
        let root = Node::read(text).expect("a tree");
        let mut seen = Vec::new();
        root.walk(&mut |node| {
            for entry in node.entries() {
                let Span { offset, length, .. } = entry.key_span;
                seen.push(text[offset..offset + length].to_owned());
            }
            let Span {
                offset,
                length,
                line,
                column,
            } = node.span;
            seen.push(format!(
                "{line}:{column} {}",
                &text[offset..offset + length]
            ));
        });
        insta::assert_debug_snapshot!(seen);
        let list = root.child("a").expect("a");
        assert_eq!(
            list.kind,
            Kind::List(vec![
                Node {
                    kind: Kind::Unsigned(1),
                    span: Span {
                        offset: 4,
                        length: 1,
                        line: 1,
                        column: 5
                    }
                },
                Node {
                    kind: Kind::Signed(-2),
                    span: Span {
                        offset: 7,
                        length: 2,
                        line: 1,
                        column: 8
                    }
                },
                Node {
                    kind: Kind::Text("on".into()),
                    span: Span {
                        offset: 11,
                        length: 2,
                        line: 1,
                        column: 12
                    }
                },
            ])
        );
    }

    #[test]
    fn bombs_are_stopped_early() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for level in 1..10 {
            let previous = format!("*a{}, ", level - 1).repeat(9);
            text.push_str(&format!("a{level}: &a{level} [{previous}]\n"));
        }
        assert!(Node::read(&text).is_err());
        assert!(Node::read(&"[".repeat(100_000)).is_err());
        assert!(Node::read(&"- ".repeat(100_000)).is_err());
        assert!(Node::read("a: 1\na: 2\n").is_err());
        assert!(Node::read("a: 1\n---\nb: 2\n").is_err());
    }
}
