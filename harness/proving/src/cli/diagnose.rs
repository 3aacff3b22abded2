//! `proving diagnose`.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use diagnose::{Diagnosis, Incident, Log, to_text};
use report::ExitStatus;
use serde_json::Value;

use super::arguments::{Diagnose, MessageFormat};
use super::{CommandError, print};

/// Bytes of a line that are kept; the rest of a longer one is passed over.
const LONGEST_LINE: usize = 64 * 1024;
/// What the name `-` stands for.
const STANDARD_INPUT: &str = "standard input";

pub(super) fn diagnose(arguments: &Diagnose) -> Result<ExitStatus, CommandError> {
    let mut logs = Vec::new();
    for path in &arguments.logs {
        let read = match path.to_str() {
            Some("-") => read(STANDARD_INPUT, io::stdin().lock()),
            _ => File::open(path)
                .and_then(|file| read(&path.display().to_string(), BufReader::new(file))),
        };
        logs.push(read.map_err(|source| unreadable(path, source))?);
    }
    let incident = Incident::of(logs);
    match arguments.message_format {
        MessageFormat::Human => print(&to_text(&incident)),
        MessageFormat::Json => print(&format!("{}\n", serde_json::json!(incident))),
    }
}

fn unreadable(path: &Path, source: io::Error) -> CommandError {
    CommandError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

/// Reads a log, or the log in a trace, to its end.
fn read(name: &str, mut from: impl BufRead) -> io::Result<Diagnosis> {
    let mut log = Log::new(name);
    let mut line = Vec::new();
    while next_line(&mut from, &mut line)? {
        match of_trace(&line) {
            Some(Some(record)) => log.line(record.as_bytes()),
            Some(None) => {}
            None => log.line(&line),
        }
    }
    Ok(log.end())
}

/// The next line without its end, as much of it as is kept. False at the end.
fn next_line(from: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut is_there = false;
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
            break;
        }
    }
    while line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(is_there)
}

/// If it is an event of a trace: the line of the device's log in it, if there is one.
fn of_trace(line: &[u8]) -> Option<Option<String>> {
    if !line.starts_with(b"{\"seq\":") {
        return None;
    }
    let event: Value = serde_json::from_slice(line).ok()?;
    let data = &event["data"];
    if event["source"] == "board" && event["kind"] == "power" && data["power"] == "on" {
        // What a chip's ROM says of a start.
        return Some(Some("rst:0x1 (POWERON_RESET)".to_owned()));
    }
    if event["source"] != "log" {
        return Some(None);
    }
    let text = data["text"].as_str()?;
    let level = data["level"]
        .as_str()
        .and_then(|level| level.chars().next());
    let level = level.map_or('I', |letter| letter.to_ascii_uppercase());
    Some(Some(match data["tag"].as_str() {
        Some(tag) => format!("{level} ({}) {tag}: {text}", data["device_ms"]),
        None => text.to_owned(),
    }))
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
        while next_line(&mut from, &mut line).unwrap_or(false) {
            lengths.push(line.len());
        }
        assert_eq!(lengths, [1, 1, LONGEST_LINE, 4]);
    }

    #[test]
    fn the_log_is_taken_out_of_a_trace() {
        let event = |source: &str, data: &str| {
            format!(r#"{{"seq":1,"lab_us":5,"source":"{source}","kind":"line","data":{data}}}"#)
        };
        let line = event(
            "log",
            r#"{"level":"error","tag":"app","text":"no","device_ms":7}"#,
        );
        assert_eq!(
            of_trace(line.as_bytes()),
            Some(Some("E (7) app: no".to_owned()))
        );
        let other = event("air", r#"{"text":"x"}"#);
        assert_eq!(of_trace(other.as_bytes()), Some(None));
        assert_eq!(of_trace(b"{\"seq\":"), None);
        assert_eq!(of_trace(b"I (5) app: {\"seq\":1}"), None);
    }
}
