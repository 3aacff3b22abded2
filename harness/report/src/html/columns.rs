//! A trace by columns, which is a third of its size by rows and is read in one go.

use std::collections::BTreeMap;

use serde::Serialize;
use trace::{Event, LogLine, Source};

use super::lane;
use crate::event_text::{one_line, text_of};

/// Bytes of an event's text, or of its particulars, that a page holds.
const LONGEST: usize = 16 * 1024;
/// Bytes of all texts and particulars of a trace; once there are more, each is cut to [`SHORT`].
const MOST_TEXT: usize = 96 << 20;
const SHORT: usize = 160;

/// The events of an attempt, as the page's script reads them. Each list has one entry an event.
#[derive(Default, Serialize)]
pub(super) struct Columns {
    /// Names of the sources, and of the lanes.
    sources: Vec<&'static str>,
    lanes: Vec<&'static str>,
    kinds: Names,
    devices: Names,
    tags: Names,
    /// Unix time in µs on the host of the first event.
    wall_us: u64,
    /// `seq`, as the difference to the event before.
    seq: Vec<i64>,
    /// µs of lab time, as the difference to the event before.
    lab_us: Vec<i64>,
    /// The device's own time in ms, where it is told; else -1.
    device_ms: Vec<i64>,
    source: Vec<usize>,
    lane: Vec<usize>,
    kind: Vec<usize>,
    /// Index of the name, from 1; 0 for none.
    device: Vec<usize>,
    tag: Vec<usize>,
    /// 0 for error to 4 for trace; -1 for what is no log line.
    level: Vec<i8>,
    /// 2 wrong, 1 odd, 0 neither.
    gravity: Vec<u8>,
    text: Vec<String>,
    /// The particulars as JSON; empty for log lines, of which the text says all.
    json: Vec<String>,
    #[serde(skip)]
    last: (u64, u64),
    #[serde(skip)]
    bytes: usize,
}

impl Columns {
    pub(super) fn new() -> Self {
        Self {
            sources: Source::ALL.map(Source::name).to_vec(),
            lanes: lane::LANES.to_vec(),
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, event: &Event) {
        if self.seq.is_empty() {
            self.wall_us = event.wall_us;
        }
        self.seq
            .push(event.seq.wrapping_sub(self.last.0).cast_signed());
        self.lab_us
            .push(event.lab_us.wrapping_sub(self.last.1).cast_signed());
        self.last = (event.seq, event.lab_us);
        let source = Source::ALL
            .iter()
            .position(|source| *source == event.source);
        self.source.push(source.unwrap_or(0));
        self.lane.push(lane::of(event));
        self.gravity.push(lane::gravity(event));
        self.kind.push(self.kinds.of(&event.kind));
        let device = event.device.as_deref();
        self.device
            .push(device.map_or(0, |name| self.devices.of(name)));
        match event.payload::<LogLine>() {
            Some(line) => self.add_line(&line),
            None => {
                self.tag.push(0);
                self.level.push(-1);
                self.device_ms.push(-1);
                let text = text_of(event);
                self.add_text(text, event.data.to_string());
            }
        }
    }

    fn add_line(&mut self, line: &LogLine) {
        self.tag.push(self.tags.of(&line.tag));
        self.level.push(line.level as i8);
        let device_ms = line.device_ms.and_then(|ms| i64::try_from(ms).ok());
        self.device_ms.push(device_ms.unwrap_or(-1));
        let place = line.place.as_ref();
        let place = place.map_or_else(String::new, |place| {
            format!(
                "{{\"place\":{}}}",
                serde_json::json!(format!("{}:{} ({})", place.file, place.line, place.module))
            )
        });
        self.add_text(one_line(&line.text), place);
    }

    fn add_text(&mut self, text: String, json: String) {
        let most = match self.bytes > MOST_TEXT {
            true => SHORT,
            false => LONGEST,
        };
        for (to, value) in [(&mut self.text, text), (&mut self.json, json)] {
            let value = cut(value, most);
            self.bytes += value.len();
            to.push(value);
        }
    }
}

fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
    text
}

/// Names that come again and again.
#[derive(Default)]
struct Names {
    known: BTreeMap<String, usize>,
    in_order: Vec<String>,
}

impl Names {
    /// The number of `name`, from 1.
    fn of(&mut self, name: &str) -> usize {
        if let Some(number) = self.known.get(name) {
            return *number;
        }
        self.in_order.push(name.to_owned());
        self.known.insert(name.to_owned(), self.in_order.len());
        self.in_order.len()
    }
}

impl Serialize for Names {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.in_order.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_one_entry_of_every_column() {
        let mut columns = Columns::new();
        for (seq, lab_us) in [(5, 1_000), (6, 1_500), (9, 1_400)] {
            columns.add(&Event {
                seq,
                lab_us,
                wall_us: 77,
                source: Source::Log,
                device: Some("lamp".into()),
                kind: "line".into(),
                data: json!({"level": "warn", "tag": "app", "text": "a\u{1b}b", "device_ms": 3})
                    .into(),
            });
        }
        let json = serde_json::to_value(&columns).expect("JSON");
        assert_eq!(json["seq"], json!([5, 1, 3]));
        assert_eq!(json["lab_us"], json!([1_000, 500, -100]));
        assert_eq!(json["tags"], json!(["app"]));
        assert_eq!(json["tag"], json!([1, 1, 1]));
        assert_eq!(json["level"], json!([1, 1, 1]));
        assert_eq!(json["text"][0], "a\\u{1b}b");
        assert_eq!(json["wall_us"], 77);
    }

    #[test]
    fn a_long_text_is_cut_between_two_characters() {
        let text = cut("ä".repeat(LONGEST), LONGEST - 1);
        assert_eq!(text.len(), LONGEST - 2 + '…'.len_utf8());
    }
}
