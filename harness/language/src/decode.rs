//! From the tree to types.
//!
//! Stricter than YAML: a number is no text, nothing is not something, and an error has the place of
//! the smallest value that is wrong.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};

use super::mistake::{Mistake, quoted};
use super::span::{PLACED, Span};
use super::tree::{Entry, Kind, Node};
use super::{advice, duration};

/// The `T` that `node` writes.
pub(super) fn decode<'de, T: serde::Deserialize<'de>>(node: &'de Node) -> Result<T, Mistake> {
    T::deserialize(node)
}

impl Error for Mistake {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            span: None,
            message: message.to_string(),
            help: None,
        }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let mistake = Self::custom(format!(
            "expected {}, found {}",
            plainly(expected),
            name(found)
        ));
        match (expected.to_string().as_str(), found) {
            (duration::SHAPE, Unexpected::Unsigned(number)) => {
                mistake.help(format!("write `{number}s`"))
            }
            (duration::SHAPE, Unexpected::Float(number)) => {
                mistake.with(duration::meant(&number.to_string()))
            }
            (duration::SHAPE, Unexpected::Str(text)) => mistake.with(duration::meant(text)),
            _ => mistake,
        }
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::unknown(None, "field", field, expected.iter().copied())
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::unknown(None, "value", variant, expected.iter().copied())
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format!("`{field}` is missing"))
    }
}

fn plainly(expected: &dyn Expected) -> String {
    match expected.to_string().as_str() {
        "a string" => "text".into(),
        "a boolean" => "`true` or `false`".into(),
        "u8" => "a number from 0 to 255".into(),
        "u16" => "a number from 0 to 65535".into(),
        "i8" => "a number from -128 to 127".into(),
        "u64" | "u32" | "usize" => "a whole number".into(),
        "a sequence" => "a list".into(),
        other => match other.strip_prefix("struct ") {
            Some(_) => "a map".into(),
            None => other.to_owned(),
        },
    }
}

fn name(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Unit | Unexpected::Option => "nothing".into(),
        Unexpected::Str(text) => format!("`{text}`"),
        Unexpected::Unsigned(number) => format!("the number {number}"),
        Unexpected::Signed(number) => format!("the number {number}"),
        Unexpected::Float(number) => format!("the number {number}"),
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Seq => "a list".into(),
        Unexpected::Map => "a map".into(),
        other => other.to_string(),
    }
}

