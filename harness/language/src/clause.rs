//! Expectations as scenarios write them.

use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor, value::MapAccessDeserializer};

use super::captures::CaptureList;
use super::duration;
use super::pattern::{Pattern, sole, with_sources};
use super::span::Placed;

/// Something that must happen, or must not.
#[derive(Clone, Debug)]
pub enum Expect {
    /// Events.
    Clause(Clause),
    /// The device's whole log so far is as it was when it was accepted.
    Transcript(Transcript),
}

/// Events that must happen, or must not.
#[derive(Clone, Debug)]
pub struct Clause {
    /// Which, and how.
    pub wanted: Wanted,
    /// From where on the trace is read.
    pub since: Since,
    /// Taken from the data of the one event that was met.
    pub capture: CaptureList,
    /// Bugs with which this must fail.
    pub catches: Vec<Placed<String>>,
}

/// What must happen. Durations count from the start of the step.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// This event, by then.
    One(Box<Pattern>, Duration),
    /// These events of one source, one after the other, all by then.
    InOrder(Vec<Pattern>, Duration),
    /// These events in any order, each by an event of its own, all by then.
    AnyOrder(Vec<Pattern>, Duration),
    /// So many such events.
    Count(Box<Pattern>, Count, Window),
    /// None of these, until then.
    Never(Vec<Pattern>, Duration),
}

/// How many events there must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// No fewer.
    pub at_least: u64,
    /// No more.
    pub at_most: Option<u64>,
}

/// How long events are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// Until there are enough, or the time has passed.
    Within(Duration),
    /// To the end.
    For(Duration),
}

/// From where on an expectation reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Since {
    /// From behind the last event of that source which an expectation has consumed.
    #[serde(skip)]
    #[default]
    Cursor,
    /// From the start of this step; behind one that switches a device's power, from the start of that.
    Now,
    /// From where a step has last switched a device's power; from the first event if none has.
    Power,
    /// From where a step has last put a fault on or off; from the first event if none has.
    Fault,
    /// From the first event.
    Start,
}

/// A snapshot of the device's log: lines of level info and graver.
#[derive(Clone, Debug)]
pub struct Transcript {
    /// Name of the snapshot, which stands beside the scenario in `snapshots/`.
    pub name: Placed<String>,
    /// Which device, if there are several.
    pub device: Option<Placed<String>>,
    /// Bugs with which this must fail.
    pub catches: Vec<Placed<String>>,
}

/// What must not happen from the first event to the end of `settle`.
#[derive(Clone, Debug)]
pub struct Never {
    /// Pattern of the event.
    pub pattern: Pattern,
    /// Bugs with which it must happen.
    pub catches: Vec<Placed<String>>,
}

with_sources! {
    /// An expectation: one event, or `in_order`, `any_order`, `never` or `transcript`.
    struct RawExpect {
        /// These events of one source, one after the other.
        in_order: Option<Vec<Pattern>>,
        /// These events in any order, each by an event of its own.
        any_order: Option<Vec<Pattern>>,
        /// None of these for the time given by `for`.
        never: Option<Vec<Pattern>>,
        /// Compares the device's log with the snapshot of this name.
        transcript: Option<Placed<String>>,
        /// Limit in device time from the start of the step.
        #[serde(default, deserialize_with = "duration::optional")]
        #[schemars(with = "Option<duration::Text>")]
        within: Option<Duration>,
        /// Device time from the start of the step through which `count` or `never` holds.
        #[serde(default, rename = "for", deserialize_with = "duration::optional")]
        #[schemars(with = "Option<duration::Text>")]
        whole: Option<Duration>,
        /// How many such events; `within` ends at the first so many, `for` counts to its end.
        count: Option<Count>,
        /// From where on events count; from behind the last consumed one if left out.
        #[serde(default)]
        since: Since,
        /// Names, and JSON pointers into the data of the event that was met.
        #[serde(default)]
        capture: CaptureList,
        /// Bugs with which this step must fail.
        #[serde(default)]
        catches: Vec<Placed<String>>,
    }
}

with_sources! {
    /// What must not happen from the first event to the end of `settle`.
    struct RawNever {
        /// Bugs with which it must happen.
        #[serde(default)]
        catches: Vec<Placed<String>>,
    }
}

impl Expect {
    /// Bugs with which this must fail.
    pub fn catches(&self) -> &[Placed<String>] {
        match self {
            Self::Clause(clause) => &clause.catches,
            Self::Transcript(transcript) => &transcript.catches,
        }
    }
}

impl Wanted {
    /// All patterns in it.
    pub fn patterns(&self) -> &[Pattern] {
        match self {
            Self::One(pattern, _) | Self::Count(pattern, ..) => std::slice::from_ref(pattern),
            Self::InOrder(patterns, _) | Self::AnyOrder(patterns, _) | Self::Never(patterns, _) => {
                patterns
            }
        }
    }

    /// How long it takes at most, from the start of the step.
    pub fn limit(&self) -> Duration {
        match self {
            Self::One(_, limit)
            | Self::InOrder(_, limit)
            | Self::AnyOrder(_, limit)
            | Self::Never(_, limit)
            | Self::Count(_, _, Window::Within(limit) | Window::For(limit)) => *limit,
        }
    }
}

impl RawExpect {
    fn expect(mut self) -> Result<Expect, String> {
        let patterns = self.patterns();
        if let Some(name) = self.transcript.take() {
            if !patterns.is_empty() || self.has_clause() || !self.capture.is_empty() {
                return Err("`transcript` goes with `device` and `catches` only".into());
            }
            return Ok(Expect::Transcript(Transcript {
                name,
                device: self.device,
                catches: self.catches,
            }));
        }
        let wanted = self.wanted(patterns)?;
        if !self.capture.is_empty() && !matches!(wanted, Wanted::One(..)) {
            return Err("`capture` needs a single event".into());
        }
        Ok(Expect::Clause(Clause {
            wanted,
            since: self.since,
            capture: self.capture,
            catches: self.catches,
        }))
    }

