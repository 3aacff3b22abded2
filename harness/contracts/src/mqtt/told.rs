//! What a client was told to say.

use serde_json::Value;
use trace::Event;

use super::is_from_client;
use crate::facts::{SignInFacts, TelemetryFacts, Will, WillFacts};
use crate::read::{flag, number, text};
use crate::{Found, Moment, Watch};

/// Client id, user name, password and will of CONNECT.
pub struct NameAndWill {
    pub client_id: Option<String>,
    pub signs_in: Option<SignInFacts>,
    pub will: Option<WillFacts>,
}

impl Watch for NameAndWill {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if !is_from_client(event) || text(event, "/problem").is_some() {
            return;
        }
        if let Some(told) = &self.client_id {
            let said = text(event, "/client_id").unwrap_or_default();
            found.check(
                said == told,
                || format!("comes as `{said}`; it was told `{told}`"),
                [event.seq],
            );
        }
        if let Some(told) = &self.signs_in {
            let username = text(event, "/username").unwrap_or_default();
            let password = number(event, "/password_length").unwrap_or_default();
            found.check(
                username == told.username && password == told.password_length,
                || {
                    format!(
                        "signs in as `{username}` with {password} bytes of password; it was told `{}` with {}",
                        told.username, told.password_length
                    )
                },
                [event.seq],
            );
        }
        let Some(will) = &self.will else { return };
        let said = left(event);
        let told = will.told.clone().map(as_shown);
        found.check(
            said == told,
            || format!("leaves the will {said:?}; it was told {told:?}"),
            [event.seq],
        );
    }
}

/// The same will with its payload as [`left`] has it.
fn as_shown(will: Will) -> Will {
    let shown = serde_json::from_str::<Value>(&will.payload).ok();
    let shown = shown.filter(|shown| shown.is_object() || shown.is_array());
    Will {
        payload: shown.map_or(will.payload, |shown| shown.to_string()),
        ..will
    }
}

/// The will of a CONNECT. Of a payload that is JSON the spaces are not shown.
fn left(event: &Event) -> Option<Will> {
    let payload = event.data.pointer("/will/payload");
    let payload = match payload {
        Some(Value::String(payload)) => payload.clone(),
        payload => payload.map(Value::to_string).unwrap_or_default(),
    };
    Some(Will {
        topic: text(event, "/will/topic")?.to_owned(),
        payload,
        qos: number(event, "/will/qos").unwrap_or_default(),
        retain: flag(event, "/will/retain"),
    })
}

/// Telemetry as it is published.
pub struct Telemetry(pub TelemetryFacts);

impl Watch for Telemetry {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if !is_from_client(event) || text(event, "/topic") != Some(&self.0.topic) {
            return;
        }
        let qos = number(event, "/qos").unwrap_or_default();
        let retained = flag(event, "/retain");
        found.check(
            qos == self.0.qos && !retained,
            || {
                format!(
                    "published at QoS {qos}, retained: {retained}; QoS {} was told",
                    self.0.qos
                )
            },
            [event.seq],
        );
        match said(&self.0.payload, event) {
            Said::Told(_) => found.held(),
            Said::Unclear => {}
            Said::Otherwise => {
                let payload = event.data.pointer("/payload").map(Value::to_string);
                found.broken(
                    format!(
                        "published {}; `{}` was told",
                        payload.unwrap_or_default(),
                        self.0.payload
                    ),
                    [event.seq],
                );
            }
        }
    }
}

/// What a payload is beside the one that was told.
pub enum Said {
    /// The same, with this number in the place of `%n`.
    Told(Option<u64>),
    /// Another.
    Otherwise,
    /// It is not shown whole, or not as text.
    Unclear,
}

/// What the payload of a PUBLISH is beside `told`.
pub fn said(told: &str, event: &Event) -> Said {
    let fits = |number: Option<u64>| {
        let told = match number {
            Some(number) => told.replace("%n", &number.to_string()),
            None => told.to_owned(),
        };
        match event.data.pointer("/payload") {
            // Its spaces are not shown.
            Some(shown @ (Value::Object(_) | Value::Array(_))) => {
                serde_json::from_str::<Value>(&told).is_ok_and(|told| told == *shown)
            }
            shown => shown.and_then(Value::as_str) == Some(&told),
        }
    };
    let payload = match (text(event, "/form"), event.data.pointer("/payload")) {
        (Some("json"), Some(payload)) => payload.to_string(),
        (Some("text"), Some(Value::String(payload)))
            if number(event, "/length") == Some(payload.len() as u64) =>
        {
            payload.clone()
        }
        _ => return Said::Unclear,
    };
    if !told.contains("%n") {
        return match fits(None) {
            true => Said::Told(None),
            false => Said::Otherwise,
        };
    }
    let numbers = payload.split(|letter: char| !letter.is_ascii_digit());
    let mut numbers = numbers.filter_map(|digits| digits.parse().ok());
    match numbers.find(|number| fits(Some(*number))) {
        Some(number) => Said::Told(Some(number)),
        None => Said::Otherwise,
    }
}