impl<'de> Node {
    fn visit<V: Visitor<'de>>(&'de self, visitor: V) -> Result<V::Value, Mistake> {
        let visited = match &self.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Bool(value) => visitor.visit_bool(*value),
            Kind::Unsigned(number) => visitor.visit_u64(*number),
            Kind::Signed(number) => visitor.visit_i64(*number),
            Kind::Float(number) => visitor.visit_f64(*number),
            Kind::Text(text) => visitor.visit_borrowed_str(text),
            Kind::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes),
            Kind::List(items) => visitor.visit_seq(Items(items.iter())),
            Kind::Map(entries) => visitor.visit_map(Entries(entries.iter(), None)),
        };
        visited.map_err(|mistake| mistake.or_at(self.span))
    }

    /// What a matrix put here, as it is spelled.
    fn put_in(&self) -> Option<&str> {
        self.spelled().filter(|_| self.from_matrix)
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.put_in() {
            Some(text) => visitor
                .visit_borrowed_str(text)
                .map_err(|mistake: Mistake| mistake.or_at(self.span)),
            None => self.visit(visitor),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        let spelling = match (self.put_in(), &self.spelling) {
            (None, Some(spelling)) => spelling,
            _ => return self.deserialize_any(visitor),
        };
        let expected = self.visit(visitor);
        // What looks like a number has a spelling of its own, and is told by it.
        expected.map_err(|mistake| match mistake.help {
            None if mistake.message.starts_with("expected text, found ") => Mistake {
                message: format!("expected text, found {spelling}"),
                help: Some(format!("put it in quotes: \"{spelling}\"")),
                ..mistake
            },
            _ => mistake,
        })
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        if name == PLACED {
            return visitor.visit_seq(PlaceAndValue(Some(self.span), Some(self)));
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        let choice = match &self.kind {
            Kind::Text(text) => Choice::new(text, self.span, None),
            _ if self.put_in().is_some() => {
                Choice::new(self.put_in().unwrap_or_default(), self.span, None)
            }
            Kind::Map(entries) => match entries.as_slice() {
                [entry] => Choice::new(&entry.key, entry.key_span, Some(&entry.value)),
                entries => {
                    let help = match advice::too_far_left(entries, variants) {
                        Some(help) => help,
                        None => format!("one of {}", quoted(variants)),
                    };
                    let what = "expected a map with exactly one key";
                    return Err(Mistake::at(self.span, what).help(help));
                }
            },
            _ => {
                return Err(
                    Mistake::at(self.span, "expected a name, or a map with one key")
                        .help(format!("one of {}", quoted(variants))),
                );
            }
        };
        visitor
            .visit_enum(choice)
            .map_err(|mistake| mistake.or_at(self.span))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.visit(visitor)
    }

    fn deserialize_i8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.visit(visitor)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.visit(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.visit(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.visit(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.visit(visitor)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.visit(visitor)
    }

    serde::forward_to_deserialize_any! {
        i16 i32 i128 u128 f32 f64 char bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The elements of a list.
struct Items<'de>(std::slice::Iter<'de, Node>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Mistake> {
        self.0.next().map(|item| seed.deserialize(item)).transpose()
    }
}

/// The entries of a map, and the value that belongs to the last key.
struct Entries<'de>(std::slice::Iter<'de, Entry>, Option<&'de Node>);

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Mistake;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mistake> {
        let Some(entry) = self.0.next() else {
            return Ok(None);
        };
        self.1 = Some(&entry.value);
        seed.deserialize(Key(entry)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mistake> {
        match self.1.take() {
            Some(value) => seed.deserialize(value),
            None => Err(Mistake::custom("a value without a key")),
        }
    }
}

/// A key of a map.
struct Key<'de>(&'de Entry);

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor
            .visit_borrowed_str(&self.0.key)
            .map_err(|mistake: Mistake| mistake.or_at(self.0.key_span))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        if name == PLACED {
            return visitor.visit_seq(PlaceAndValue(Some(self.0.key_span), Some(self)));
        }
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any option
    }
}

/// What [`super::Placed`] asks for: a place, then the value.
struct PlaceAndValue<D>(Option<Span>, Option<D>);

impl<'de, D: Deserializer<'de, Error = Mistake>> SeqAccess<'de> for PlaceAndValue<D> {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Mistake> {
        if let Some(span) = self.0.take() {
            let numbers = vec![
                span.offset as u64,
                span.length as u64,
                span.line,
                span.column,
            ];
            return seed.deserialize(numbers.into_deserializer()).map(Some);
        }
        self.1
            .take()
            .map(|value| seed.deserialize(value))
            .transpose()
    }
}

/// The chosen variant of an enum, and its content.
struct Choice<'de> {
    name: &'de str,
    span: Span,
    content: Option<&'de Node>,
    /// Takes the place of content that is not there, so that what it lacks is named.
    empty: &'de Node,
}

static EMPTY: Node = Node::new(
    Span {
        offset: 0,
        length: 0,
        line: 0,
        column: 0,
    },
    Kind::Map(Vec::new()),
);

impl<'de> Choice<'de> {
    fn new(name: &'de str, span: Span, content: Option<&'de Node>) -> Self {
        Self {
            name,
            span,
            content,
            empty: &EMPTY,
        }
    }
}

impl<'de> EnumAccess<'de> for Choice<'de> {
    type Error = Mistake;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Mistake> {
        let name: StrDeserializer<'_, Mistake> = self.name.into_deserializer();
        let variant = seed
            .deserialize(name)
            .map_err(|mistake| mistake.or_at(self.span))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Choice<'de> {
    type Error = Mistake;

    fn unit_variant(self) -> Result<(), Mistake> {
        match self.content {
            None => Ok(()),
            Some(content) => Err(Mistake::at(
                content.span,
                format!("`{}` stands alone", self.name),
            )),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Mistake> {
        match self.content {
            Some(content) => seed.deserialize(content),
            None => seed.deserialize(self.empty).map_err(|mut mistake| {
                mistake.span = Some(self.span);
                mistake.message = format!("`{}` needs more: {}", self.name, mistake.message);
                mistake
            }),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Mistake> {
        self.content.unwrap_or(self.empty).deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        self.content.unwrap_or(self.empty).deserialize_any(visitor)
    }
}
