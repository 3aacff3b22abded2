//! The particulars of an event, which are a JSON value only once a reader looks into them.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use crate::{CodePlace, LogLine, Payload, Secrets};

/// The particulars of an event: to its readers a [`Value`].
///
/// A trace holds far more events than anybody looks into, and making a `Value` of each would cost
/// more than everything else about it. So what was emitted is kept as it is, and becomes a `Value`
/// at the first look.
///
/// Not `Clone`, so that `data.clone()` is a clone of the `Value`.
pub struct Data {
    emitted: Emitted,
    value: OnceLock<Value>,
}

/// What there is before the first look.
#[derive(Clone)]
enum Emitted {
    /// A line of a log, which matchers look into without any `Value`.
    Line(LogLine),
    /// Anything else.
    Json(Box<RawValue>),
    /// Nothing: the value is there.
    Value,
}

impl Data {
    /// The particulars of `payload`, with every secret replaced.
    pub(crate) fn of<P: Payload>(payload: &P, secrets: &Secrets) -> Self {
        match to_raw_value(payload) {
            Ok(json) if !secrets.may_stand_in(json.get()) => Self::from(Emitted::Json(json)),
            Ok(json) => {
                let mut value = read(&json);
                secrets.redact(&mut value);
                Self::from(value)
            }
            // A payload is plain data; if it cannot be written, that fact is the event.
            Err(error) => Self::from(Value::String(format!("not serialisable: {error}"))),
        }
    }

    /// The particulars of a line of a log, with every secret replaced.
    pub(crate) fn of_line(mut line: LogLine, secrets: &Secrets) -> Self {
        for text in [&mut line.tag, &mut line.text] {
            if let Cow::Owned(redacted) = secrets.redact_text(text) {
                *text = redacted;
            }
        }
        if let Some(place) = &mut line.place {
            redact_place(place, secrets);
        }
        Self::from(Emitted::Line(line))
    }

    /// The particulars that stand in a trace file, which were redacted before they were written.
    pub(crate) fn stored(json: &RawValue, is_line: bool) -> serde_json::Result<Self> {
        Ok(Self::from(match is_line {
            true => Emitted::Line(serde_json::from_str(json.get())?),
            false => Emitted::Json(json.to_owned()),
        }))
    }

    /// The same as a payload of this type. Unlike a look into the [`Value`], it leaves nothing in
    /// memory.
    pub(crate) fn payload<P: DeserializeOwned>(&self) -> Option<P> {
        match (&self.emitted, self.value.get()) {
            (_, Some(value)) => P::deserialize(value).ok(),
            (Emitted::Json(json), None) => serde_json::from_str(json.get()).ok(),
            (Emitted::Line(line), None) => P::deserialize(serde_json::to_value(line).ok()?).ok(),
            (Emitted::Value, None) => None,
        }
    }

    /// The line of a log, if it was logged here as such.
    pub(crate) fn line(&self) -> Option<&LogLine> {
        match &self.emitted {
            Emitted::Line(line) => Some(line),
            Emitted::Json(_) | Emitted::Value => None,
        }
    }

    /// The same again.
    pub(crate) fn copy(&self) -> Self {
        Self {
            emitted: self.emitted.clone(),
            value: self.value.clone(),
        }
    }

    fn value(&self) -> &Value {
        self.value.get_or_init(|| match &self.emitted {
            // A line is two texts and two numbers, which always can be written.
            Emitted::Line(line) => serde_json::to_value(line).unwrap_or_default(),
            Emitted::Json(json) => read(json),
            Emitted::Value => Value::Null,
        })
    }
}

/// A device may name its files as it likes.
fn redact_place(place: &mut Arc<CodePlace>, secrets: &Secrets) {
    let module = secrets.redact_text(&place.module);
    let file = secrets.redact_text(&place.file);
    if let (Cow::Borrowed(_), Cow::Borrowed(_)) = (&module, &file) {
        return;
    }
    *place = Arc::new(CodePlace {
        module: module.into_owned(),
        file: file.into_owned(),
        line: place.line,
    });
}

/// What was written by serde_json is JSON.
fn read(json: &RawValue) -> Value {
    serde_json::from_str(json.get()).unwrap_or_default()
}

