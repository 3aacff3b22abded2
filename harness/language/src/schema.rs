//! The JSON Schema of scenario files, for editors.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::{Value, json};

use super::scenario::Scenario;

/// The schema, draft 2020-12. `scenarios/schema.json` is a copy of it.
pub fn schema() -> Value {
    let generator = SchemaSettings::draft2020_12()
        .with_transform(Variables)
        .into_generator();
    let mut schema = generator.into_root_schema_for::<Scenario>().to_value();
    if let Some(root) = schema.as_object_mut() {
        root.insert("title".into(), "A scenario of Proving".into());
    }
    schema
}

/// A step without particulars may be given by its name alone.
pub(super) fn bare_erase_storage(schema: &mut Schema) {
    if let Some(Value::Array(steps)) = schema.get_mut("oneOf") {
        steps.push(json!({ "const": "erase_storage" }));
    }
}

/// Lets a reference to a variable of the matrix stand wherever a single value may.
#[derive(Clone)]
struct Variables;

impl Transform for Variables {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let Some(object) = schema.as_object_mut() else {
            return;
        };
        // A reference is valid under each of the choices, not under one.
        if let Some(choices) = object.remove("oneOf") {
            object.insert("anyOf".into(), choices);
        }
        without_null(object);
        let single = match object.get("type") {
            Some(Value::String(kind)) => matches!(kind.as_str(), "integer" | "boolean" | "number"),
            _ => false,
        };
        let limited = ["pattern", "enum", "const"]
            .iter()
            .any(|key| object.contains_key(*key));
        if !(single || limited) {
            return;
        }
        let mut inner = object.clone();
        let mut outer = serde_json::Map::new();
        if let Some(description) = inner.remove("description") {
            outer.insert("description".into(), description);
        }
        let reference = json!({ "type": "string", "pattern": "\\$\\{[A-Za-z0-9_-]+\\}" });
        outer.insert("anyOf".into(), json!([inner, reference]));
        *schema = outer.into();
    }
}

/// What may be left out may not be given as nothing.
fn without_null(object: &mut serde_json::Map<String, Value>) {
    if let Some(Value::Array(kinds)) = object.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [kind] = kinds.as_slice() {
            let kind = kind.clone();
            object.insert("type".into(), kind);
        }
    }
    if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
        choices.retain(|choice| *choice != json!({ "type": "null" }));
    }
}
