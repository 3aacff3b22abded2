//! The catalogue: every kind of event that a trace can hold, and the shape of its data.
//!
//! Shapes are derived from the types of the payloads, so that they cannot differ from what is
//! written.

mod shape;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde_json::Value;

use crate::{Event, Payload, Source};

pub use shape::{Shape, UnknownField};

/// One kind of event.
#[derive(Debug)]
pub struct Kind {
    source: Source,
    name: &'static str,
    shape: Shape,
}

impl Kind {
    /// The kind of `P`'s events.
    pub(crate) fn of<P: Payload>() -> Self {
        Self {
            source: P::SOURCE,
            name: P::KIND,
            shape: Shape::of::<P>(),
        }
    }

    /// Who sees such events.
    pub fn source(&self) -> Source {
        self.source
    }

    /// The kind's name, in snake_case.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The shape of the events' data.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }
}

/// The kinds of `source`, by name.
pub fn kinds(source: Source) -> &'static BTreeMap<&'static str, Kind> {
    static ALL: OnceLock<BTreeMap<Source, BTreeMap<&'static str, Kind>>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let of = |source: Source| {
            let kinds = declared(source).into_iter();
            (source, kinds.map(|kind| (kind.name, kind)).collect())
        };
        Source::ALL.into_iter().map(of).collect()
    });
    // Every source is in it: a test goes through all.
    &all[&source]
}

/// Whether `kind` of the source `cloud` is one of ThingsBoard's.
pub fn is_of_thingsboard(kind: &str) -> bool {
    static NAMES: OnceLock<BTreeSet<&'static str>> = OnceLock::new();
    let names = NAMES.get_or_init(|| {
        let kinds = crate::thingsboard::kinds().into_iter();
        kinds.map(|kind| kind.name).collect()
    });
    names.contains(kind)
}

/// What `event` has that the catalogue lacks; nothing for every event that this version writes.
pub fn lacking(event: &Event) -> Option<String> {
    let Some(kind) = kinds(event.source).get(&*event.kind) else {
        return Some(format!("the kind `{}` of {:?}", event.kind, event.source));
    };
    let pointer = lacking_in(kind.shape(), &event.data, String::new())?;
    Some(format!("`{pointer}` of {:?} {}", event.source, event.kind))
}

/// The first pointer into `value` that `shape` has not.
fn lacking_in(shape: &Shape, value: &Value, pointer: String) -> Option<String> {
    let below = |key: &str, value: &Value| match shape.field(key) {
        Ok(shape) => lacking_in(shape, value, format!("{pointer}/{key}")),
        Err(_) => Some(format!("{pointer}/{key}")),
    };
    match (shape, value) {
        (Shape::Open, _) => None,
        (_, Value::Object(fields)) => fields.iter().find_map(|(key, value)| below(key, value)),
        (_, Value::Array(items)) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| below(&index.to_string(), item)),
        (Shape::Choice(names), Value::String(name)) if !names.contains(name) => {
            Some(format!("{pointer} {name}"))
        }
        _ => None,
    }
}

fn declared(source: Source) -> Vec<Kind> {
    match source {
        Source::Log => crate::log::kinds(),
        Source::Board => crate::board::kinds(),
        Source::Air => crate::air::kinds(),
        Source::Tls => crate::tls::kinds(),
        Source::Mqtt => crate::mqtt::kinds(),
        Source::Cloud => {
            let linkkit = crate::linkkit::kinds().into_iter();
            linkkit.chain(crate::thingsboard::kinds()).collect()
        }
        Source::Sntp => crate::sntp::kinds(),
        Source::Coap => crate::coap::kinds(),
        Source::Provisioning => crate::provisioning::kinds(),
        Source::Web => crate::web::kinds(),
        Source::Engine => crate::engine::kinds(),
        Source::Witness => crate::witness::kinds(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kind with every pointer into its data: what scenarios may name. Who changes a payload
    /// changes this, and sees which scenarios of others would not be understood any more.
    #[test]
    fn the_catalogue_lists_every_kind_and_every_field() {
        let mut text = String::new();
        for source in Source::ALL {
            for kind in kinds(source).values() {
                text.push_str(&format!("{} {}\n", source.name(), kind.name()));
                for pointer in kind.shape().pointers() {
                    text.push_str(&format!("  {pointer}\n"));
                }
            }
        }
        insta::assert_snapshot!(text);
    }

    #[test]
    fn every_source_tells_its_own_kinds_each_once() {
        for source in Source::ALL {
            let declared = declared(source);
            assert_eq!(declared.len(), kinds(source).len(), "{source:?}");
            assert!(declared.iter().all(|kind| kind.source() == source));
        }
    }

    #[test]
    fn what_the_catalogue_lacks_is_named() {
        let event = |kind: &'static str, data: Value| Event {
            seq: 0,
            lab_us: 0,
            wall_us: 0,
            source: Source::Board,
            device: None,
            kind: kind.into(),
            data: data.into(),
        };
        let crash = serde_json::json!({
            "what": "w", "registers": { "r0": "00" }, "backtrace": [{ "function": "f" }],
        });
        assert_eq!(lacking(&event("crash", crash)), None);
        let frame = serde_json::json!({ "backtrace": [{ "funktion": "f" }] });
        let lacks = lacking(&event("crash", frame)).unwrap_or_default();
        assert!(lacks.contains("/backtrace/0/funktion"), "{lacks}");
        let lacks = lacking(&event("exitd", Value::Null)).unwrap_or_default();
        assert!(lacks.contains("exitd"), "{lacks}");
        let power = serde_json::json!({ "power": "of", "how": "" });
        let lacks = lacking(&event("power", power)).unwrap_or_default();
        assert!(lacks.contains("/power of"), "{lacks}");
    }
}
