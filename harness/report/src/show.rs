//! `trace show`: a trace for people, filtered.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use regex::Regex;
use trace::{Event, Level, LogLine, Source};

use crate::event_text::{lab_time, name_of, one_line, text_of};
use crate::{AttemptResult, Paint};

/// What of a trace to show. Events must meet every condition that is given; within one, any value.
#[derive(Debug, Default)]
pub struct Show {
    /// Only events of these sources.
    pub sources: Vec<Source>,
    /// Only events that concern these devices.
    pub devices: Vec<String>,
    /// Only events of these kinds.
    pub kinds: Vec<String>,
    /// Only log lines of this level or graver ones; other events are left out.
    pub level: Option<Level>,
    /// Only events whose text matches.
    pub grep: Option<Regex>,
    /// As JSON lines, unchanged.
    pub json: bool,
}

impl Show {
    /// Writes what is wanted of the trace at `path` to `out`; `path` may also be an attempt's
    /// folder.
    pub fn write(&self, path: &Path, paint: Paint, mut out: impl Write) -> Result<(), ShowError> {
        let file = if path.is_dir() {
            path.join(AttemptResult::TRACE)
        } else {
            path.to_owned()
        };
        let events = trace::read(&file).map_err(|source| ShowError::Read { path: file, source })?;
        let sources = width(events.iter().map(|event| name_of(&event.source)));
        let devices = width(events.iter().filter_map(|event| event.device.clone()));
        for event in events.iter().filter(|event| self.wants(event)) {
            if self.json {
                let line = serde_json::to_string(event).map_err(io::Error::from)?;
                writeln!(out, "{line}")?;
                continue;
            }
            writeln!(
                out,
                "{} {:<sources$} {:<devices$} {}",
                paint.faint(format!("{:>11}", lab_time(event.lab_us))),
                name_of(&event.source),
                one_line(event.device.as_deref().unwrap_or("-")),
                coloured(event, paint),
            )?;
        }
        out.flush()?;
        Ok(())
    }

    fn wants(&self, event: &Event) -> bool {
        let any =
            |wanted: &[String], value: &str| wanted.is_empty() || wanted.iter().any(|w| w == value);
        (self.sources.is_empty() || self.sources.contains(&event.source))
            && any(&self.devices, event.device.as_deref().unwrap_or_default())
            && any(&self.kinds, &event.kind)
            && self.level.is_none_or(|level| {
                event
                    .payload::<LogLine>()
                    .is_some_and(|line| line.level <= level)
            })
            && self
                .grep
                .as_ref()
                .is_none_or(|grep| grep.is_match(&text_of(event)))
    }
}

fn width(names: impl Iterator<Item = String>) -> usize {
    names
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0)
        .max(1)
}

fn coloured(event: &Event, paint: Paint) -> String {
    let text = text_of(event);
    match event.payload::<LogLine>().map(|line| line.level) {
        Some(Level::Error) => paint.bad(text),
        Some(Level::Warn) => paint.odd(text),
        Some(Level::Debug | Level::Trace) => paint.faint(text),
        Some(Level::Info) => text,
        None if event.source == Source::Engine => paint.strong(text),
        None => text,
    }
}

/// A trace could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    /// It could not be read.
    #[error("failed to show {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: trace::ReadError,
    },
    /// What came out could not be written.
    #[error("failed to write the events")]
    Write(#[from] io::Error),
}
