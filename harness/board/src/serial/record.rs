//! Records out of lines.

use dialect::{Dialect, Event, Head, Part};
use trace::{Level, LogLine};

use super::line::{LONGEST, Lines, Piece};
use super::text::{Text, text};
use crate::rig::SerialLog;

/// What lines in no format are tagged with.
const TAG: &str = "uart";
/// What lines of a panic are tagged with.
const PANIC_TAG: &str = "panic";
/// So many bytes of garbage are kept.
const GARBAGE: usize = 48;
/// A record of more lines than these is given in parts.
const MOST_LINES: usize = 64;

/// One record of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// As the trace takes it.
    pub line: LogLine,
    /// The first bytes of a line that holds some that are no text; empty otherwise.
    pub garbage: Vec<u8>,
    /// The reset or crash that it tells of.
    pub event: Option<Event>,
    /// It is in no known form, so that nothing tells its level.
    pub unread: bool,
}

/// Takes a UART's bytes and gives its records.
///
/// ```
/// use board::{rig::SerialLog, serial::Records};
/// let mut records = Records::new(SerialLog::Auto);
/// let mut found = Vec::new();
/// records.push(b"I (27) app: Received\r\n\tSSID : lab\r\n", |record| found.push(record.line));
/// records.pause(|record| found.push(record.line));
/// assert_eq!(found[0].tag, "app");
/// assert_eq!(found[0].text, "Received\n\tSSID : lab");
/// ```
pub struct Records {
    log: SerialLog,
    lines: Lines,
    open: Option<Open>,
    /// Level and tag of the record before, which a line's second piece shares.
    last: (Level, String),
}

/// A record that may go on.
struct Open {
    record: Record,
    /// Until its colour is switched off; otherwise with every line that is indented.
    coloured: bool,
    lines: usize,
}

impl Records {
    /// Nothing was received yet; the log is in this format.
    pub fn new(log: SerialLog) -> Self {
        Self {
            log,
            lines: Lines::default(),
            open: None,
            last: (Level::Info, TAG.to_owned()),
        }
    }

    /// Takes bytes, and gives the records that are complete with them.
    pub fn push(&mut self, bytes: &[u8], mut give: impl FnMut(Record)) {
        let mut lines = std::mem::take(&mut self.lines);
        lines.push(bytes, |piece| self.piece(&piece, &mut give));
        self.lines = lines;
    }

    /// Whether a record is complete unless its next line comes at once.
    pub fn has_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether a line has begun that has not ended.
    pub fn has_partial(&self) -> bool {
        self.lines.is_partial()
    }

    /// Nothing came for a moment: a record that could have gone on does not.
    pub fn pause(&mut self, mut give: impl FnMut(Record)) {
        if !self.lines.is_partial() {
            self.close(&mut give);
        }
    }

    /// Nothing came for longer, or nothing will: what there is of a line is a line.
    pub fn flush(&mut self, mut give: impl FnMut(Record)) {
        if let Some(piece) = self.lines.flush() {
            self.piece(&piece, &mut give);
        }
        self.close(&mut give);
    }

    fn piece(&mut self, piece: &Piece, give: &mut impl FnMut(Record)) {
        let found = text(&piece.bytes);
        let garbage = match found.garbage {
            0 => Vec::new(),
            _ => piece.bytes[..piece.bytes.len().min(GARBAGE)].to_vec(),
        };
        let mut parts = &self.parts(&found.text, piece.in_flow)[..];
        if piece.continues
            && let [Part::Plain(front), after @ ..] = parts
        {
            self.close(give);
            let (level, tag) = self.last.clone();
            give(record(level, &tag, None, front, garbage.clone()));
            parts = after;
            if parts.is_empty() {
                return;
            }
        }
        if !matches!(parts, [Part::Plain(_)]) {
            let last = parts.len() - 1;
            for (at, part) in parts.iter().enumerate() {
                self.part(part, (at == last).then_some(&found), &garbage, give);
            }
            return;
        }
        if self.joins(&found) {
            let ended = found.reset;
            if let Some(open) = &mut self.open {
                open.lines += 1;
                if open.record.garbage.is_empty() {
                    open.record.garbage = garbage;
                }
                if !found.text.is_empty() {
                    open.record.line.text.push('\n');
                    open.record.line.text.push_str(&found.text);
                }
            }
            if ended {
                self.close(give);
            }
            return;
        }
        self.close(give);
        if found.text.trim().is_empty() {
            return;
        }
        self.part(&Part::Plain(&found.text), None, &garbage, give);
    }

