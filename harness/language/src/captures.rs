//! `${name}`: values of the matrix, put in when the scenario is read, and captured ones, put in when
//! a step runs.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer};
use serde_json::Value;

use super::roles::Roles;
use super::span::Placed;

/// What a step captures: names, and where their values stand in the event's data (RFC 6901).
#[derive(Clone, Debug, Default)]
pub struct CaptureList(Roles<Placed<String>>);

impl CaptureList {
    /// Names and JSON pointers.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Placed<String>)> {
        self.0.iter()
    }

    /// Whether nothing is captured.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for CaptureList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Roles::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for CaptureList {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Capture".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "Names, and JSON pointers into what was received.",
            "additionalProperties": { "type": "string", "pattern": "^(/.*)?$" },
        })
    }
}

/// What the steps so far have captured. Values are as the trace holds them, with names in the place
/// of secrets: [`trace::Secrets::reveal`] gives the value to put to use.
#[derive(Clone, Debug, Default)]
pub struct Captures(BTreeMap<String, String>);

impl Captures {
    /// Captures everything that `list` names from `data`, or nothing if something is missing.
    pub fn take(&mut self, list: &CaptureList, data: &Value) -> Result<(), NothingThere> {
        let mut taken = Vec::new();
        for (name, pointer) in list.iter() {
            let value = data.pointer(pointer).ok_or_else(|| NothingThere {
                name: name.to_owned(),
                pointer: pointer.value.clone(),
            })?;
            taken.push((name.to_owned(), plain(value)));
        }
        self.0.extend(taken);
        Ok(())
    }

    /// Captures one value.
    pub fn keep(&mut self, name: &str, value: &Value) {
        self.0.insert(name.to_owned(), plain(value));
    }

    /// `text` with every `${name}` replaced by what was captured.
    pub fn fill(&self, text: &str) -> Result<String, NotCaptured> {
        replace(text, |name| self.0.get(name).cloned()).map_err(NotCaptured)
    }

    /// The same for the text of a regular expression, which takes what was captured literally.
    pub fn fill_expression(&self, text: &str) -> Result<String, NotCaptured> {
        replace(text, |name| {
            self.0.get(name).map(|value| regex::escape(value))
        })
        .map_err(NotCaptured)
    }
}

/// The event holds nothing to capture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to capture `{name}`: there is nothing at `{pointer}`")]
pub struct NothingThere {
    name: String,
    pointer: String,
}

/// A step needs a value that no step before it has captured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`${{{0}}}` was not captured by any step before")]
pub struct NotCaptured(String);

/// A JSON value as text: strings without their quotes.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// `text` with every `${name}` replaced by what `value_of` says; the first name for which it has
/// nothing is the error.
pub(super) fn replace(
    text: &str,
    mut value_of: impl FnMut(&str) -> Option<String>,
) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, name, after)) = first_reference(rest) {
        filled.push_str(before);
        filled.push_str(&value_of(name).ok_or_else(|| name.to_owned())?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Every name to which `text` refers.
pub(super) fn references(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (_, name, after) = first_reference(rest)?;
        rest = after;
        Some(name)
    })
}

/// The only name to which `text` refers, if it is nothing but that reference.
pub(super) fn sole_reference(text: &str) -> Option<&str> {
    match first_reference(text) {
        Some(("", name, "")) => Some(name),
        _ => None,
    }
}

/// What stands before the first `${name}`, the name, and what stands after it.
fn first_reference(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(found) = text[from..].find("${") {
        let start = from + found;
        let inner = &text[start + 2..];
        let length = inner
            .bytes()
            .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
            .count();
        if length > 0 && inner[length..].starts_with('}') {
            return Some((&text[..start], &inner[..length], &inner[length + 1..]));
        }
        from = start + 2;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_and_replaced() {
        let text = "a ${one}${two-2} ${} ${not closed ${three_3}!";
        assert_eq!(
            references(text).collect::<Vec<_>>(),
            ["one", "two-2", "three_3"]
        );
        let filled = replace(text, |name| Some(name.to_uppercase()));
        assert_eq!(
            filled.as_deref(),
            Ok("a ONETWO-2 ${} ${not closed THREE_3!")
        );
        assert_eq!(replace(text, |_| None), Err("one".into()));
    }

    #[test]
    fn a_replacement_is_not_searched_again() {
        let filled = replace("${a}", |_| Some("${a}".into()));
        assert_eq!(filled.as_deref(), Ok("${a}"));
    }

    #[test]
    fn what_is_not_there_is_not_captured() {
        let list: CaptureList =
            serde_json::from_str(r#"{"a": "/x/0", "b": "/y"}"#).expect("a list");
        let mut captures = Captures::default();
        let error = captures
            .take(&list, &serde_json::json!({ "x": [1] }))
            .expect_err("no /y");
        assert_eq!(
            error.to_string(),
            "failed to capture `b`: there is nothing at `/y`"
        );
        assert!(captures.fill("${a}").is_err());
        captures
            .take(&list, &serde_json::json!({ "x": [1], "y": "z" }))
            .expect("both");
        assert_eq!(captures.fill("${a}${b}").as_deref(), Ok("1z"));
    }
}
