//! What an event may look like.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};
use serde_json::Value;
use trace::{Level, Source};

use super::roles::Roles;
use super::span::{Placed, Span};

/// One event of one source. What is not given matches everything; strings may hold `${name}`.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// Who must have seen it.
    pub source: Source,
    /// Which device it must concern.
    pub device: Option<Placed<String>>,
    /// Whose cloud must have seen it; none for other sources, and where the scenario does not name
    /// exactly one.
    pub vendor: Option<Vendor>,
    /// Its kind.
    pub kind: Option<Placed<String>>,
    /// Level of a log line.
    pub level: Option<Level>,
    /// Tag of a log line.
    pub tag: Option<String>,
    /// Text of a log line: a part of it, or a regular expression between slashes.
    pub text: Option<Placed<String>>,
    /// Values in its data.
    pub fields: Vec<Field>,
    /// Where the pattern stands.
    pub span: Span,
}

/// Whose cloud an event is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vendor {
    /// Alibaba.
    Linkkit,
    /// ThingsBoard.
    ThingsBoard,
}

impl Vendor {
    /// Its word in scenarios.
    pub fn word(self) -> &'static str {
        match self {
            Self::Linkkit => "linkkit",
            Self::ThingsBoard => "thingsboard",
        }
    }
}

/// A value in an event's data.
#[derive(Clone, Debug)]
pub struct Field {
    /// Its name, for messages.
    pub name: String,
    /// Where the name stands, if it was written out.
    pub name_place: Option<Span>,
    /// Where it may stand (RFC 6901); one of them must match.
    pub pointers: &'static [&'static str],
    /// Where it must stand, if `pointers` is empty.
    pub pointer: String,
    /// What it must be: equal, or matched by a regular expression between slashes.
    pub value: Placed<Value>,
}

impl Field {
    /// Where its name stands, or else its value.
    pub fn name_span(&self) -> Span {
        self.name_place.unwrap_or(self.value.span)
    }

    /// JSON pointers to where it may stand.
    pub fn pointers(&self) -> Vec<String> {
        if self.pointers.is_empty() {
            return vec![self.pointer.clone()];
        }
        self.pointers
            .iter()
            .map(|pointer| (*pointer).to_owned())
            .collect()
    }
}

/// The regular expression in `text`, if it stands between slashes.
pub fn regular_expression(text: &str) -> Option<&str> {
    text.strip_prefix('/')?
        .strip_suffix('/')
        .filter(|inner| !inner.is_empty())
}

/// A line of the device's log.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogPattern {
    /// Exactly this level.
    #[schemars(with = "Option<LevelName>")]
    level: Option<Level>,
    /// Exactly this tag.
    tag: Option<String>,
    /// A part of the text, or a regular expression between slashes.
    text: Option<Placed<String>>,
}

/// [`Level`], for the schema.
#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
enum LevelName {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// An event of some kind: `publish`, or `{ kind: publish, where: { /topic: t } }`.
#[derive(Clone, Debug, Default)]
pub struct EventPattern {
    kind: Option<Placed<String>>,
    fields: Roles<Placed<Value>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawEvent {
    /// The event's kind, as the trace names it.
    kind: Option<Placed<String>>,
    /// JSON pointers into the event's data, and what must stand there: an equal value, or one that
    /// is matched by a regular expression between slashes.
    #[serde(default, rename = "where")]
    #[schemars(with = "Where")]
    fields: Roles<Placed<Value>>,
}

/// An event of the cloud's fakes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloudPattern {
    /// Kind of an event of the Linkkit fake.
    linkkit: Option<Placed<String>>,
    /// Kind of an event of the ThingsBoard fake.
    thingsboard: Option<Placed<String>>,
    /// JSON pointers into the event's data, and what must stand there.
    #[serde(default, rename = "where")]
    #[schemars(with = "Where")]
    fields: Roles<Placed<Value>>,
}

/// A CoAP message that a phone has received.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CoapPattern {
    /// Name of the phone.
    to: Option<Placed<String>>,
    /// Its path, with slashes.
    path: Option<Placed<String>>,
    /// The bind token in it.
    token: Option<Placed<String>>,
    /// JSON pointers into the event's data, and what must stand there.
    #[serde(default, rename = "where")]
    #[schemars(with = "Where")]
    fields: Roles<Placed<Value>>,
}