    /// The parts of a line in the log's format, or of a piece out of its middle.
    fn parts<'l>(&self, line: &'l str, inside: bool) -> Vec<Part<'l>> {
        let only = match self.log {
            SerialLog::Auto => None,
            SerialLog::Plain => return vec![Part::Plain(line)],
            SerialLog::EspIdf => Some(Dialect::EspIdf),
            SerialLog::Linkkit => Some(Dialect::Linkkit),
        };
        match inside {
            true => dialect::parts_inside(line, only),
            false => dialect::parts(line, only),
        }
    }

    /// Takes one part of a line; of the last one, how the line's colours ended.
    fn part(
        &mut self,
        part: &Part<'_>,
        last: Option<&Text>,
        garbage: &[u8],
        give: &mut impl FnMut(Record),
    ) {
        self.close(give);
        let garbage = garbage.to_vec();
        let (found, may_go_on) = match part {
            Part::Record(head) => {
                let tag = head.tag.unwrap_or(default_tag(head.dialect));
                let mut found = record(head.level, tag, head.device_ms, head.text, garbage);
                found.event = event_of(head);
                (found, head.dialect == Dialect::EspIdf)
            }
            Part::Plain(text) if text.trim().is_empty() => return,
            Part::Plain(text) => {
                let event = self.plain_event(text);
                let is_panic = matches!(event, Some(Event::Crash(_)))
                    || event.is_none() && self.is_of_panic(text);
                let (level, tag) = match is_panic {
                    true => (Level::Error, PANIC_TAG),
                    false => (Level::Info, TAG),
                };
                let mut found = record(level, tag, None, text, garbage);
                found.unread = !is_panic && event.is_none();
                found.event = event;
                (found, false)
            }
        };
        self.last = (found.line.level, found.line.tag.clone());
        match last {
            Some(text) if may_go_on && !text.reset => {
                self.open = Some(Open {
                    record: found,
                    coloured: text.coloured,
                    lines: 1,
                });
            }
            _ => give(found),
        }
    }

    fn plain_event(&self, text: &str) -> Option<Event> {
        match self.log {
            SerialLog::Plain => None,
            _ => dialect::event(text),
        }
    }

    /// Whether a line belongs to what firmware prints when it ends.
    fn is_of_panic(&self, text: &str) -> bool {
        self.plain_event(text).is_some()
            || self.log != SerialLog::Plain && text.starts_with("Backtrace:")
    }

    /// Whether a line that begins no record goes on with the one that is open.
    fn joins(&self, found: &Text) -> bool {
        self.open.as_ref().is_some_and(|open| {
            let indented = found.text.starts_with(['\t', ' ']);
            let goes_on = if open.coloured {
                !self.is_of_panic(&found.text)
            } else {
                indented
            };
            let length = open.record.line.text.len() + found.text.len();
            goes_on && open.lines < MOST_LINES && length <= LONGEST
        })
    }

    fn close(&mut self, give: &mut impl FnMut(Record)) {
        if let Some(open) = self.open.take() {
            give(open.record);
        }
    }
}

/// The tag of a record whose head has none.
fn default_tag(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Linkkit => "linkkit",
        _ => TAG,
    }
}

/// What a record with a head tells. An application may write about crashes; these are the system's.
fn event_of(head: &Head<'_>) -> Option<Event> {
    let is_system = head.dialect == Dialect::Zephyr || head.tag == Some("BOD");
    is_system.then(|| dialect::event(head.text)).flatten()
}

