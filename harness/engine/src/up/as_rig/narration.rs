//! What happens on the rig, told on standard error as a rig's lamps tell it.

use std::io::Write;

use board::{Power, PowerChanged};
use trace::air::{HostWifiSwitched, SoftApStarted, SoftApStopped};
use trace::{Event, Trace};

/// Tells of a trace until it is dropped.
pub async fn narrate(trace: Trace) {
    let mut next = 0;
    loop {
        trace.longer_than(next).await;
        for event in trace.events_from(next) {
            next = event.seq as usize + 1;
            if let Some(line) = line(&event) {
                say(&line);
            }
        }
    }
}

/// Writes a line to standard error. If it cannot be written, the user does not look.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

fn line(event: &Event) -> Option<String> {
    if let Some(changed) = event.payload::<PowerChanged>() {
        let power = match changed.power {
            Power::On => "on",
            Power::Off => "off",
        };
        return Some(format!("power {power}: {}", changed.how));
    }
    if let Some(started) = event.payload::<SoftApStarted>() {
        return Some(format!("network {} is there", started.ssid));
    }
    if let Some(stopped) = event.payload::<SoftApStopped>() {
        return Some(format!("network {} is gone", stopped.ssid));
    }
    let switched = event.payload::<HostWifiSwitched>()?;
    Some(match switched.to {
        Some(to) => format!("Wi-Fi of the host is in {to}: {}", switched.why),
        None => format!("Wi-Fi of the host is in no network: {}", switched.why),
    })
}
