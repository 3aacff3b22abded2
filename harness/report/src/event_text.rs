//! One event in one line.

use std::time::Duration;

use serde_json::Value;
use trace::board::{Crash, FirmwareBooted, Frame, Spinning, UnreadLines};
use trace::{
    Event, Fault, Finished, LogLine, Setup, Started, StepEnded, StepStarted, WitnessReport,
};

use crate::result::verdict_word;
use crate::setup::{booted_text, setup_text};

/// Longer values are cut, so that one certificate does not fill the screen.
const LONGEST_VALUE: usize = 120;

/// Lab time of `lab_us` µs, such as `12.345678`, in s.
pub fn lab_time(lab_us: u64) -> String {
    format!("{}.{:06}", lab_us / 1_000_000, lab_us % 1_000_000)
}

/// What an event says, in one line, without control characters. Kinds that this crate does not
/// know are written as their name and fields.
pub fn text_of(event: &Event) -> String {
    let text = if let Some(line) = event.payload::<LogLine>() {
        log_line(&line)
    } else if let Some(step) = event.payload::<StepStarted>() {
        let place = &step.place;
        format!(
            "step {}: {} ({}:{}:{})",
            step.step, step.label, place.file, place.line, place.column
        )
    } else if let Some(step) = event.payload::<StepEnded>() {
        format!(
            "step {} {}",
            step.step,
            if step.ok { "done" } else { "missed" }
        )
    } else if let Some(fault) = event.payload::<Fault>() {
        format!(
            "fault {} {}: {}",
            fault.name,
            if fault.on { "on" } else { "off" },
            fault.detail
        )
    } else if let Some(report) = event.payload::<WitnessReport>() {
        let state = if report.sound { "sound" } else { "UNSOUND" };
        format!("{} {state}: {}", name_of(&report.witness), report.detail)
    } else if let Some(finished) = event.payload::<Finished>() {
        match finished.failure {
            Some(failure) => format!("{}: {}", verdict_word(finished.verdict), failure.message),
            None => verdict_word(finished.verdict).to_owned(),
        }
    } else if let Some(started) = event.payload::<Started>() {
        format!(
            "started (format {}, epoch {} s)",
            started.format, started.epoch_s
        )
    } else if let Some(setup) = event.payload::<Setup>() {
        setup_text(&setup)
    } else if let Some(booted) = event.payload::<FirmwareBooted>() {
        booted_text(&booted)
    } else if let Some(told) = event.payload::<Crash>() {
        crash(&told)
    } else if let Some(UnreadLines { unknown, of }) = event.payload() {
        format!(
            "{unknown} of {of} log lines were in no known form or in one without levels: what is said of levels does not hold for them"
        )
    } else if let Some(told) = event.payload::<Spinning>() {
        spinning(&told)
    } else {
        fields(&event.kind, &event.data)
    };
    one_line(&text)
}

fn spinning(told: &Spinning) -> String {
    let seconds = Duration::from_millis(told.for_ms);
    match (told.spins, told.since_start) {
        (true, true) => {
            format!("computes, and has never become idle: {seconds:.1?} since its start")
        }
        (true, false) => format!("computes, and has not become idle for {seconds:.1?}"),
        (false, _) => format!("is idle again, after it computed for {seconds:.1?}"),
    }
}

/// A log line as ESP-IDF would print it.
fn log_line(line: &LogLine) -> String {
    let letter = line.level.letter();
    match line.device_ms {
        Some(ms) => format!("{letter} ({ms}) {}: {}", line.tag, line.text),
        None => format!("{letter} {}: {}", line.tag, line.text),
    }
}

/// What a board behind a debug probe tells when its firmware ended: why, and who called whom.
fn crash(crash: &Crash) -> String {
    let frames: Vec<String> = crash.backtrace.iter().map(frame).collect();
    match frames.is_empty() {
        true => format!("crash: {}", crash.what),
        false => format!("crash: {}; in {}", crash.what, frames.join(", called by ")),
    }
}

fn frame(frame: &Frame) -> String {
    match (&frame.file, frame.line) {
        (Some(file), Some(line)) => format!("{} ({file}:{line})", frame.function),
        _ => frame.function.clone(),
    }
}

fn fields(kind: &str, data: &Value) -> String {
    let Value::Object(map) = data else {
        return match data {
            Value::Null => kind.to_owned(),
            other => format!("{kind} {}", value(other)),
        };
    };
    let mut text = kind.to_owned();
    for (key, field) in map {
        text.push_str(&format!(" {key}={}", value(field)));
    }
    text
}

fn value(value: &Value) -> String {
    let text = match value {
        Value::String(text) if !text.is_empty() && !text.contains([' ', '"', '=']) => text.clone(),
        other => other.to_string(),
    };
    if text.chars().count() <= LONGEST_VALUE {
        return text;
    }
    text.chars().take(LONGEST_VALUE).chain(['…']).collect()
}

/// The name under which serde writes a value of an enum.
pub(crate) fn name_of(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(name)) => name,
        // Only enums without fields come here.
        _ => String::new(),
    }
}

/// An error and what is behind it, in one line.
pub(crate) fn with_source(error: &dyn std::error::Error) -> String {
    one_line(&trace::in_full(error))
}

/// What a device sends must not move the reader's cursor.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.trim_end_matches(['\r', '\n']).chars() {
        match c {
            c if c.is_control() => line.extend(c.escape_default()),
            c => line.push(c),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_crash_says_who_called_whom() {
        let told = Crash {
            what: "hard fault".into(),
            registers: BTreeMap::from([("cfsr".into(), "00000100".into())]),
            backtrace: vec![
                Frame {
                    function: "store".into(),
                    file: Some("src/store.rs".into()),
                    line: Some(7),
                },
                Frame {
                    function: "0x00001234".into(),
                    file: None,
                    line: None,
                },
            ],
        };
        let text = "crash: hard fault; in store (src/store.rs:7), called by 0x00001234";
        assert_eq!(crash(&told), text);
        let told = Crash {
            what: "panic".into(),
            ..Crash::default()
        };
        assert_eq!(crash(&told), "crash: panic");
    }
}
