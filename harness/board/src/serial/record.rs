//! Records out of lines.

use dialect::{Chip, Dialect, Event, Part, Row, Text};
use trace::{Level, LogLine};

use super::line::{LONGEST, Lines, Piece};
use crate::rig::SerialLog;

/// What lines in no format are tagged with.
const TAG: &str = "uart";
/// What lines of a panic are tagged with.
const PANIC_TAG: &str = "panic";
/// So many bytes of garbage are kept.
const GARBAGE: usize = 48;
/// A record of more lines than these is given in parts.
const MOST_LINES: usize = 64;
/// Characters of a full row of PEM (RFC 7468).
const PEM_ROW: usize = 64;

/// One record of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// As the trace takes it.
    pub line: LogLine,
    /// The first bytes of a line that holds some that are no text; empty otherwise.
    pub garbage: Vec<u8>,
    /// The format in which it is; none if that is none with a head.
    pub dialect: Option<Dialect>,
    /// The reset or crash that it tells of.
    pub event: Option<Event>,
    /// Nothing tells its level: it is in no known form, or in one that has no levels.
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
    /// The firmware has ended, and what it prints of that has not.
    crash_goes_on: bool,
    /// The chip, if its ROM has named it.
    chip: Option<Chip>,
}

/// A line, of which parts are taken.
#[derive(Clone, Copy)]
struct Line<'l> {
    text: &'l Text,
    garbage: &'l [u8],
}

