//! A scenario file as a tree that knows where everything stands.
//!
//! Going through a tree has three uses: variables can be put in wherever they stand, one mistake
//! does not hide the next, and a mistake's place is exact even behind a variable.

use std::fmt;

use base64::Engine;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Options, Spanned};

use super::mistake::Mistake;
use super::span::Span;

/// A value of a scenario file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    /// Where it stands; of an alias, where the alias stands.
    pub span: Span,
    pub kind: Kind,
    /// How a single value that is no text is spelled: `01823456`, `0x1F`, `null`.
    pub spelling: Option<String>,
    /// Whether the matrix put it here; wherever text is wanted, its spelling is meant.
    pub from_matrix: bool,
    /// Where it was written, which is elsewhere only of an alias.
    pub(super) written: Span,
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
    /// What `!!binary` writes in base64.
    Bytes(Vec<u8>),
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
    /// A value that stands at `span`.
    pub const fn new(span: Span, kind: Kind) -> Self {
        Self {
            span,
            kind,
            spelling: None,
            from_matrix: false,
            written: span,
        }
    }

    /// Reads the one YAML document in `text`.
    pub fn read(text: &str) -> Result<Self, Mistake> {
        let mut root: Self = serde_saphyr::from_str_with_options(text, options())
            .map_err(|error| Mistake::of_yaml(&error, text))?;
        root.look_at(text)?;
        Ok(root)
    }

    /// A single value as it is spelled; none for lists, maps and bytes.
    pub fn spelled(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => self.spelling.as_deref(),
        }
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

    /// Takes from the file what the YAML reader does not tell: spellings, and which text is base64.
    /// Maps and lists are shown by their first line only.
    fn look_at(&mut self, text: &str) -> Result<(), Mistake> {
        match &mut self.kind {
            Kind::List(items) => {
                for item in items {
                    item.look_at(text)?;
                }
            }
            Kind::Map(entries) => {
                for entry in entries {
                    entry.value.look_at(text)?;
                }
            }
            Kind::Text(written) => {
                if is_binary(text.get(..self.written.offset).unwrap_or_default()) {
                    let bytes = base64(written)
                        .ok_or_else(|| Mistake::at(self.span, "`!!binary` stands before base64"))?;
                    self.kind = Kind::Bytes(bytes);
                }
                return Ok(());
            }
            Kind::Bytes(_) => return Ok(()),
            Kind::Null | Kind::Bool(_) | Kind::Unsigned(_) | Kind::Signed(_) | Kind::Float(_) => {
                let Span { offset, length, .. } = self.written;
                let spelling = text.get(offset..offset + length).map(str::trim);
                self.spelling = spelling.filter(|text| !text.is_empty()).map(str::to_owned);
                return Ok(());
            }
        }
        let rest = text.get(self.span.offset..).unwrap_or_default();
        self.span.length = rest.lines().next().unwrap_or_default().trim_end().len();
        Ok(())
    }
}

/// Whether what stands before a value ends in the tag of bytes (YAML 1.1, `!!binary`).
fn is_binary(before: &str) -> bool {
    let before = match before.trim_end().rsplit_once(['|', '>']) {
        // The header of a block (YAML 1.2 §8.1.1) stands between tag and text.
        Some((before, chomping)) if chomping.chars().all(|sign| "+-123456789".contains(sign)) => {
            before
        }
        _ => before,
    };
    let before = before.trim_end_matches([' ', '\t']);
    before.ends_with("!!binary") || before.ends_with("!<tag:yaml.org,2002:binary>")
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let packed: String = text.split_whitespace().collect();
    base64::engine::general_purpose::STANDARD
        .decode(packed)
        .ok()
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
        // [`Node::look_at`] decodes it: not all bytes are text.
        ignore_binary_tag_for_string: true,
        // Its spelling is kept, even if it is a number.
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::PassThrough,
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
            written: span_of(spanned.defined),
            ..Self::new(span_of(spanned.referenced), spanned.value)
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
        let Some(Kind::List(list)) = root.child("a").map(|list| &list.kind) else {
            panic!("no list");
        };
        let place = |node: &Node| (node.span.offset, node.span.length, node.span.column);
        let kinds: Vec<_> = list
            .iter()
            .map(|node| (node.kind.clone(), place(node)))
            .collect();
        assert_eq!(
            kinds,
            [
                (Kind::Unsigned(1), (4, 1, 5)),
                (Kind::Signed(-2), (7, 2, 8)),
                (Kind::Text("on".into()), (11, 2, 12)),
            ]
        );
    }

    #[test]
    fn single_values_keep_their_spelling() {
        let words = [
            "01823456",
            "1e3",
            "0x1F",
            "0o17",
            "1_000",
            "20182018.0",
            "-1",
            "+1",
            "on",
            "no",
            "yes",
            "12:30",
            "2026-01-02",
            "null",
            "Null",
            "~",
            "true",
            ".inf",
            ".nan",
            "text",
            "1.",
            "é",
        ];
        for text in [
            format!("[{}]", words.join(", ")),
            format!("- {}", words.join("\n- ")),
            format!("- {}", words.join(" # a word\n- ")),
        ] {
            let Kind::List(list) = Node::read(&text).expect("a list").kind else {
                panic!("no list");
            };
            let spelled: Vec<_> = list
                .iter()
                .map(|node| node.spelled().unwrap_or("?"))
                .collect();
            assert_eq!(spelled, words, "{text}");
        }
        let aliases = Node::read("a: &x 007\nb: *x\n").expect("a map");
        let spelled = |key| aliases.child(key).and_then(Node::spelled);
        assert_eq!((spelled("a"), spelled("b")), (Some("007"), Some("007")));
        assert_eq!(
            Node::read("a:\n")
                .expect("a map")
                .child("a")
                .and_then(Node::spelled),
            None
        );
    }

    #[test]
    fn bytes_are_written_in_base64() {
        let bytes = Kind::Bytes(vec![0xB2, 0xE2, 0xCA, 0xD4, 0xB7, 0x5B]);
        for text in [
            "a: !!binary \"suLK1Ldb\"",
            "a: !!binary suLK1Ldb",
            "a: { b: 1, c: 2 }\nx: !!binary |\n  suLK\n  1Ldb\n",
        ] {
            let root = Node::read(text).expect(text);
            let found = root.entries().last().map(|entry| &entry.value.kind);
            assert_eq!(found, Some(&bytes), "{text}");
        }
        assert!(Node::read("a: !!binary \"not base64\"").is_err());
        let text = Node::read("a: suLK1Ldb").expect("a map");
        assert_eq!(text.child("a").and_then(Node::spelled), Some("suLK1Ldb"));
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
