//! What the devices' own logs tell of a failure, by the rules of `proving diagnose`.

use std::collections::{BTreeMap, BTreeSet};

use diagnose::{Cause, Certainty, Incident, Log};
use trace::{Event, Fault, LogLine, Power, PowerChanged, Trace};

/// What a log tells.
pub struct Told {
    /// In some lines.
    pub text: String,
    /// Whether other causes would be unusual.
    pub is_sure: bool,
}

/// The first cause that the log of a device tells, with the line that says so, what the scenario broke at
/// that time, and what to check. None if no rule finds one.
pub fn first_cause(trace: &Trace) -> Option<Told> {
    let mut logs: BTreeMap<String, Log> = BTreeMap::new();
    let mut broken: BTreeSet<String> = BTreeSet::new();
    for event in trace.events_from(0) {
        if let Some(fault) = event.payload::<Fault>() {
            match fault.on {
                true => broken.insert(fault.name),
                false => broken.remove(&fault.name),
            };
            continue;
        }
        read(&mut logs, &event);
    }
    let several = logs.len() > 1;
    let names: Vec<String> = logs.keys().cloned().collect();
    let incident = Incident::of(logs.into_values().map(Log::end).collect());
    let named = incident.cause?;
    let device = names.get(named.log).filter(|_| several);
    Some(Told {
        text: text(&named.cause, device.map(String::as_str), &broken),
        is_sure: named.cause.certainty > Certainty::Possible,
    })
}

/// Hands a line or a start of a device to its log.
fn read(logs: &mut BTreeMap<String, Log>, event: &Event) {
    let is_start = event
        .payload::<PowerChanged>()
        .is_some_and(|changed| changed.power == Power::On);
    if !is_start && event.line().is_none() {
        return;
    }
    let device = event.device.as_deref().unwrap_or("device");
    let log = logs
        .entry(device.to_owned())
        .or_insert_with(|| Log::new(device));
    if is_start {
        log.power_on();
    }
    if let Some(line) = event.line() {
        let ms = event.payload::<LogLine>().and_then(|line| line.device_ms);
        log.record(line.level.letter(), line.tag, line.text, ms);
    }
}

fn text(cause: &Cause, device: Option<&str>, broken: &BTreeSet<String>) -> String {
    let sure = cause.certainty.words();
    let of = device.map_or_else(String::new, |device| format!("{device}: "));
    let mut text = format!("{of}{}: {} ({sure})", cause.stage, cause.cause);
    if let Some(evidence) = cause.evidence.last() {
        text.push_str(&format!("\nsince the log has: {}", evidence.text.trim()));
    }
    if let Some(reading) = cause.readings.first() {
        text.push_str(&format!("\n{} = {}", reading.number, reading.meaning));
    }
    if broken.is_empty() {
        if let Some(check) = cause.check.first() {
            text.push_str(&format!("\ncheck: {check}"));
        }
    } else {
        let broken: Vec<&str> = broken.iter().map(String::as_str).collect();
        text.push_str(&format!(
            "\nwhich may be meant: the scenario has broken {} at this time",
            broken.join(", ")
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use clock::Clock;
    use trace::Level;

    use super::*;

    fn line(text: &str) -> LogLine {
        LogLine {
            level: Level::Error,
            tag: "wifi_prov_mgr".to_owned(),
            text: text.to_owned(),
            device_ms: Some(2763),
            place: None,
        }
    }

    #[tokio::test]
    async fn the_first_cause_of_a_device_s_log_is_told_with_its_line_and_what_to_check() {
        let trace = Trace::in_memory(Clock::start(1.0));
        assert!(first_cause(&trace).is_none());
        trace.emit(Some("device"), &line("Disconnect reason : 201"));
        let told = first_cause(&trace).expect("a cause").text;
        assert!(
            told.starts_with("join: no access point of that name was heard (the log says so)\n"),
            "{told}"
        );
        assert!(told.contains("Disconnect reason : 201"), "{told}");
        assert!(told.contains("\ncheck: "), "{told}");
    }

    #[tokio::test]
    async fn what_the_scenario_has_broken_is_said_beside_it() {
        let trace = Trace::in_memory(Clock::start(1.0));
        let fault = |on| Fault {
            name: "access_point_off".to_owned(),
            on,
            detail: String::new(),
        };
        trace.emit(None, &fault(true));
        trace.emit(Some("device"), &line("Disconnect reason : 201"));
        let told = first_cause(&trace).expect("a cause").text;
        assert!(told.contains("has broken access_point_off"), "{told}");
        trace.emit(None, &fault(false));
        let told = first_cause(&trace).expect("a cause").text;
        assert!(!told.contains("access_point_off"), "{told}");
    }
}
