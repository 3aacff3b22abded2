//! Logs of the field, as commands read them: text, traces of runs, bundles, standard input.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use diagnose::{Diagnosis, Log};
use reproduce::Signature;
use serde_json::Value;

use super::{CommandError, bundle};

/// Bytes of a line that are kept; the rest of a longer one is passed over.
const LONGEST_LINE: usize = 64 * 1024;
/// What the name `-` stands for.
const STANDARD_INPUT: &str = "standard input";
/// Devices of one trace that are told apart; what further ones log is read with the last one's.
const MOST_DEVICES: usize = 64;

/// A log that was read to its end.
pub(super) struct FieldLog {
    /// What it tells.
    pub(super) diagnosis: Diagnosis,
    /// What is left of it without values; empty unless it was asked for.
    pub(super) signature: Signature,
}

/// A log that is being read.
struct Reading {
    log: Log,
    signature: Option<Signature>,
}

impl Reading {
    fn new(name: impl Into<String>, signed: bool) -> Self {
        Self {
            log: Log::new(name),
            signature: signed.then(Signature::default),
        }
    }

    fn line(&mut self, line: &[u8]) {
        self.log.line(line);
        if let Some(signature) = &mut self.signature {
            signature.line(line);
        }
    }

    fn record(&mut self, level: char, tag: &str, text: &str, device_ms: Option<u64>) {
        self.log.record(level, tag, text, device_ms);
        if let Some(signature) = &mut self.signature {
            signature.line(format!("{level} (0) {tag}: {text}").as_bytes());
        }
    }

    fn end(self) -> FieldLog {
        FieldLog {
            diagnosis: self.log.end(),
            signature: self.signature.unwrap_or_default(),
        }
    }
}

/// Reads logs, traces and bundles; `signed` for their signatures, too.
pub(super) fn read_all(paths: &[PathBuf], signed: bool) -> Result<Vec<FieldLog>, CommandError> {
    let mut logs = Vec::new();
    for path in paths {
        if path.to_str() == Some("-") {
            let read = read(STANDARD_INPUT, io::stdin().lock(), signed);
            logs.extend(read.map_err(CommandError::unreadable(path))?);
        } else if bundle::is_bundle(path) {
            bundle::each_log(path, |name, from| {
                logs.extend(read(name, from, signed)?);
                Ok(())
            })?;
        } else {
            logs.extend(read_file(path, signed).map_err(CommandError::unreadable(path))?);
        }
    }
    Ok(logs)
}

/// Reads a log or a trace from its file.
pub(super) fn read_file(path: &Path, signed: bool) -> io::Result<Vec<FieldLog>> {
    let file = File::open(path)?;
    read(&path.display().to_string(), BufReader::new(file), signed)
}

/// Reads a log to its end; of a trace, the log of each device in it.
fn read(name: &str, mut from: impl BufRead, signed: bool) -> io::Result<Vec<FieldLog>> {
    let mut log = Reading::new(name, signed);
    let mut devices: BTreeMap<String, Reading> = BTreeMap::new();
    let mut is_log = true;
    let mut line = Vec::new();
    while let Some(has_end) = next_line(&mut from, &mut line)? {
        match event(&line) {
            Some(event) => {
                is_log = false;
                take(&mut devices, name, &event, signed);
            }
            None => {
                log.line(&line);
                if !has_end {
                    log.log.cut();
                }
            }
        }
    }
    let mut told: Vec<FieldLog> = devices.into_values().map(Reading::end).collect();
    if is_log || told.is_empty() {
        told.push(log.end());
    }
    Ok(told)
}

/// The next line without its end, as much of it as is kept, and whether it had an end. None at the end.
fn next_line(from: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    line.clear();
    let (mut is_there, mut has_end) = (false, false);
    loop {
        let bytes = match from.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if bytes.is_empty() {
            break;
        }
        is_there = true;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let part = &bytes[..end.unwrap_or(bytes.len())];
        line.extend(&part[..part.len().min(LONGEST_LINE - line.len())]);
        let taken = end.map_or(bytes.len(), |end| end + 1);
        from.consume(taken);
        if end.is_some() {
            has_end = true;
            break;
        }
    }
    while line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(is_there.then_some(has_end))
}

/// The event that this line of a trace is, if it is one.
fn event(line: &[u8]) -> Option<Value> {
    // A log's line that is JSON is not taken for one.
    line.starts_with(b"{\"seq\":").then_some(())?;
    serde_json::from_slice(line).ok()
}

/// Hands what a device's own log says, and when it was switched on, to its log.
fn take(devices: &mut BTreeMap<String, Reading>, trace: &str, event: &Value, signed: bool) {
    let data = &event["data"];
    let is_start = event["source"] == "board" && event["kind"] == "power" && data["power"] == "on";
    let text = data["text"].as_str().filter(|_| event["source"] == "log");
    if !is_start && text.is_none() {
        return;
    }
    let device = event["device"].as_str().unwrap_or("device");
    let is_known = devices.contains_key(device) || devices.len() < MOST_DEVICES;
    let log = match is_known {
        true => devices
            .entry(device.to_owned())
            .or_insert_with(|| Reading::new(format!("{trace} ({device})"), signed)),
        false => match devices.values_mut().next_back() {
            Some(log) => log,
            None => return,
        },
    };
    if is_start {
        log.log.power_on();
    }
    let Some(text) = text else {
        return;
    };
    let level = data["level"]
        .as_str()
        .and_then(|level| level.chars().next());
    let level = level.map_or('I', |letter| letter.to_ascii_uppercase());
    let tag = data["tag"].as_str().unwrap_or_default();
    log.record(level, tag, text, data["device_ms"].as_u64());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_alike_and_long_ones_are_cut() {
        let mut text = b"a\r\nb\n".to_vec();
        text.extend(std::iter::repeat_n(b'x', 3 * LONGEST_LINE));
        text.extend(b"\nlast");
        let mut from = BufReader::new(&text[..]);
        let mut line = Vec::new();
        let mut lengths = Vec::new();
        while let Ok(Some(_)) = next_line(&mut from, &mut line) {
            lengths.push(line.len());
        }
        assert_eq!(lengths, [1, 1, LONGEST_LINE, 4]);
    }

    #[test]
    fn the_log_is_taken_out_of_a_trace() {
        let event = |source: &str, kind: &str, data: &str| {
            format!(r#"{{"seq":1,"lab_us":5,"source":"{source}","kind":"{kind}","data":{data}}}"#)
        };
        let text = [
            event("board", "power", r#"{"power":"on","how":"switched on"}"#),
            event("air", "left", r#"{"text":"Disconnect reason : 15"}"#),
            event(
                "log",
                "line",
                r#"{"level":"error","tag":"app","text":"Disconnect reason : 201","device_ms":7}"#,
            ),
            // Cut short.
            "{\"seq\":".to_owned(),
        ]
        .join("\n");
        let told = read("trace.jsonl", BufReader::new(text.as_bytes()), true).expect("it is read");
        assert_eq!(told[0].diagnosis.causes[0].id, "ap-not-found");
        assert_eq!(
            told[0].diagnosis.causes[0].evidence[0].text,
            "E (7) app: Disconnect reason : 201"
        );
        assert!(super::event(b"I (5) app: {\"seq\":1}").is_none());
    }
}
