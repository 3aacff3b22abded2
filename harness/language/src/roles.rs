//! Named parts of a world, in the order of the file.

use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use super::span::Placed;

/// A map from names to `T` that keeps the order of the file.
#[derive(Clone, Debug)]
pub struct Roles<T>(Vec<(Placed<String>, T)>);

impl<T> Roles<T> {
    /// What `name` stands for.
    pub fn named(&self, name: &str) -> Option<&T> {
        self.iter()
            .find(|(key, _)| *key == name)
            .map(|(_, part)| part)
    }

    /// Names and parts, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0
            .iter()
            .map(|(name, part)| (name.value.as_str(), part))
    }

    /// Names, in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }

    /// Names with their places.
    pub(super) fn placed_names(&self) -> impl Iterator<Item = &Placed<String>> {
        self.0.iter().map(|(name, _)| name)
    }

    /// All, to be changed, in the order of the file.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut T)> {
        self.0
            .iter_mut()
            .map(|(name, part)| (name.value.as_str(), part))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> Default for Roles<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Roles<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RolesVisitor(PhantomData))
    }
}

struct RolesVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for RolesVisitor<T> {
    type Value = Roles<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map from names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Roles<T>, A::Error> {
        let mut parts = Vec::new();
        while let Some(entry) = map.next_entry()? {
            parts.push(entry);
        }
        Ok(Roles(parts))
    }
}

impl<T: JsonSchema> JsonSchema for Roles<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("RolesOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let part = generator.subschema_for::<T>();
        json_schema!({ "type": "object", "additionalProperties": part })
    }
}
