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

/// Whether the device begins anew, or ends, with this event of its board.
pub fn is_boot(event: &Event) -> bool {
    event.source == trace::Source::Board && matches!(&*event.kind, "power" | "restarted" | "exited")
}
