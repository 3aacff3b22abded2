//! The shape of an event's data, derived from the payload's type.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

/// What can stand at one place of an event's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Any JSON: what a device or client sent, whose shape is not fixed here.
    Open,
    /// An object with these fields and no others.
    Fields(BTreeMap<String, Shape>),
    /// An object with keys of any name.
    Map(Box<Shape>),
    /// A list.
    List(Box<Shape>),
    /// One of these words.
    Choice(Vec<String>),
    /// A text.
    Text,
    /// A number.
    Number,
    /// `true` or `false`.
    Flag,
}

/// There is no such field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no `{name}`")]
pub struct UnknownField {
    /// The name that was asked for.
    pub name: String,
    /// The names that there are, sorted; none if the value has no fields.
    pub known: Vec<String>,
}

impl Shape {
    pub(crate) fn of<T: JsonSchema>() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.inline_subschemas = true;
        });
        from_schema(
            &settings
                .into_generator()
                .into_root_schema_for::<T>()
                .to_value(),
        )
    }

    /// What stands in the field `name`, or at that position of a list.
    pub fn field(&self, name: &str) -> Result<&Self, UnknownField> {
        let found = match self {
            Self::Open => Some(self),
            Self::Fields(fields) => fields.get(name),
            Self::Map(of) => Some(&**of),
            Self::List(of) => name.bytes().all(|b| b.is_ascii_digit()).then_some(&**of),
            Self::Choice(_) | Self::Text | Self::Number | Self::Flag => None,
        };
        found.ok_or_else(|| UnknownField {
            name: name.to_owned(),
            known: match self {
                Self::Fields(fields) => fields.keys().cloned().collect(),
                _ => Vec::new(),
            },
        })
    }

    /// What stands at `pointer`, which is a JSON pointer (RFC 6901).
    pub fn at(&self, pointer: &str) -> Result<&Self, UnknownField> {
        let mut parts = pointer.split('/');
        // A pointer begins with a slash, or is empty.
        let first = parts.next().unwrap_or_default();
        if !first.is_empty() {
            return self.field(first);
        }
        parts.try_fold(self, |shape, part| {
            shape.field(&part.replace("~1", "/").replace("~0", "~"))
        })
    }

    /// Every pointer below this place with what stands there, sorted. `*` stands for any key or
    /// position, `**` for any JSON that a device sends.
    pub fn pointers(&self) -> Vec<String> {
        let mut pointers = Vec::new();
        self.collect(String::new(), &mut pointers);
        pointers
    }

    fn collect(&self, at: String, pointers: &mut Vec<String>) {
        match self {
            Self::Open => pointers.push(format!("{at}/**")),
            Self::Fields(fields) => {
                for (name, shape) in fields {
                    shape.collect(format!("{at}/{name}"), pointers);
                }
            }
            Self::Map(of) | Self::List(of) => of.collect(format!("{at}/*"), pointers),
            Self::Choice(names) => pointers.push(format!("{at} {}", names.join("|"))),
            Self::Text | Self::Number | Self::Flag => pointers.push(at),
        }
    }
}

/// The shape that a JSON schema without references describes. What it does not understand is open:
/// better too much allowed than a good scenario refused.
fn from_schema(schema: &Value) -> Shape {
    let Value::Object(schema) = schema else {
        return Shape::Open;
    };
    if let Some(choice) = choice(schema) {
        return choice;
    }
    // An option of something.
    for any in ["anyOf", "oneOf"] {
        if let Some(Value::Array(schemas)) = schema.get(any) {
            let mut shapes = schemas.iter().filter(|schema| !is_null(schema));
            return match (shapes.next(), shapes.next()) {
                (Some(only), None) => from_schema(only),
                _ => Shape::Open,
            };
        }
    }
    match type_of(schema) {
        Some("string") => Shape::Text,
        Some("integer" | "number") => Shape::Number,
        Some("boolean") => Shape::Flag,
        Some("array") => Shape::List(Box::new(
            schema.get("items").map_or(Shape::Open, from_schema),
        )),
        Some("object") => object(schema),
        _ => Shape::Open,
    }
}

fn object(schema: &Map<String, Value>) -> Shape {
    // `true` stands for any JSON there.
    let more = schema.get("additionalProperties");
    if let Some(of) = more.filter(|of| of.is_object() || **of == Value::Bool(true)) {
        return Shape::Map(Box::new(from_schema(of)));
    }
    let fields = schema.get("properties").and_then(Value::as_object);
    let fields = fields.into_iter().flatten();
    Shape::Fields(
        fields
            .map(|(name, schema)| (name.clone(), from_schema(schema)))
            .collect(),
    )
}

/// An enum without fields: a list of words, or, where its variants have docs, of constants.
fn choice(schema: &Map<String, Value>) -> Option<Shape> {
    let words: Vec<&Value> = match (schema.get("enum"), schema.get("oneOf"), schema.get("const")) {
        (Some(Value::Array(words)), ..) => words.iter().filter(|word| !word.is_null()).collect(),
        (_, Some(Value::Array(variants)), _) => {
            let words = variants.iter().filter(|variant| !is_null(variant));
            let words = words.map(|variant| variant.get("const"));
            words.collect::<Option<_>>()?
        }
        (.., Some(word)) => vec![word],
        _ => return None,
    };
    let words = words
        .into_iter()
        .map(|word| word.as_str().map(str::to_owned));
    words.collect::<Option<_>>().map(Shape::Choice)
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").is_some_and(|kind| kind == "null")
}

/// The type, without `null`.
fn type_of(schema: &Map<String, Value>) -> Option<&str> {
    match schema.get("type")? {
        Value::String(kind) => Some(kind),
        Value::Array(kinds) => {
            let mut kinds = kinds.iter().filter_map(Value::as_str);
            kinds.find(|kind| *kind != "null")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{Crash, Restarted};
    use crate::mqtt::{Connect, Publish};

    #[test]
    fn fields_choices_lists_and_maps_are_told_apart() {
        let restarted = Shape::of::<Restarted>();
        let connect = Shape::of::<Connect>();
        assert_eq!(
            connect.at("/properties/receive_maximum"),
            Ok(&Shape::Open),
            "properties have any name"
        );
        let Ok(Shape::Choice(causes)) = restarted.at("/cause") else {
            panic!("{restarted:?}");
        };
        assert!(causes.contains(&"deep_sleep".to_owned()));
        let crash = Shape::of::<Crash>();
        assert_eq!(crash.at("/backtrace/0/line"), Ok(&Shape::Number));
        assert_eq!(crash.at("/registers/pc"), Ok(&Shape::Text));
        assert!(crash.at("/backtrace/x").is_err());
    }

    #[test]
    fn an_option_of_a_struct_has_its_fields() {
        let connect = Shape::of::<Connect>();
        assert_eq!(connect.at("/will/retain"), Ok(&Shape::Flag));
        assert_eq!(connect.at("/will/payload/any/thing"), Ok(&Shape::Open));
        assert!(connect.at("/will/retian").is_err());
    }

    #[test]
    fn a_wrong_pointer_names_the_field_and_its_neighbours() {
        let error = Shape::of::<Publish>().at("/tpoic").expect_err("none");
        assert_eq!(error.name, "tpoic");
        assert!(error.known.contains(&"topic".to_owned()));
        let error = Shape::of::<Publish>().at("/topic/x").expect_err("none");
        assert_eq!((error.name.as_str(), error.known), ("x", Vec::new()));
    }
}
