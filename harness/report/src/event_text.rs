//! One event in one line.

use serde_json::Value;
use trace::{Event, Fault, Finished, LogLine, Started, StepEnded, StepStarted, WitnessReport};

use crate::result::verdict_word;

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
    } else if event.kind == "crash" {
        crash(&event.data)
    } else {
        fields(&event.kind, &event.data)
    };
    one_line(&text)
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
fn crash(data: &Value) -> String {
    let what = data["what"].as_str().unwrap_or("unknown");
    let frames = data["backtrace"].as_array().into_iter().flatten();
    let frames: Vec<String> = frames
        .map(|frame| {
            let function = frame["function"].as_str().unwrap_or("?");
            match (frame["file"].as_str(), frame["line"].as_u64()) {
                (Some(file), Some(line)) => format!("{function} ({file}:{line})"),
                _ => function.to_owned(),
            }
        })
        .collect();
    match frames.is_empty() {
        true => format!("crash: {what}"),
        false => format!("crash: {what}; in {}", frames.join(", called by ")),
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
    use serde_json::json;

    use super::*;

    #[test]
    fn a_crash_says_who_called_whom() {
        let data = json!({
            "what": "hard fault",
            "registers": { "cfsr": "00000100" },
            "backtrace": [
                { "function": "store", "file": "src/store.rs", "line": 7 },
                { "function": "0x00001234" },
            ],
        });
        let text = "crash: hard fault; in store (src/store.rs:7), called by 0x00001234";
        assert_eq!(crash(&data), text);
        assert_eq!(crash(&json!({ "what": "panic" })), "crash: panic");
    }
}
