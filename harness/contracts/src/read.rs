//! Looking into the particulars of an event.

use serde_json::Value;
use trace::Event;

/// The text at `pointer`.
pub fn text<'e>(event: &'e Event, pointer: &str) -> Option<&'e str> {
    event.data.pointer(pointer).and_then(Value::as_str)
}

/// The number at `pointer`.
pub fn number(event: &Event, pointer: &str) -> Option<u64> {
    event.data.pointer(pointer).and_then(Value::as_u64)
}

/// Whether there is a `true` at `pointer`.
pub fn flag(event: &Event, pointer: &str) -> bool {
    event.data.pointer(pointer) == Some(&Value::Bool(true))
}

/// 802.11 §9.4.1.7: the station has left by itself.
const LEFT_BY_ITSELF: u64 = 8;

/// From what goes with the power to the event that tells of the power.
pub const POWER_IS_TOLD: std::time::Duration = std::time::Duration::from_secs(1);

/// Whether a station that has left, or was not let in, has done so by itself.
pub fn left_by_itself(event: &Event) -> bool {
    number(event, "/reason") == Some(LEFT_BY_ITSELF)
}

/// The device that the event is about; empty if it names none.
pub fn device(event: &Event) -> &str {
    event.device.as_deref().unwrap_or_default()
}

/// These events, and those of [`is_boot`], at which a rule forgets what the device had done before.
macro_rules! since_boot {
    ($($read:expr),* $(,)?) => {
        &[
            $($read,)*
            (trace::Source::Board, "power"),
            (trace::Source::Board, "restarted"),
            (trace::Source::Board, "exited"),
        ]
    };
}
pub(crate) use since_boot;

/// What a device logs that the broker has let in (ESP-IDF esp-mqtt).
pub const MQTT_CONNECTED: &str = "MQTT_EVENT_CONNECTED";
/// What a device logs that takes its session for lost.
pub const MQTT_DISCONNECTED: &str = "MQTT_EVENT_DISCONNECTED";

/// Whether the device begins anew, or ends, with this event of its board.
pub fn is_boot(event: &Event) -> bool {
    event.source == trace::Source::Board && matches!(&*event.kind, "power" | "restarted" | "exited")
}
