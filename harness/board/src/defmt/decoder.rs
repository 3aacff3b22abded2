//! From the bytes of a channel to lines of a log.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use trace::{CodePlace, Level, LogLine};

use super::place::Places;
use super::rzcobs;
use super::table::{Entry, Stamp, Table};
use super::walk::Walk;

/// No frame is longer; more bytes without an end are garbage.
const LONGEST_FRAME: usize = 64 * 1024;
/// Bytes of garbage that are shown.
const SHOWN: usize = 64;

/// What comes out of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// A line of the log.
    Line(LogLine),
    /// Something that could not be read.
    Lost(Lost),
}

/// Bytes that were no frames. Reading went on behind them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// How many bytes.
    pub bytes: u64,
    /// In how many pieces that should have been frames.
    pub frames: u64,
    /// What is wrong with the first one.
    pub problem: &'static str,
    /// Its first bytes.
    pub first: Vec<u8>,
}

/// Decodes one stream of defmt frames, cut anywhere.
pub struct Decoder {
    table: Arc<Table>,
    places: Places,
    /// A frame whose end has not come.
    pending: Vec<u8>,
    /// The frame that is being decoded.
    frame: Vec<u8>,
    lost: Option<Lost>,
    /// Whether the stream was entered in the middle, where half a frame is no fault of the firmware.
    midway: bool,
}

impl Decoder {
    /// Reads a stream from its beginning.
    pub fn new(table: Arc<Table>) -> Self {
        Self {
            table,
            places: Places::default(),
            pending: Vec::new(),
            frame: Vec::new(),
            lost: None,
            midway: false,
        }
    }

    /// Forgets half a frame: the stream begins anew, or in its middle if `midway`.
    pub fn restart(&mut self, midway: bool) {
        self.pending.clear();
        self.lost = None;
        self.midway = midway;
    }

    /// Takes what came and gives what it makes whole to `out`.
    pub fn push(&mut self, bytes: &[u8], mut out: impl FnMut(Decoded)) {
        match self.table.is_framed() {
            true => self.push_framed(bytes, &mut out),
            false => self.push_raw(bytes, &mut out),
        }
        if let Some(lost) = self.lost.take() {
            out(Decoded::Lost(lost));
        }
    }

    fn push_framed(&mut self, mut bytes: &[u8], out: &mut impl FnMut(Decoded)) {
        while let Some(end) = bytes.iter().position(|byte| *byte == 0) {
            let (piece, rest) = bytes.split_at(end);
            bytes = &rest[1..];
            if self.pending.is_empty() {
                self.take_frame(piece, out);
                continue;
            }
            let mut whole = std::mem::take(&mut self.pending);
            whole.extend_from_slice(piece);
            self.take_frame(&whole, out);
            whole.clear();
            self.pending = whole;
        }
        self.pending.extend_from_slice(bytes);
        if self.pending.len() > LONGEST_FRAME {
            let garbage = std::mem::take(&mut self.pending);
            self.lose(&garbage, "no end of a frame comes");
        }
    }

    /// A frame without the zero that ends it.
    fn take_frame(&mut self, encoded: &[u8], out: &mut impl FnMut(Decoded)) {
        if encoded.is_empty() {
            return;
        }
        let mut frame = std::mem::take(&mut self.frame);
        let read = match rzcobs::decode(encoded, &mut frame) {
            true => self.read(&frame).map(|(line, _)| line),
            false => Err("it is no frame"),
        };
        self.frame = frame;
        match read {
            Ok(line) => self.give(line, out),
            Err(_) if std::mem::take(&mut self.midway) => {}
            Err(problem) => self.lose(encoded, problem),
        }
    }

    /// Frames that nothing parts: behind one that is not sound, the rest cannot be told.
    fn push_raw(&mut self, bytes: &[u8], out: &mut impl FnMut(Decoded)) {
        let mut stream = std::mem::take(&mut self.pending);
        stream.extend_from_slice(bytes);
        let mut at = 0;
        while at < stream.len() {
            match self.read(&stream[at..]) {
                Ok((line, consumed)) => {
                    at += consumed;
                    self.give(line, out);
                }
                Err(problem) => {
                    // It may only be that more must come, up to a point.
                    if problem != UNSOUND || stream.len() - at > LONGEST_FRAME {
                        self.lose(&stream[at..], problem);
                        at = stream.len();
                    }
                    break;
                }
            }
        }
        stream.drain(..at);
        self.pending = stream;
    }

