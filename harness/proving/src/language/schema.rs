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

/// Lets a reference to a variable of the matrix stand wherever a single value may.
#[derive(Clone)]
struct Variables;

impl Transform for Variables {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let Some(object) = schema.as_object() else {
            return;
        };
        let single = match object.get("type") {
            Some(Value::String(kind)) => matches!(kind.as_str(), "integer" | "boolean" | "number"),
            _ => false,
        };
        let limited = ["pattern", "enum", "const"].iter().any(|key| object.contains_key(*key));
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