impl From<Emitted> for Data {
    fn from(emitted: Emitted) -> Self {
        Self {
            emitted,
            value: OnceLock::new(),
        }
    }
}

impl From<Value> for Data {
    fn from(value: Value) -> Self {
        Self {
            emitted: Emitted::Value,
            value: OnceLock::from(value),
        }
    }
}

impl Deref for Data {
    type Target = Value;

    fn deref(&self) -> &Value {
        self.value()
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        self.value() == other.value()
    }
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value().fmt(f)
    }
}

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value().fmt(f)
    }
}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.emitted {
            Emitted::Line(line) => line.serialize(serializer),
            Emitted::Json(json) => json.serialize(serializer),
            Emitted::Value => self.value().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{Fault, Level};

    #[test]
    fn a_line_reads_like_the_value_that_it_is() {
        let line = LogLine {
            level: Level::Warn,
            tag: "wifi".into(),
            text: "a \"secret\" word".into(),
            device_ms: Some(7),
            place: None,
        };
        let secrets = Secrets::default();
        secrets.add("word", "secret");
        let data = Data::of_line(line, &secrets);
        let value = json!({
            "level": "warn", "tag": "wifi", "text": "a \"<word>\" word", "device_ms": 7
        });
        assert_eq!(*data, value);
        assert_eq!(
            serde_json::to_string(&data).expect("JSON"),
            value.to_string()
        );
    }

    #[test]
    fn a_secret_in_the_name_of_a_file_is_none_in_the_trace() {
        let place = CodePlace {
            module: "device::wifi".into(),
            file: "src/friend.rs".into(),
            line: 3,
        };
        let line = LogLine {
            level: Level::Info,
            tag: "wifi".into(),
            text: "up".into(),
            device_ms: None,
            place: Some(Arc::new(place)),
        };
        let secrets = Secrets::default();
        secrets.add("word", "friend");
        let data = Data::of_line(line, &secrets);
        assert_eq!(
            data["place"],
            json!({"module": "device::wifi", "file": "src/<word>.rs", "line": 3})
        );
    }

    #[test]
    fn other_payloads_are_kept_as_json_unless_a_secret_is_in_them() {
        let fault = |detail: &str| Fault {
            name: "off".into(),
            on: true,
            detail: detail.into(),
        };
        let secrets = Secrets::default();
        secrets.add("word", "say \"friend\"");
        let harmless = Data::of(&fault("nothing"), &secrets);
        assert!(matches!(harmless.emitted, Emitted::Json(_)));
        assert_eq!(harmless["detail"], "nothing");
        let secret = Data::of(&fault("say \"friend\" and enter"), &secrets);
        assert_eq!(secret["detail"], "<word> and enter");
        let written = serde_json::to_string(&secret).expect("JSON");
        assert!(!written.contains("friend"), "{written}");
    }

    #[test]
    fn data_from_a_file_equals_what_was_written() {
        let secrets = Secrets::default();
        let fault = Fault {
            name: "off".into(),
            on: false,
            detail: "x".into(),
        };
        let data = Data::of(&fault, &secrets);
        let text = serde_json::to_string(&data).expect("JSON");
        let read: Data = serde_json::from_str(&text).expect("the same");
        assert_eq!(read, data);
        assert_eq!(read.to_string(), text);
    }

    proptest! {
        /// The short way, on which nothing is noticed in the JSON, gives what the long way gives.
        #[test]
        fn a_payload_reads_as_if_its_value_had_been_redacted(
            secret in r#"\PC{4,8}|["\\\n/ä]{4,8}"#,
            before in r#"\PC{0,6}["\\]?"#,
            after in r#"["\\]?\PC{0,6}"#,
            there in any::<bool>(),
        ) {
            let secrets = Secrets::default();
            secrets.add("word", &secret);
            let fault = Fault {
                name: "off".into(),
                on: true,
                detail: if there { format!("{before}{secret}{after}") } else { before + &after },
            };
            let mut value = serde_json::to_value(&fault).expect("plain data");
            secrets.redact(&mut value);
            prop_assert_eq!(&*Data::of(&fault, &secrets), &value);
        }
    }
}
