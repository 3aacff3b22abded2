//! What an answer may hold.

use std::collections::BTreeMap;

use serde_json::Value;
use trace::Event;

use crate::read::{device, number, text};
use crate::{Found, Moment, Watch};

pub struct Fits;

impl Watch for Fits {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if let (Some(asked), Some(answered)) = (
            text(event, "/request/message"),
            text(event, "/answer/message"),
        ) {
            found.check(
                asked.strip_prefix("cmd_") == answered.strip_prefix("resp_"),
                || format!("{asked} was answered by {answered}"),
                [event.seq],
            );
        }
        if let (Some(asked), Some(answered)) =
            (text(event, "/request/step"), text(event, "/answer/step"))
        {
            found.check(
                asked.strip_prefix("command") == answered.strip_prefix("response"),
                || format!("{asked} was answered by {answered}"),
                [event.seq],
            );
        }
    }
}

/// What each device said of its version first.
#[derive(Default)]
pub struct Version(BTreeMap<String, (Value, u64)>);

impl Watch for Version {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if text(event, "/endpoint") != Some("proto-ver") || event.data["answer"].is_null() {
            return;
        }
        let said = &event.data["answer"];
        match self.0.get(device(event)) {
            Some((first, seq)) => found.check(
                first == said,
                || format!("said {first}, then {said}"),
                [*seq, event.seq],
            ),
            None => {
                self.0
                    .insert(device(event).to_owned(), (said.clone(), event.seq));
            }
        }
    }
}

/// Ends of a request that was heard, and not answered.
const HEARD: [&str; 3] = [
    "answered with HTTP status",
    "the device refused the request",
    "printed its next prompt without an answer",
];

pub struct VersionIsTold;

impl Watch for VersionIsTold {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if text(event, "/endpoint") != Some("proto-ver") || text(event, "/request").is_none() {
            return;
        }
        let why = text(event, "/failure").unwrap_or_default();
        if !event.data["answer"].is_null() {
            found.held();
        } else if HEARD.iter().any(|heard| why.contains(heard)) {
            found.broken(format!("does not tell its version: {why}"), [event.seq]);
        }
    }
}

pub struct ScanResult;

impl Watch for ScanResult {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        let entries = event
            .data
            .pointer("/answer/entries")
            .and_then(Value::as_array);
        let Some(entries) = entries else { return };
        let mut weakest = i64::MAX;
        for entry in entries {
            let level = entry["rssi"].as_i64().unwrap_or_default();
            let channel = entry["channel"].as_u64().unwrap_or_default();
            let wrong = if level >= 0 {
                Some(format!("a level of {level} dBm"))
            } else if !(1..=14).contains(&channel) {
                Some(format!("channel {channel}"))
            } else if level > weakest {
                Some(format!("{level} dBm behind {weakest} dBm"))
            } else {
                None
            };
            weakest = level;
            match wrong {
                Some(wrong) => found.broken(wrong, [event.seq]),
                None => found.held(),
            }
        }
    }
}

/// How many networks each device announced.
#[derive(Default)]
pub struct ScanCount(BTreeMap<String, (u64, u64)>);

impl Watch for ScanCount {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if let Some(count) = number(event, "/answer/count") {
            self.0.insert(device(event).to_owned(), (count, event.seq));
        }
        let entries = event
            .data
            .pointer("/answer/entries")
            .and_then(Value::as_array);
        let (Some(entries), Some((count, seq))) = (entries, self.0.get(device(event))) else {
            return;
        };
        found.check(
            entries.len() as u64 <= *count,
            || format!("{} entries of {count}", entries.len()),
            [*seq, event.seq],
        );
    }
}

pub struct PossibleVersion;

impl Watch for PossibleVersion {
    fn event(&mut self, event: &Event, _: Moment, found: &mut Found) {
        if text(event, "/endpoint") != Some("proto-ver") {
            return;
        }
        let Some(prov) = event
            .data
            .pointer("/answer/prov")
            .filter(|prov| prov.is_object())
        else {
            return;
        };
        match impossible(prov) {
            Some(wrong) => found.broken(wrong, [event.seq]),
            None => found.held(),
        }
    }
}

/// What is wrong with what a service says of itself.
fn impossible(prov: &Value) -> Option<String> {
    let version = prov["ver"].as_str().unwrap_or_default();
    let digits = version.rsplit('v').next().unwrap_or_default();
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return Some(format!("a version of {}", prov["ver"]));
    }
    let security = &prov["sec_ver"];
    if !security.is_null() && security.as_u64().is_none_or(|security| security > 2) {
        return Some(format!("security {security}"));
    }
    let patch = &prov["sec_patch_ver"];
    let most = u64::from(security.as_u64() == Some(2));
    if !patch.is_null() && patch.as_u64().is_none_or(|patch| patch > most) {
        return Some(format!("patch version {patch} of security {security}"));
    }
    let Some(told) = prov["cap"].as_array() else {
        return Some("no list of abilities".into());
    };
    let told: Vec<&str> = told.iter().filter_map(Value::as_str).collect();
    let of = |name: &str| told.iter().filter(|told| **told == name).count();
    if let Some(twice) = told.iter().find(|name| of(name) > 1) {
        return Some(format!("{twice} twice"));
    }
    let is_open = of("no_sec") > 0;
    if let Some(security) = security.as_u64()
        && (is_open != (security == 0) || (of("no_pop") > 0 && security != 1))
    {
        return Some(format!("security {security} and the abilities {told:?}"));
    }
    (is_open && of("no_pop") > 0).then(|| format!("the abilities {told:?}"))
}