/// A record that may go on.
struct Open {
    record: Record,
    dialect: Dialect,
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
            crash_goes_on: false,
            chip: None,
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
        let found = Text::of(&piece.bytes);
        let garbage = match found.garbage {
            0 => Vec::new(),
            _ => piece.bytes[..piece.bytes.len().min(GARBAGE)].to_vec(),
        };
        let line = Line {
            text: &found,
            garbage: &garbage,
        };
        let mut parts = &self.parts(piece, &found)[..];
        if piece.continues
            && let [front @ Part::Plain(_), after @ ..] = parts
        {
            self.close(give);
            let (level, tag) = self.last.clone();
            give(record(
                level,
                &tag,
                None,
                found.shown_of(front),
                garbage.clone(),
            ));
            parts = after;
        } else if let [Part::Plain(text)] = parts
            && self.joins(text, line)
        {
            self.join(text, line, give);
            return;
        }
        for (at, part) in parts.iter().enumerate() {
            self.part(part, line, at + 1 == parts.len(), give);
        }
    }

    /// The parts of a line in the log's format, or of a piece out of its middle.
    fn parts<'l>(&self, piece: &Piece, found: &'l Text) -> Vec<Part<'l>> {
        let only = match self.log {
            SerialLog::Auto => None,
            SerialLog::Plain => return vec![Part::Plain(found.clean())],
            SerialLog::EspIdf => Some(&[Dialect::EspIdf][..]),
            SerialLog::Linkkit => Some(&[Dialect::Linkkit, Dialect::AliOs][..]),
        };
        match piece.in_flow {
            true => {
                let seen = Text::of(&piece.bytes[..piece.repeats]).clean().len();
                dialect::parts_inside(found.clean(), seen, only)
            }
            false => dialect::parts(found.clean(), only),
        }
    }

    /// Takes one part of a line.
    fn part(
        &mut self,
        part: &Part<'_>,
        line: Line<'_>,
        is_last: bool,
        give: &mut impl FnMut(Record),
    ) {
        self.close(give);
        let garbage = line.garbage.to_vec();
        let text = line.text.shown_of(part);
        let event = match self.log {
            SerialLog::Plain => None,
            _ => dialect::event(part, self.chip),
        };
        let mut found = match part {
            Part::Plain(clean) if clean.trim().is_empty() && text.trim().is_empty() => return,
            Part::Record(head) => {
                let level = head.level.unwrap_or(Level::Info);
                let tag = head.tag.unwrap_or(default_tag(head.dialect));
                let mut found = record(level, tag, head.device_ms, text, garbage);
                found.unread = head.level.is_none();
                found.dialect = Some(head.dialect);
                self.crash_goes_on = false;
                found
            }
            Part::Plain(clean) => self.plain(clean, text, event, garbage),
        };
        match event {
            Some(Event::Crash(_)) => self.crash_goes_on = true,
            Some(Event::Reset(_)) => self.crash_goes_on = false,
            None => {}
        }
        found.event = event;
        self.last = (found.line.level, found.line.tag.clone());
        match part {
            Part::Record(head) if is_last && !line.text.reset => {
                self.open = Some(Open {
                    record: found,
                    dialect: head.dialect,
                    // Linkkit switches its colours off in the next line.
                    coloured: line.text.coloured && head.dialect != Dialect::Linkkit,
                    lines: 1,
                });
            }
            _ => give(found),
        }
    }

    /// A record of a line, or a part of one, without a head.
    fn plain(&mut self, clean: &str, text: &str, event: Option<Event>, garbage: Vec<u8>) -> Record {
        let row = match self.log {
            SerialLog::Plain => None,
            _ => dialect::row(clean),
        };
        if row == Some(Row::Rom) {
            self.crash_goes_on = false;
            self.chip = Chip::named_in(clean).or(self.chip);
        }
        let is_crash = matches!(event, Some(Event::Crash(_)))
            || self.crash_goes_on && !matches!(row, Some(Row::Tool | Row::Prompt))
            || row == Some(Row::Crash) && clean.starts_with("Backtrace:");
        let (level, tag) = match is_crash {
            true => (Level::Error, PANIC_TAG),
            false => (Level::Info, TAG),
        };
        let mut found = record(level, tag, None, text, garbage);
        let is_known = matches!(row, Some(Row::Rom | Row::Tool | Row::Prompt));
        found.unread = !is_crash && !is_known;
        found
    }

    /// Whether a line that begins no record goes on with the one that is open.
    fn joins(&self, text: &str, line: Line<'_>) -> bool {
        self.open.as_ref().is_some_and(|open| {
            let ends = matches!(
                dialect::row(text),
                Some(Row::Rom | Row::Crash | Row::Prompt)
            ) && self.log != SerialLog::Plain;
            let is_traceback = open.dialect == Dialect::MicroPython
                && (text.starts_with("  ") || dialect::exception(text).is_some());
            let goes_on = is_traceback
                || open
                    .record
                    .line
                    .text
                    .lines()
                    .next_back()
                    .is_some_and(is_inside_pem)
                || !ends && (open.coloured || dialect::goes_on(open.dialect, text));
            let length = open.record.line.text.len() + line.text.shown().len();
            goes_on && open.lines < MOST_LINES && length <= LONGEST
        })
    }

    /// Adds a line to the record that is open.
    fn join(&mut self, text: &str, line: Line<'_>, give: &mut impl FnMut(Record)) {
        let Some(open) = &mut self.open else { return };
        open.lines += 1;
        if open.record.garbage.is_empty() {
            open.record.garbage = line.garbage.to_vec();
        }
        if !text.is_empty() {
            open.record.line.text.push('\n');
            open.record.line.text.push_str(line.text.shown());
        }
        let mut ended = line.text.reset;
        if open.dialect == Dialect::MicroPython
            && let Some((name, _)) = dialect::exception(text)
        {
            open.record.line.tag = name.to_owned();
            ended = true;
        }
        if ended {
            self.close(give);
        }
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
        Dialect::Linkkit | Dialect::AliOs => "linkkit",
        _ => TAG,
    }
}

/// Whether what follows a row with this text still belongs to a certificate or key.
fn is_inside_pem(row: &str) -> bool {
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte);
    row.starts_with("-----BEGIN ") || row.len() == PEM_ROW && row.bytes().all(is_base64)
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
        dialect: None,
        event: None,
        unread: false,
    }
}

#[cfg(test)]
mod tests;