struct Where;

impl JsonSchema for Where {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Where".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "propertyNames": { "pattern": "^/" },
            "additionalProperties": { "type": ["string", "number", "boolean"] },
        })
    }
}

impl LogPattern {
    fn pattern(self) -> Pattern {
        Pattern {
            level: self.level,
            tag: self.tag,
            text: self.text,
            ..Pattern::of(Source::Log)
        }
    }
}

impl EventPattern {
    fn pattern(self, source: Source) -> Pattern {
        Pattern {
            kind: self.kind,
            fields: pointed(self.fields),
            ..Pattern::of(source)
        }
    }
}

impl CloudPattern {
    fn pattern(self) -> Pattern {
        Pattern {
            vendor: match (&self.linkkit, &self.thingsboard) {
                (Some(_), None) => Some(Vendor::Linkkit),
                (None, Some(_)) => Some(Vendor::ThingsBoard),
                _ => None,
            },
            kind: self.linkkit.or(self.thingsboard),
            fields: pointed(self.fields),
            ..Pattern::of(Source::Cloud)
        }
    }
}

impl CoapPattern {
    fn pattern(self) -> Pattern {
        let mut fields = pointed(self.fields);
        let named: [(&str, &'static [&'static str], _); 3] = [
            ("to", &["/phone"], self.to),
            ("path", &["/path"], self.path),
            (
                "token",
                &["/json/params/token", "/json/data/token"],
                self.token,
            ),
        ];
        for (name, pointers, value) in named {
            if let Some(value) = value {
                fields.push(Field {
                    name: name.into(),
                    name_place: None,
                    pointers,
                    pointer: String::new(),
                    value: Placed::new(Value::String(value.value), value.span),
                });
            }
        }
        Pattern {
            fields,
            ..Pattern::of(Source::Coap)
        }
    }
}

fn pointed(fields: Roles<Placed<Value>>) -> Vec<Field> {
    let places = fields.placed_names().map(|name| name.span);
    fields
        .iter()
        .zip(places)
        .map(|((pointer, value), place)| Field {
            name: pointer.to_owned(),
            name_place: Some(place),
            pointers: &[],
            pointer: pointer.to_owned(),
            value: value.clone(),
        })
        .collect()
}

impl Pattern {
    fn of(source: Source) -> Self {
        Self {
            source,
            device: None,
            vendor: None,
            kind: None,
            level: None,
            tag: None,
            text: None,
            fields: Vec::new(),
            span: Span::default(),
        }
    }
}

