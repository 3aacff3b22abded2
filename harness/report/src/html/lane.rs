//! In which lane of the page an event stands, and how grave it is.

use serde_json::Value;
use trace::{Event, Level, Source};

/// The lanes from top to bottom, as they are called in the page.
pub(crate) const LANES: [&str; 13] = [
    "engine",
    "phone",
    "Bluetooth",
    "air",
    "power",
    "storage",
    "device log",
    "time",
    "TLS",
    "MQTT",
    "cloud",
    "web",
    "witness",
];

/// Tags under which firmware logs what it does with its flash.
const STORAGE_TAGS: [&str; 5] = ["nvs", "storage", "spiffs", "settings", "partition"];

/// The index in [`LANES`] of the lane of `event`.
pub(crate) fn of(event: &Event) -> usize {
    let name = match event.source {
        Source::Engine => "engine",
        Source::Provisioning | Source::Coap => "phone",
        Source::Air if event.kind.starts_with("ble_") => "Bluetooth",
        Source::Air => "air",
        Source::Board if event.kind == "image_flashed" => "storage",
        Source::Board => "power",
        Source::Log => match event.line() {
            Some(line) if STORAGE_TAGS.iter().any(|tag| line.tag.starts_with(tag)) => "storage",
            _ => "device log",
        },
        Source::Sntp => "time",
        Source::Tls => "TLS",
        Source::Mqtt => "MQTT",
        Source::Cloud => "cloud",
        Source::Web => "web",
        Source::Witness => "witness",
    };
    LANES.iter().position(|lane| *lane == name).unwrap_or(0)
}

/// How grave an event is: 2 for what is wrong, 1 for what is odd, 0 for the rest.
pub(super) fn gravity(event: &Event) -> u8 {
    if let Some(line) = event.line() {
        return match line.level {
            Level::Error => 2,
            Level::Warn => 1,
            Level::Info | Level::Debug | Level::Trace => 0,
        };
    }
    let is = |key: &str, wanted: bool| event.data.get(key) == Some(&Value::Bool(wanted));
    match (event.source, event.kind.as_ref()) {
        (Source::Engine, "step_ended") if is("ok", false) => 2,
        (Source::Engine, "finished") => match event.data.get("verdict").and_then(Value::as_str) {
            Some("passed") => 0,
            _ => 2,
        },
        (Source::Engine, "contract_broken") => match event.data.get("excepted") {
            Some(Value::String(_)) => 1,
            _ => 2,
        },
        (Source::Engine, "fault") if is("on", true) => 1,
        (Source::Witness, _) if is("sound", false) => 2,
        (Source::Tls, "handshake") if is("ok", false) => 2,
        (Source::Board, "exited" | "garbage" | "crash") => 2,
        (Source::Board, "restarted" | "unread_lines" | "spinning") => 1,
        (Source::Air, "left" | "ble_link_dropped") => 1,
        (Source::Mqtt, "connect_refused" | "denied" | "dropped") => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(source: Source, kind: &'static str, data: Value) -> Event {
        Event {
            seq: 0,
            lab_us: 0,
            wall_us: 0,
            source,
            device: None,
            kind: kind.into(),
            data: data.into(),
        }
    }

    #[test]
    fn every_source_has_a_lane_of_that_name() {
        for (source, kind, data, lane) in [
            (Source::Air, "ble_connected", json!({}), "Bluetooth"),
            (Source::Air, "joined", json!({}), "air"),
            (
                Source::Log,
                "line",
                json!({"level": "info", "tag": "nvs_flash", "text": "erased"}),
                "storage",
            ),
            (
                Source::Log,
                "line",
                json!({"level": "info", "tag": "app", "text": "up"}),
                "device log",
            ),
            (Source::Coap, "request", json!({}), "phone"),
            (Source::Board, "power", json!({"power": "on"}), "power"),
        ] {
            assert_eq!(LANES[of(&event(source, kind, data))], lane, "{kind}");
        }
    }

    #[test]
    fn an_excepted_breach_of_a_contract_is_only_odd() {
        let excepted = json!({"contract": "mqtt-1", "excepted": "the scenario is about it"});
        assert_eq!(
            gravity(&event(Source::Engine, "contract_broken", excepted)),
            1
        );
        let plain = json!({"contract": "mqtt-1"});
        assert_eq!(gravity(&event(Source::Engine, "contract_broken", plain)), 2);
    }
}