fn record(level: Level, tag: &str, device_ms: Option<u64>, text: &str, garbage: Vec<u8>) -> Record {
    Record {
        line: LogLine {
            level,
            tag: tag.to_owned(),
            text: text.to_owned(),
            device_ms,
            place: None,
        },
        garbage,
        event: None,
        unread: false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn records(log: SerialLog, bytes: &[u8]) -> Vec<Record> {
        let mut records = Records::new(log);
        let mut found = Vec::new();
        records.push(bytes, |record| found.push(record));
        records.flush(|record| found.push(record));
        found
    }

    fn shown(log: SerialLog, bytes: &[u8]) -> Vec<String> {
        records(log, bytes)
            .into_iter()
            .map(|Record { line, .. }| format!("{:?} {}: {}", line.level, line.tag, line.text))
            .collect()
    }

    #[test]
    fn a_coloured_record_goes_on_until_its_colour_ends() {
        assert_eq!(
            shown(
                SerialLog::EspIdf,
                b"\x1b[0;32mI (1) app: Open this:\nhttps://x\n\n\tlast\x1b[0m\nother\n"
            ),
            [
                "Info app: Open this:\nhttps://x\n\tlast",
                "Info uart: other"
            ]
        );
    }

    #[test]
    fn a_record_without_colour_goes_on_with_indented_lines() {
        assert_eq!(
            shown(
                SerialLog::EspIdf,
                b"I (1) app: Got\n\tSSID : a\nE (2) app: b\nraw\n"
            ),
            [
                "Info app: Got\n\tSSID : a",
                "Error app: b",
                "Info uart: raw"
            ]
        );
    }

    #[test]
    fn a_record_whose_colour_never_ends_is_given_in_parts() {
        let mut bytes = b"\x1b[0;32mI (1) app: first\n".to_vec();
        bytes.extend(b"more\n".repeat(3 * MOST_LINES));
        let found = shown(SerialLog::EspIdf, &bytes);
        assert!(found.len() > MOST_LINES, "{}", found.len());
        assert_eq!(found[0].lines().count(), MOST_LINES);
    }

    #[test]
    fn a_panic_is_an_error_and_ends_the_record_before_it() {
        let found = records(
            SerialLog::Auto,
            b"\x1b[0;32mI (1) app: on\nGuru Meditation Error: Core  0 panic'ed\r\nBacktrace: 0x4\n",
        );
        assert_eq!(found[1].line.level, Level::Error);
        assert_eq!(found[1].line.tag, "panic");
        assert!(
            matches!(found[1].event, Some(Event::Crash(_)))
                && found[0].event.is_none()
                && found[2].event.is_none()
        );
    }

    #[test]
    fn auto_knows_each_line_by_itself_and_plain_knows_none() {
        let bytes = b"I (1) app: a\n[inf] f(2): b\n[000003]<W> c\nd\n";
        assert_eq!(
            shown(SerialLog::Auto, bytes),
            [
                "Info app: a",
                "Info f: b",
                "Warn linkkit: c",
                "Info uart: d"
            ]
        );
        assert_eq!(shown(SerialLog::Plain, bytes)[0], "Info uart: I (1) app: a");
        assert_eq!(
            shown(SerialLog::Linkkit, bytes)[..2],
            ["Info uart: I (1) app: a", "Info f: b"]
        );
    }

    #[test]
    fn the_second_piece_of_a_line_has_the_level_and_tag_of_the_first() {
        let mut records = Records::new(SerialLog::Auto);
        let mut found = Vec::new();
        records.push(b"E (1) app: fir", |record| found.push(record.line));
        records.flush(|record| found.push(record.line));
        records.push(b"st\n", |record| found.push(record.line));
        let shown: Vec<_> = found
            .iter()
            .map(|line| (line.level, &*line.tag, &*line.text))
            .collect();
        assert_eq!(
            shown,
            [(Level::Error, "app", "fir"), (Level::Error, "app", "st")]
        );
    }

    #[test]
    fn a_record_behind_a_prompt_that_was_given_has_its_own_level() {
        let mut records = Records::new(SerialLog::Auto);
        let mut found = Vec::new();
        records.push(b"esp32> ", |record| found.push(record.line));
        records.flush(|record| found.push(record.line));
        records.push(b"E wifi: late\nesp32> ", |record| found.push(record.line));
        records.flush(|record| found.push(record.line));
        records.push(b"noiseE (1) app: later\n", |record| found.push(record.line));
        records.flush(|record| found.push(record.line));
        let shown: Vec<_> = found.iter().map(|line| (line.level, &*line.text)).collect();
        assert_eq!(
            shown,
            [
                (Level::Info, "esp32> "),
                (Level::Error, "late"),
                (Level::Info, "esp32> "),
                (Level::Info, "noise"),
                (Level::Error, "later")
            ]
        );
    }

    #[test]
    fn a_text_far_behind_in_a_line_stands_in_one_record() {
        for at in [4090, 8190, 60_000] {
            let line = format!("I (1) app: {}needle\n", "x".repeat(at));
            let found = records(SerialLog::Auto, line.as_bytes());
            assert!(found[0].line.text.ends_with("needle"), "{at}");
        }
    }

    /// One line of each format, whole or between others, and its level.
    const LINES: [(&[u8], Level, &str); 9] = [
        (b"E (45012) esp-tls: failed", Level::Error, "failed"),
        (b"V (14:31:18.532) app: t", Level::Trace, "t"),
        (b"W (2023-08-15 14:31:18.532) app: d", Level::Warn, "d"),
        (b"[  1234][E][W.cpp:155] begin(): no!", Level::Error, "no!"),
        (b"[dbg] f(83): Enter", Level::Debug, "Enter"),
        (b"[018930]<E> res:13", Level::Error, "res:13"),
        (b"[00:00:01.234,567] <err> net: bad", Level::Error, "bad"),
        (b"WARN (5123) - low", Level::Warn, "low"),
        (
            b"[2026-01-02T03:04:05Z ERROR krate::m] te",
            Level::Error,
            "te",
        ),
    ];

    /// Lines whose head is one at the beginning of a line alone: in the middle of another, it could
    /// be a word of that one.
    const WEAK: [(&[u8], Level, &str); 6] = [
        (b"E wifi: no clock", Level::Error, "no clock"),
        (b"[E][ssl.cpp:36] f(): (-1)", Level::Error, "(-1)"),
        (b"[err] no function", Level::Error, "no function"),
        (b"<wrn> bt: no time", Level::Warn, "no time"),
        (b"TRACE - a - b", Level::Trace, "a - b"),
        (b"[ERROR krate] e", Level::Error, "e"),
    ];

    fn is_kept(bytes: &[u8], level: Level, text: &str) -> bool {
        let found = records(SerialLog::Auto, bytes);
        let mut lines = found.iter().map(|record| &record.line);
        lines.any(|line| line.level == level && line.text.starts_with(text))
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            any::<u8>(),
            prop::sample::select(b"\x1b[]()<>0123456789;:. mEWIDV\r\n\t\xff\0".to_vec()),
        ];
        prop::collection::vec(byte, 0..80)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn a_line_keeps_its_level_whatever_bytes_surround_it(
            before in bytes(),
            row in prop::sample::select(LINES.to_vec()),
            after in bytes(),
        ) {
            let all = [&before, row.0, &after].concat();
            prop_assert!(is_kept(&all, row.1, row.2), "{:?}", records(SerialLog::Auto, &all));
        }

        #[test]
        fn a_line_of_its_own_keeps_its_level_whatever_lines_surround_it(
            before in bytes(),
            noise in prop::collection::vec(prop::sample::select(b"\0\x80\xf8\xff".to_vec()), 0..6),
            row in prop::sample::select([&LINES[..], &WEAK].concat()),
            after in bytes(),
        ) {
            let all = [&before, &b"\n"[..], &noise, row.0, b"\n", &after].concat();
            prop_assert!(is_kept(&all, row.1, row.2), "{:?}", records(SerialLog::Auto, &all));
        }
    }

    proptest! {
        #[test]
        fn records_do_not_depend_on_how_bytes_arrive(
            parts in proptest::collection::vec(
                prop::sample::select(vec![
                    &b"I (12) app: text\r\n"[..],
                    &b"\x1b[0;31mE (1) x: y"[..],
                    &b"\x1b[0m\n"[..],
                    &b"\tindented\n"[..],
                    &b"[dbg] f(1): z\n"[..],
                    &b"Guru Meditation Error\n"[..],
                    &b"\xff\xfe\n"[..],
                    &b"\n"[..],
                ]),
                0..20,
            ),
            cut in 1..7_usize,
        ) {
            let bytes = parts.concat();
            let mut cut_up = Records::new(SerialLog::Auto);
            let mut found = Vec::new();
            for chunk in bytes.chunks(cut) {
                cut_up.push(chunk, |record| found.push(record));
            }
            cut_up.flush(|record| found.push(record));
            prop_assert_eq!(found, records(SerialLog::Auto, &bytes));
        }

        #[test]
        fn no_bytes_panic_and_all_text_is_kept(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            for log in [SerialLog::Auto, SerialLog::EspIdf, SerialLog::Linkkit, SerialLog::Plain] {
                let found = records(log, &bytes);
                prop_assert!(found.iter().all(|record| !record.line.tag.is_empty()));
            }
        }
    }
}