/// The fields that say which event is meant; exactly one of them must be given.
macro_rules! with_sources {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($fields:tt)* }) => {
        $(#[$meta])*
        #[derive(serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        $vis struct $name {
            /// Only events that concern this device.
            device: Option<$crate::Placed<String>>,
            /// A line of a device's log.
            log: Option<$crate::Placed<$crate::pattern::LogPattern>>,
            /// Something about a board: its power, its exit.
            board: Option<$crate::Placed<$crate::pattern::EventPattern>>,
            /// Something on the air.
            air: Option<$crate::Placed<$crate::pattern::EventPattern>>,
            /// A TLS handshake at the broker.
            tls: Option<$crate::Placed<$crate::pattern::EventPattern>>,
            /// A packet or session at the broker.
            mqtt: Option<$crate::Placed<$crate::pattern::EventPattern>>,
            /// Something that the cloud's fakes have seen.
            cloud: Option<$crate::Placed<$crate::pattern::CloudPattern>>,
            /// A CoAP message that a phone has received.
            coap: Option<$crate::Placed<$crate::pattern::CoapPattern>>,
            /// A provisioning exchange, as the phone sees it.
            provisioning: Option<$crate::Placed<$crate::pattern::EventPattern>>,
            /// What a client has seen of a device's web server.
            web: Option<$crate::Placed<$crate::pattern::EventPattern>>,
            $($fields)*
        }

        impl $name {
            /// Every pattern that is given.
            fn patterns(&mut self) -> Vec<$crate::Pattern> {
                use $crate::pattern::{IntoPattern, placed};
                let device = self.device.clone();
                [
                    placed(self.log.take(), |log| log.into_pattern(trace::Source::Log)),
                    placed(self.board.take(), |event| event.into_pattern(trace::Source::Board)),
                    placed(self.air.take(), |event| event.into_pattern(trace::Source::Air)),
                    placed(self.tls.take(), |event| event.into_pattern(trace::Source::Tls)),
                    placed(self.mqtt.take(), |event| event.into_pattern(trace::Source::Mqtt)),
                    placed(self.cloud.take(), |cloud| cloud.into_pattern(trace::Source::Cloud)),
                    placed(self.coap.take(), |coap| coap.into_pattern(trace::Source::Coap)),
                    placed(self.provisioning.take(), |event| {
                        event.into_pattern(trace::Source::Provisioning)
                    }),
                    placed(self.web.take(), |event| event.into_pattern(trace::Source::Web)),
                ]
                .into_iter()
                .flatten()
                .map(|pattern| $crate::Pattern { device: device.clone(), ..pattern })
                .collect()
            }
        }
    };
}

pub(super) use with_sources;

/// What [`with_sources`] makes patterns of.
pub(super) trait IntoPattern {
    fn into_pattern(self, source: Source) -> Pattern;
}

impl IntoPattern for LogPattern {
    fn into_pattern(self, _: Source) -> Pattern {
        self.pattern()
    }
}

impl IntoPattern for EventPattern {
    fn into_pattern(self, source: Source) -> Pattern {
        self.pattern(source)
    }
}

impl IntoPattern for CloudPattern {
    fn into_pattern(self, _: Source) -> Pattern {
        self.pattern()
    }
}

impl IntoPattern for CoapPattern {
    fn into_pattern(self, _: Source) -> Pattern {
        self.pattern()
    }
}

/// The pattern made of `given`, standing where it stands.
pub(super) fn placed<T>(
    given: Option<Placed<T>>,
    make: impl FnOnce(T) -> Pattern,
) -> Option<Pattern> {
    given.map(|Placed { value, span }| Pattern {
        span,
        ..make(value)
    })
}

with_sources! {
    /// One of several patterns in a list.
    pub(super) struct RawPattern {}
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let patterns = RawPattern::deserialize(deserializer)?.patterns();
        sole(patterns).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Pattern {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Pattern".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        RawPattern::json_schema(generator)
    }
}

/// The only one of `patterns`, or what is wrong.
pub(super) fn sole(mut patterns: Vec<Pattern>) -> Result<Pattern, &'static str> {
    match (patterns.pop(), patterns.is_empty()) {
        (Some(pattern), true) => Ok(pattern),
        (Some(_), false) => Err("one pattern names one source, here are several"),
        (None, _) => Err(
            "which event? Give one of `log`, `board`, `air`, `tls`, `mqtt`, `cloud`, `coap`, `provisioning`, `web`",
        ),
    }
}

impl<'de> Deserialize<'de> for EventPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EventVisitor)
    }
}

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = EventPattern;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the event's kind, or a map with `kind` and `where`")
    }

    fn visit_str<E: serde::de::Error>(self, kind: &str) -> Result<EventPattern, E> {
        Ok(EventPattern {
            kind: Some(Placed::new(kind.to_owned(), Span::default())),
            fields: Roles::default(),
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<EventPattern, A::Error> {
        let raw = RawEvent::deserialize(MapAccessDeserializer::new(map))?;
        Ok(EventPattern {
            kind: raw.kind,
            fields: raw.fields,
        })
    }
}

impl JsonSchema for EventPattern {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Event".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let long = generator.subschema_for::<RawEvent>();
        json_schema!({ "anyOf": [{ "type": "string" }, long] })
    }
}