    fn give(&mut self, line: LogLine, out: &mut impl FnMut(Decoded)) {
        self.midway = false;
        if let Some(lost) = self.lost.take() {
            out(Decoded::Lost(lost));
        }
        out(Decoded::Line(line));
    }

    fn lose(&mut self, bytes: &[u8], problem: &'static str) {
        let lost = self.lost.get_or_insert_with(|| Lost {
            bytes: 0,
            frames: 0,
            problem,
            first: bytes[..bytes.len().min(SHOWN)].to_vec(),
        });
        lost.bytes += bytes.len() as u64;
        lost.frames += 1;
    }

    /// The line that `frame` begins with, and how many bytes it took.
    fn read(&mut self, frame: &[u8]) -> Result<(LogLine, usize), &'static str> {
        let table = self.table.clone();
        let mut walk = Walk::new(&table, frame);
        let index = walk.index().ok_or(UNSOUND)?;
        let entry = table
            .entry(index)
            .ok_or("its format is not in the image's table: is this image the one on the board?")?;
        let (level, shape) = entry.line().ok_or("its format is none of a line")?;
        let device_ms = stamp(&table, &mut walk).ok_or(UNSOUND)?;
        if entry.record().is_some() {
            let (line, consumed) = self.record(walk.rest(), level, device_ms).ok_or(UNSOUND)?;
            return Ok((line, frame.len() - walk.rest().len() + consumed));
        }
        walk.over(shape).ok_or(UNSOUND)?;
        let consumed = frame.len() - walk.rest().len();
        let text = print(&table, &frame[..consumed]).ok_or(UNSOUND)?;
        let line = LogLine {
            level,
            tag: tag(entry),
            text,
            device_ms,
            place: entry.place.clone(),
        };
        Ok((line, consumed))
    }

    /// A record of the `log` facade, which is nearly every frame.
    fn record(
        &mut self,
        bytes: &[u8],
        level: Level,
        device_ms: Option<u64>,
    ) -> Option<(LogLine, usize)> {
        let (module, rest) = text(bytes)?;
        let (file, rest) = text(rest)?;
        let (number, rest) = rest.split_first_chunk::<4>()?;
        let place = &bytes[..bytes.len() - rest.len()];
        let (tag, rest) = text(rest)?;
        let (said, rest) = text(rest)?;
        let place = self.places.of(place, || CodePlace {
            module: String::from_utf8_lossy(module).into_owned(),
            file: String::from_utf8_lossy(file).into_owned(),
            line: u32::from_le_bytes(*number),
        });
        let line = LogLine {
            level,
            tag: String::from_utf8_lossy(tag).into_owned(),
            text: String::from_utf8_lossy(said).into_owned(),
            device_ms,
            place: Some(place),
        };
        Some((line, bytes.len() - rest.len()))
    }
}

/// Why a frame cannot be read that nothing better can be said of.
const UNSOUND: &str = "it does not hold what its format says";

/// A string, whose length stands in front of it.
fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

/// The device's time in ms, if the frames carry one.
fn stamp(table: &Table, walk: &mut Walk<'_, '_>) -> Option<Option<u64>> {
    match &table.timestamp {
        Stamp::None => Some(None),
        Stamp::Time(timestamp) => {
            let time = timestamp.millis(walk.rest())?;
            walk.skip(timestamp.bytes)?;
            Some(Some(time))
        }
        Stamp::Other(shape) => {
            walk.over(shape)?;
            Some(None)
        }
        Stamp::Unsound => None,
    }
}

/// The message of a frame that has been walked over.
fn print(table: &Table, frame: &[u8]) -> Option<String> {
    // The printer is a library's, and the table may be damaged in any way.
    catch_unwind(AssertUnwindSafe(|| {
        let (frame, _) = table.inner.decode(frame).ok()?;
        Some(frame.display_message().to_string())
    }))
    .ok()
    .flatten()
}

/// The module, or at least the crate.
fn tag(entry: &Entry) -> String {
    match &entry.place {
        Some(place) if !place.module.is_empty() => place.module.clone(),
        _ => entry.package.clone(),
    }
}