    fn has_clause(&self) -> bool {
        self.in_order.is_some()
            || self.any_order.is_some()
            || self.never.is_some()
            || self.count.is_some()
            || self.within.is_some()
            || self.whole.is_some()
    }

    fn wanted(&mut self, patterns: Vec<Pattern>) -> Result<Wanted, String> {
        let lists = [&mut self.in_order, &mut self.any_order, &mut self.never].map(Option::take);
        let given = lists.iter().flatten().count() + usize::from(!patterns.is_empty());
        if given > 1 {
            return Err(
                "one expectation has one of: an event, `in_order`, `any_order`, `never`".into(),
            );
        }
        let [in_order, any_order, never] = lists.map(|list| list.map(|list| self.of_device(list)));
        let combined = if let Some(list) = in_order {
            mixed(&list)?;
            Wanted::InOrder(list, self.needs_within("in_order")?)
        } else if let Some(list) = any_order {
            Wanted::AnyOrder(list, self.needs_within("any_order")?)
        } else if let Some(list) = never {
            Wanted::Never(list, self.needs_for("never")?)
        } else {
            return self.single(sole(patterns)?);
        };
        if self.count.is_some() {
            return Err("`count` needs a single event".into());
        }
        if combined.patterns().is_empty() {
            return Err("the list is empty".into());
        }
        Ok(combined)
    }

    fn single(&mut self, pattern: Pattern) -> Result<Wanted, String> {
        let pattern = Box::new(pattern);
        let Some(count) = self.count else {
            return Ok(Wanted::One(pattern, self.needs_within("an event")?));
        };
        let window = match (self.within, self.whole) {
            (Some(limit), None) if count.at_most.is_none() || count.is_exact() => {
                Window::Within(limit)
            }
            (Some(_), None) => {
                return Err(
                    "`at_most` is only known at the end: say `for` instead of `within`".into(),
                );
            }
            (None, Some(whole)) => Window::For(whole),
            _ => return Err("`count` needs either `for` or `within`".into()),
        };
        Ok(Wanted::Count(pattern, count, window))
    }

    fn needs_within(&self, what: &str) -> Result<Duration, String> {
        match (self.within, self.whole) {
            (Some(limit), None) => Ok(limit),
            (_, Some(_)) => Err(format!("{what} takes `within`, not `for`")),
            (None, None) => Err(format!("{what} needs `within`, such as `within: 5s`")),
        }
    }

    fn needs_for(&self, what: &str) -> Result<Duration, String> {
        match (self.within, self.whole) {
            (None, Some(whole)) => Ok(whole),
            (Some(_), _) => Err(format!("`{what}` takes `for`, not `within`")),
            (None, None) => Err(format!("`{what}` needs `for`, such as `for: 5s`")),
        }
    }

    fn of_device(&self, list: Vec<Pattern>) -> Vec<Pattern> {
        list.into_iter()
            .map(|pattern| Pattern {
                device: pattern.device.or_else(|| self.device.clone()),
                ..pattern
            })
            .collect()
    }
}

/// Order is promised inside one source only.
fn mixed(list: &[Pattern]) -> Result<(), String> {
    match list
        .windows(2)
        .find(|pair| pair[0].source != pair[1].source)
    {
        None => Ok(()),
        Some(pair) => Err(format!(
            "`in_order` mixes {:?} and {:?}: order is promised inside one source only; use several steps, or `any_order`",
            pair[0].source, pair[1].source
        )),
    }
}

impl Count {
    /// Whether there is only one right number.
    pub fn is_exact(&self) -> bool {
        self.at_most == Some(self.at_least)
    }
}

impl<'de> Deserialize<'de> for Expect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = RawExpect::deserialize(deserializer)?;
        raw.expect().map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Never {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut raw = RawNever::deserialize(deserializer)?;
        let pattern = sole(raw.patterns()).map_err(serde::de::Error::custom)?;
        Ok(Self {
            pattern,
            catches: raw.catches,
        })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Bounds {
    /// No fewer.
    at_least: Option<u64>,
    /// No more.
    at_most: Option<u64>,
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // A number is meant as one, also from a matrix.
        deserializer.deserialize_u64(CountVisitor)
    }
}

struct CountVisitor;

impl<'de> Visitor<'de> for CountVisitor {
    type Value = Count;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a number, or a map with `at_least` and `at_most`")
    }

    fn visit_u64<E: serde::de::Error>(self, exactly: u64) -> Result<Count, E> {
        Ok(Count {
            at_least: exactly,
            at_most: Some(exactly),
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Count, A::Error> {
        let bounds = Bounds::deserialize(MapAccessDeserializer::new(map))?;
        if bounds.at_least.is_none() && bounds.at_most.is_none() {
            return Err(serde::de::Error::custom("`count` needs a number"));
        }
        Ok(Count {
            at_least: bounds.at_least.unwrap_or_default(),
            at_most: bounds.at_most,
        })
    }
}

impl JsonSchema for Count {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Count".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let bounds = generator.subschema_for::<Bounds>();
        json_schema!({ "anyOf": [{ "type": "integer", "minimum": 0 }, bounds] })
    }
}

impl JsonSchema for Expect {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Expect".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        RawExpect::json_schema(generator)
    }
}

impl JsonSchema for Never {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Never".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        RawNever::json_schema(generator)
    }
}
