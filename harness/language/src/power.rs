//! Switching power: `power: on`, or with particulars `power: { device: lamp, turn: on }`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, IntoDeserializer, MapAccess, Visitor, value::MapAccessDeserializer};

use super::span::Placed;

/// Switches a device's power.
#[derive(Clone, Debug)]
pub struct Power {
    /// Which device, if there are several.
    pub device: Option<Placed<String>>,
    /// The change of power.
    pub action: PowerAction,
}

/// What happens to a device's power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerAction {
    /// The firmware starts; storage is as it was left.
    On,
    /// The power goes at once.
    Off,
    /// The firmware starts anew without losing power.
    Reset,
    /// The power will go in the middle of a write: after so many more bytes written to storage.
    CutInWrite(u64),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawPower {
    /// Which device, if there are several.
    device: Option<Placed<String>>,
    /// What happens now.
    turn: Option<Turn>,
    /// Bytes written to storage from now on, after which the power goes.
    cut_in_write: Option<u64>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Turn {
    /// The firmware starts; storage is as it was left.
    On,
    /// The power goes at once.
    Off,
    /// The firmware starts anew without losing power.
    Reset,
}

impl From<Turn> for PowerAction {
    fn from(turn: Turn) -> Self {
        match turn {
            Turn::On => Self::On,
            Turn::Off => Self::Off,
            Turn::Reset => Self::Reset,
        }
    }
}

impl<'de> Deserialize<'de> for Power {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PowerVisitor)
    }
}

struct PowerVisitor;

impl<'de> Visitor<'de> for PowerVisitor {
    type Value = Power;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("`on`, `off`, `reset` or a map")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Power, E> {
        let turn = Turn::deserialize(text.into_deserializer())?;
        Ok(Power {
            device: None,
            action: turn.into(),
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Power, A::Error> {
        let raw = RawPower::deserialize(MapAccessDeserializer::new(map))?;
        let action = match (raw.turn, raw.cut_in_write) {
            (Some(turn), None) => turn.into(),
            (None, Some(after)) => PowerAction::CutInWrite(after),
            _ => {
                return Err(serde::de::Error::custom(
                    "`power` needs either `turn` or `cut_in_write`",
                ));
            }
        };
        Ok(Power {
            device: raw.device,
            action,
        })
    }
}

impl JsonSchema for Power {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Power".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let short = generator.subschema_for::<Turn>();
        let long = generator.subschema_for::<RawPower>();
        json_schema!({ "anyOf": [short, long] })
    }
}
