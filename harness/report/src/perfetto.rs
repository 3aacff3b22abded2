//! A trace for ui.perfetto.dev, in the Trace Event Format.
//!
//! Lanes are threads, steps and whatever overlaps are asynchronous slices, everything else is an
//! instant. Times are lab time in µs; `seq` in the arguments leads back to the trace.

use std::io;
use std::path::Path;

use serde_json::{Value, json};
use trace::{Event, StepEnded, StepStarted, WitnessReport};

use crate::event_text::text_of;
use crate::html::{LANES, each_event, lane_of};

/// Bytes of an event's text; the UI shows no more in one line anyway.
const LONGEST_NAME: usize = 200;
/// The one process of an attempt.
const PROCESS: u32 = 1;

/// The trace at `path` of the case of that name; none if there is no such file. A trace that is cut
/// short is written up to the cut.
pub fn perfetto_of(path: &Path, case: &str) -> io::Result<Option<Vec<u8>>> {
    let mut events = Written::default();
    events.push(json!({
        "ph": "M", "pid": PROCESS, "name": "process_name", "args": { "name": case }
    }));
    for (lane, name) in LANES.iter().enumerate() {
        events.push(json!({
            "ph": "M", "pid": PROCESS, "tid": lane, "name": "thread_name", "args": { "name": name }
        }));
        events.push(json!({
            "ph": "M", "pid": PROCESS, "tid": lane, "name": "thread_sort_index",
            "args": { "sort_index": lane }
        }));
    }
    let mut open = None;
    let read = each_event(path, |event| add(&mut events, &mut open, &event));
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    Ok(Some(events.end()))
}

/// The file as it grows: a long trace would not fit into memory as values.
#[derive(Default)]
struct Written(Vec<u8>);

impl Written {
    fn push(&mut self, event: Value) {
        let before: &[u8] = match self.0.is_empty() {
            true => b"{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n",
            false => b",\n",
        };
        self.0.extend_from_slice(before);
        self.0.extend_from_slice(event.to_string().as_bytes());
    }

    fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(b"\n]}\n");
        self.0
    }
}

/// A step that has begun.
struct OpenStep {
    number: usize,
    label: String,
}

fn add(events: &mut Written, open: &mut Option<OpenStep>, event: &Event) {
    let at = event.lab_us;
    if let Some(step) = event.payload::<StepStarted>() {
        let place = format!("{}:{}", step.place.file, step.place.line);
        let name = format!("{} {}", step.step, step.label);
        events.push(step_event(
            "b",
            step.step,
            &name,
            at,
            json!({ "place": place, "seq": event.seq }),
        ));
        *open = Some(OpenStep {
            number: step.step,
            label: name,
        });
        return;
    }
    if let Some(ended) = event.payload::<StepEnded>()
        && let Some(step) = open.take_if(|step| step.number == ended.step)
    {
        let told = json!({ "met": ended.ok, "seq": event.seq });
        events.push(step_event("e", step.number, &step.label, at, told));
        if ended.ok {
            return;
        }
    }
    if let Some(report) = event.payload::<WitnessReport>() {
        let name = format!("witness {}", crate::event_text::name_of(&report.witness));
        events.push(json!({
            "ph": "C", "pid": PROCESS, "name": name, "ts": at,
            "args": { "sound": u8::from(report.sound) }
        }));
    }
    let lane = lane_of(event);
    let took = event.data.get("took_us").and_then(Value::as_u64);
    let args = json!({ "seq": event.seq, "kind": event.kind, "device": event.device, "data": *event.data });
    let mut text = text_of(event);
    text.truncate(text.floor_char_boundary(LONGEST_NAME));
    if let Some(took) = took {
        // Exchanges of two phones may overlap, which slices of one thread may not.
        let begin = at.saturating_sub(took);
        for (phase, at) in [("b", begin), ("e", at)] {
            events.push(json!({
                "ph": phase, "pid": PROCESS, "tid": lane, "cat": "exchange", "id": event.seq,
                "name": text, "ts": at, "args": if phase == "b" { args.clone() } else { json!({}) }
            }));
        }
        return;
    }
    events.push(json!({
        "ph": "i", "s": "t", "pid": PROCESS, "tid": lane, "cat": event.source.name(),
        "name": text, "ts": at, "args": args
    }));
}

fn step_event(phase: &str, step: usize, name: &str, at: u64, args: Value) -> Value {
    json!({
        "ph": phase, "pid": PROCESS, "tid": 0, "cat": "step", "id": step, "name": name, "ts": at,
        "args": args
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_begin_and_end_and_the_rest_leads_back_to_the_trace() {
        let folder = tempfile::tempdir().expect("there is room");
        let path = folder.path().join("trace.jsonl");
        let lines = [
            r#"{"seq":0,"lab_us":5,"wall_us":1,"source":"engine","kind":"step_started","data":{"step":1,"label":"power on","place":{"file":"a.yaml","line":3,"column":5}}}"#,
            r#"{"seq":1,"lab_us":6,"wall_us":1,"source":"log","device":"lamp","kind":"line","data":{"level":"info","tag":"app","text":"up"}}"#,
            r#"{"seq":2,"lab_us":9,"wall_us":1,"source":"engine","kind":"step_ended","data":{"step":1,"ok":true}}"#,
            r#"{"seq":3,"lab_us":9,"wall_us":1,"sou"#,
        ];
        std::fs::write(&path, lines.join("\n")).expect("there is room");
        let file = perfetto_of(&path, "happy").expect("it can be read");
        let file: Value = serde_json::from_slice(&file.expect("it is there")).expect("JSON");
        let events = file["traceEvents"].as_array().expect("a list");
        let told: Vec<_> = events
            .iter()
            .filter(|event| event["ph"] != "M")
            .map(|event| {
                (
                    event["ph"].as_str(),
                    event["ts"].as_u64(),
                    event["name"].as_str(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                (Some("b"), Some(5), Some("1 power on")),
                (Some("i"), Some(6), Some("I app: up")),
                (Some("e"), Some(9), Some("1 power on")),
            ]
        );
        let line = events.iter().find(|event| event["ph"] == "i");
        assert_eq!(line.map(|line| &line["args"]["seq"]), Some(&json!(1)));
        let none = perfetto_of(&folder.path().join("none"), "x").expect("that is no error");
        assert!(none.is_none());
    }
}
